// The answers of commands and of single resources: position and revision, in headers and body.
import type { FastifyReply } from 'fastify'
import type { ExpectedRevision } from '../ports.ts'

export interface Place {
  position: bigint
  revision: ExpectedRevision
}

/** What `accepted` adds to a body, as decimal strings. */
export interface PlaceOnTheWire { position: string, revision: string }

/**
 * Answers a command: sets status, `Chancery-Position` and `ETag: "<revision>"`, and gives back the body with
 * `position` and `revision` as decimal strings, to be returned by the handler.
 */
export const accepted = <Body extends object>(
  reply: FastifyReply, receipt: Place, body: Body, status = 200
): Body & PlaceOnTheWire => {
  reply.code(status)
  return located(reply, receipt, body)
}

/** The same for the reading of a single resource. */
export const located = <Body extends object>(reply: FastifyReply, place: Place, body: Body): Body & PlaceOnTheWire => {
  const revision = String(place.revision)
  void reply.headers({ 'chancery-position': String(place.position), etag: `"${revision}"` })
  return { ...body, position: String(place.position), revision }
}

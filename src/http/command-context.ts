// Turns a request into the context of a command: ids, fingerprint, actor, and where it came from.
import type { FastifyRequest } from 'fastify'
import type { CommandContext } from '../commands/context.ts'
import { Clear } from '../domain/personal.ts'
import { canonicalJson } from './json.ts'
import { parseTraceparent } from './trace.ts'

/** What a route adds to the context: free text is personal and sealed, codes and tickets stay clear (decision 17). */
export interface ContextExtra {
  reason?: Clear
  reasonCode?: string
  ticket?: string
}

/** Context of a command that an authenticated caller asks for. Its command id is UUIDv5 of principal id and Idempotency-Key. */
export const commandContext = (request: FastifyRequest, extra: ContextExtra = {}): CommandContext => {
  if (request.caller === undefined) throw new Error(`${request.routeOptions.url ?? request.url} has no authenticated caller`)
  const id = request.caller.principalId
  return contextOf(request, { type: 'principal', id }, `principal-${id}`, extra)
}

/** Context of a command on a public route (enrolment): the actor is the person, known by whatever the link told. */
export const personContext = (
  request: FastifyRequest, person: { id: string, subject: string }, extra: ContextExtra = {}
): CommandContext => contextOf(request, { type: 'person', id: person.id }, person.subject, extra)

const contextOf = (request: FastifyRequest, actor: CommandContext['actor'], subject: string, extra: ContextExtra): CommandContext => {
  const { keys, ids, clock } = request.server.door
  const key = request.idempotencyKey ?? ids.next()
  const userAgent = request.headers['user-agent']
  const traceparent = request.headers['traceparent']
  return {
    commandId: ids.derive('command', actor.id, key),
    fingerprint: keys.fingerprint(`${request.method} ${pathOf(request)}`, canonicalJson(request.body ?? null)),
    at: clock.now(),
    actor,
    requestId: request.id,
    ...typeof traceparent === 'string' && parseTraceparent(traceparent) !== undefined && { traceparent },
    ip: new Clear(request.ip, subject),
    ...userAgent !== undefined && userAgent !== '' && { userAgent: new Clear(wellFormed(userAgent.slice(0, 512)), subject) },
    ...extra
  }
}

/** Header values arrive as latin1 and cannot hold surrogates, but a cut or a test's injection may. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}|\0/gu, '�')

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? request.url

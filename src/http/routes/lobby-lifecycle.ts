// What a downstream service proves itself against: who is blocked or deleted, and the digest of a range of entries.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { digestOf, SNAPSHOT_PATH, snapshotPage, type LifecycleReadDeps } from '../../commands/lifecycle/digest.ts'
import { refuse } from '../../domain/codes.ts'
import { entryIdOf } from '../../domain/lifecycle/entry.ts'
import type { LifecycleRow } from '../../account-queries.ts'
import { positionsIn } from '../cursors.ts'
import * as schemas from '../schemas/lobby-lifecycle.ts'
import { limitOf } from '../schemas/shared.ts'

const tags = ['lobby']
const READ = { permission: 'lobby.read', waitsFor: ['lifecycle'] } as const

export const lobbyLifecycleRoutes = (deps: LifecycleReadDeps): FastifyPluginAsyncTypebox => async (app) => {
  app.get(SNAPSHOT_PATH, {
    config: READ,
    schema: { tags, summary: 'Who is blocked or deleted: each user\'s last entry, lifted blocks included, as of one position', querystring: schemas.SnapshotQuery, response: { 200: schemas.SnapshotPage } }
  }, async (request, reply) => {
    const { asOf, rows, next } = await snapshotPage(deps, { ...placeOf(request.query), limit: limitOf(request.query) })
    void reply.header('chancery-position', String(asOf))
    return { as_of: String(asOf), items: rows.map(entryItem), next_cursor: next === null ? null : `${asOf}.${next}` }
  })

  app.get('/api/v1/lobby/lifecycle/digest', {
    config: READ,
    schema: { tags, summary: 'Count and rolling hash of the entries after `from` up to `to`', querystring: schemas.DigestQuery, response: { 200: schemas.DigestAnswer } }
  }, async ({ query: { from, to } }) => ({ from, to, ...await digestOf(deps, { from: BigInt(from), to: BigInt(to) }), stream: deps.stream }))
}

/** A cursor holds the position that its snapshot is of: every page tells of the same moment. */
const placeOf = ({ as_of: asOf, cursor }: { as_of?: string, cursor?: string }): { asOf?: bigint, after?: bigint } => {
  if (cursor === undefined) return asOf === undefined ? {} : { asOf: BigInt(asOf) }
  const [of, after] = positionsIn(cursor)
  return asOf === undefined || BigInt(asOf) === of ? { asOf: of, after } : refuse('invalid_request', 'The cursor is of a snapshot as of another position.')
}

const entryItem = (row: LifecycleRow & { lifted: boolean }) => ({
  position: String(row.position),
  entry_id: entryIdOf(row.position),
  event_id: row.eventId,
  event_type: row.eventType,
  user_id: row.userId,
  occurred_at_ms: String(row.occurredAtMs),
  source: row.source,
  actor_type: row.actorType,
  ...row.actorId !== null && { actor_id: row.actorId },
  reason_code: row.reasonCode,
  ...row.traceId !== null && { trace_id: row.traceId },
  lifted: row.lifted
})

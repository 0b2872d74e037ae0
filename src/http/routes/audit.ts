// What the auditor reads: events as they were appended, intents without an outcome, and the whole log as NDJSON.
import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { refuse } from '../../domain/codes.ts'
import type { EventStore, RawEvent } from '../../ports.ts'
import type { AuditIndex, AuditPointer, OpenIntent } from '../../queries.ts'
import { limitOf } from '../schemas/shared.ts'
import * as schemas from '../schemas/audit.ts'
import { instantOf } from '../times.ts'

export interface AuditRouteDeps {
  events: Pick<EventStore, 'at' | 'rawAll' | 'rawStream'>
  index: AuditIndex
}

/** Bodies fetched from the log at once. */
const AT_ONCE = 16
const tags = ['audit']
const READ = { permission: 'audit.read' } as const

export const auditRoutes = ({ events, index }: AuditRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  app.get('/api/v1/audit/events', {
    config: { ...READ, waitsFor: ['audit'] },
    schema: { tags, summary: 'Events as they were appended, found by stream, type, time, command or actor', querystring: schemas.EventsQuery, response: { 200: schemas.EventPage } }
  }, async ({ query }) => {
    const limit = limitOf(query)
    const { stream, type, from, to, command_id: commandId, actor: actorId, direction = 'forwards', cursor } = query
    const pointers = await index.search({
      ...stream !== undefined && { stream },
      ...type !== undefined && { type },
      ...from !== undefined && { from: instantOf(from) },
      ...to !== undefined && { to: instantOf(to) },
      ...commandId !== undefined && { commandId },
      ...actorId !== undefined && { actorId }
    }, { limit, direction, ...cursor !== undefined && { after: BigInt(cursor) } })
    const bodies = await inBatches(pointers, (pointer) => bodyOf(events, pointer))
    return { items: bodies.map(eventItem), next_cursor: nextCursor(pointers, limit) }
  })

  app.get('/api/v1/audit/open-intents', {
    config: { ...READ, waitsFor: ['audit'] },
    schema: { tags, summary: 'Intents that have no outcome yet, oldest first', querystring: schemas.IntentsQuery, response: { 200: schemas.IntentPage } }
  }, async ({ query }) => {
    const limit = limitOf(query)
    const { cursor, intent } = query
    const open = await index.openIntents({ limit, ...cursor !== undefined && { after: BigInt(cursor) }, ...intent !== undefined && { intent } })
    return { items: open.map(intentItem), next_cursor: nextCursor(open, limit) }
  })

  app.get('/api/v1/audit/replay', {
    // HEAD would read the whole log for nothing.
    exposeHeadRoute: false,
    config: READ, schema: { tags, summary: 'The whole log, or one stream, as NDJSON; sealed values stay sealed', querystring: schemas.ReplayQuery }
  }, async ({ query }, reply) => {
    const source = query.stream === undefined ? events.rawAll() : events.rawStream(query.stream)
    // The first event is read before the status is sent: a log that is away is a 503, not a cut answer.
    const iterator = source[Symbol.asyncIterator]()
    const first = await iterator.next()
    return reply.type('application/x-ndjson').send(Readable.from(lines(first, iterator), { objectMode: false, highWaterMark: 64 * 1024 }))
  })
}

async function * lines (first: IteratorResult<RawEvent>, rest: AsyncIterator<RawEvent>): AsyncGenerator<string> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield `${JSON.stringify(eventItem(next.value))}\n`
  } finally {
    await rest.return?.()
  }
}

const bodyOf = async (events: AuditRouteDeps['events'], pointer: AuditPointer): Promise<RawEvent> => {
  const event = await events.at(pointer.position)
  if (event?.id === pointer.eventId) return event
  return refuse('internal_error', 'The log and its index disagree. The log may have been replaced by an older one; an operator has to look.', { position: String(pointer.position) })
}

const inBatches = async <T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = []
  for (let at = 0; at < items.length; at += AT_ONCE) results.push(...await Promise.all(items.slice(at, at + AT_ONCE).map(work)))
  return results
}

const nextCursor = (items: ReadonlyArray<{ position: bigint }>, limit: number): string | null =>
  items.length < limit ? null : String(items.at(-1)?.position ?? '')

const eventItem = ({ id, stream, type, revision, position, created, data, metadata }: RawEvent) =>
  ({ id, stream, type, revision: String(revision), position: String(position), created: created.toISOString(), data, metadata })

const intentItem = (intent: OpenIntent) => ({
  type: intent.intent,
  intent_id: intent.intentId,
  stream: intent.stream,
  revision: String(intent.revision),
  position: String(intent.position),
  event_id: intent.eventId,
  occurred_at: intent.occurredAt,
  actor: { type: intent.actorType, id: intent.actorId },
  command_id: intent.commandId,
  steps: intent.steps,
  last_step_at: intent.lastStepAt
})

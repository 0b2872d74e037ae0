// For tests of the lifecycle stream: facts in a log, a publisher in this process, and the checker of invariant I6.
import { createHmac, randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { openLifecycleStream } from '../../infra/redis/stream.ts'
import { canonicalEntry, entryIdOf, unsignedEntry, type LifecycleEvent } from '../../src/domain/lifecycle/entry.ts'
import { isLifecycleType } from '../../src/domain/lifecycle/fields.ts'
import type { EventStore, NewEvent } from '../../src/ports.ts'
import { uuidIds } from '../../infra/ids.ts'
import { createAggregates } from '../../src/commands/execute.ts'
import { beginLifecycleEpoch, completeLifecycleEpoch } from '../../src/commands/lifecycle/epochs.ts'
import type { LifecycleStream, RegisteredConsumer } from '../../src/lifecycle-stream.ts'
import { lifecycleOperations } from '../../src/publisher/operations.ts'
import { startPublisher, type Publisher } from '../../src/publisher/publisher.ts'
import type { PublisherDeps } from '../../src/publisher/settings.ts'
import { until } from './until.ts'

export const STREAM = 'user:lifecycle_events'

/** A MAC like the service's, under a key of the tests. */
export const testSign = (canonical: string): string => `test:${createHmac('sha256', 'lifecycle').update(canonical).digest('base64url')}`

const metadata = (): NewEvent['metadata'] => {
  const id = randomUUID()
  return {
    $correlationId: id, $causationId: id, commandId: id, schemaVersion: 1, occurredAt: new Date().toISOString(), actor: { type: 'system', id: 'test' }, requestId: id
  }
}

/** Appends what a deletion appends, for a new account. Returns the position of the lifecycle event. */
export const appendDeletion = async (events: EventStore, at = new Date()): Promise<bigint> => {
  const userId = randomUUID()
  const deletedAt = at.toISOString()
  const { position } = await events.append(`user-${userId}`, 'no_stream', [
    { id: randomUUID(), type: 'user.deleted', metadata: metadata(), data: { userId, deletedAt, purgeAfter: deletedAt } },
    { id: randomUUID(), type: 'user.lifecycle.deleted', metadata: metadata(), data: { userId, occurredAtMs: at.getTime(), source: 'test', actorType: 'system', actorId: 'test', reasonCode: 'test' } }
  ])
  return position
}

/** Appends a fact that is no lifecycle event. */
export const appendOther = async (events: EventStore): Promise<bigint> => {
  const userId = randomUUID()
  const { position } = await events.append(`user-${userId}`, 'no_stream', [
    { id: randomUUID(), type: 'user.deleted', metadata: metadata(), data: { userId, deletedAt: new Date().toISOString(), purgeAfter: new Date().toISOString() } }
  ])
  return position
}

export interface Line { level: 'info' | 'warn' | 'error', fields: object, message: string }
export interface TestPublisher extends Publisher { lines: Line[] }

export interface TestPublisherOptions extends Partial<Omit<PublisherDeps, 'events' | 'stream' | 'log'>> {
  events: EventStore
  url: string
  following?: readonly RegisteredConsumer[]
  /** Puts something between the publisher and its stream. */
  around?: (stream: LifecycleStream) => LifecycleStream
}

/** A publisher with short waits; it tends the stream only when it is asked to, unless `timing` says otherwise. */
export const testPublisher = (t: Pick<Test, 'teardown'>, { url, following = [], timing, around = (stream) => stream, ...options }: TestPublisherOptions): TestPublisher => {
  const key = options.key ?? STREAM
  const stream = openLifecycleStream({ url, key })
  const lines: Line[] = []
  const line = (level: Line['level']) => (fields: object, message: string) => { lines.push({ level, fields, message }) }
  const publisher = startPublisher({
    key,
    sign: testSign,
    clock: { now: () => new Date() },
    retentionMs: 30 * 86_400_000,
    consumers: async () => following,
    completeEpoch: async () => {},
    ...options,
    stream: async () => around(stream),
    log: { info: line('info'), warn: line('warn'), error: line('error') },
    timing: { firstPauseMs: 10, longestPauseMs: 100, lookEveryMs: 50, noteEveryMs: 100, tendEveryMs: 3_600_000, ...timing }
  })
  t.teardown(async () => {
    await publisher.close()
    stream.close()
  })
  return { ...publisher, lines }
}

/** Orders an epoch as the route does, and says that it is done as the service does. */
export const epochsOf = (events: EventStore, url: string, consumers: readonly RegisteredConsumer[] = []) => {
  const clock = { now: () => new Date() }
  const aggregates = createAggregates(events, uuidIds)
  return {
    begin: async () => {
      const commandId = uuidIds.next()
      const context = { commandId, at: new Date(), actor: { type: 'system' as const, id: 'test' }, requestId: commandId }
      const stream = openLifecycleStream({ url, key: STREAM })
      const lifecycle = lifecycleOperations({ events, sign: testSign, clock, retentionMs: 30 * 86_400_000, consumers: async () => consumers }, stream)
      try {
        await until(() => lifecycle.report().then(() => true, () => false))
        return await beginLifecycleEpoch({ aggregates, ids: uuidIds, stream: STREAM, lifecycle }, context)
      } finally {
        stream.close()
      }
    },
    complete: (epochId: string, entries: number) => completeLifecycleEpoch({ aggregates, ids: uuidIds, clock }, epochId, entries)
  }
}

export const lifecycleEventsOf = async (events: Pick<EventStore, 'readAll'>): Promise<LifecycleEvent[]> => {
  const found: LifecycleEvent[] = []
  for await (const event of events.readAll()) if (isLifecycleType(event.type)) found.push(event as LifecycleEvent)
  return found
}

export interface StreamCheck {
  /** The events that the stream has to hold: by default all of them. */
  from?: (event: LifecycleEvent) => boolean
  key?: string
  sign?: (canonical: string) => string
}

/** I6: what tells the stream from what the log says it is, a line each; empty if all is well. */
export const streamFaults = async (events: Pick<EventStore, 'readAll'>, redis: Redis, { from = () => true, key = STREAM, sign }: StreamCheck = {}): Promise<string[]> => {
  const whole = await lifecycleEventsOf(events)
  let previous = 0n
  const expected = whole.map((event) => {
    const fields = unsignedEntry(event, previous)
    previous = event.position
    return { event, id: entryIdOf(event.position), fields }
  }).filter(({ event }) => from(event))
  const found = await redis.xrange(key, '-', '+')
  const faults: string[] = []
  const ids = new Set(found.map(([id]) => id))
  const wanted = new Map(expected.map((entry) => [entry.id, entry]))
  for (const id of wanted.keys()) if (!ids.has(id)) faults.push(`missing ${id}`)
  for (const id of ids) if (!wanted.has(id)) faults.push(`extra ${id}`)
  if (new Set(found.map(([, texts]) => texts[texts.indexOf('event_id') + 1])).size !== found.length) faults.push('an event stands twice')
  for (const [id, texts] of found) {
    const entry = wanted.get(id)
    if (entry === undefined) continue
    const { mac, ...fields } = Object.fromEntries(texts.flatMap((text, i) => i % 2 === 0 ? [[text, texts[i + 1] ?? '']] : [])) as Record<string, string>
    const canonical = canonicalEntry(entry.fields, { entryId: id, stream: key })
    if (JSON.stringify(Object.entries(fields).sort()) !== JSON.stringify(Object.entries(entry.fields).sort())) faults.push(`different ${id}`)
    if (sign !== undefined && mac !== sign(canonical)) faults.push(`mac ${id}`)
  }
  return faults
}

/** Waits until the stream holds so many entries and ends with the log's last lifecycle event. */
export const published = async (events: Pick<EventStore, 'readAll'>, redis: Redis, limitMs?: number): Promise<void> => {
  const last = (await lifecycleEventsOf(events)).at(-1)
  const wanted = last === undefined ? undefined : entryIdOf(last.position)
  await until(async () => {
    const [entry] = await redis.xrevrange(STREAM, '+', '-', 'COUNT', 1).catch(() => [])
    return entry?.[0] === wanted
  }, limitMs)
}

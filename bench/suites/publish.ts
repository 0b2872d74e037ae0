// The publisher against what ioredis can write at all, and the way of one deletion from its answer to the entry in Redis.
import { createHmac, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { openLog, type Log } from '../../infra/eventstore/index.ts'
import type { LocalRedis } from '../../infra/local/redis/index.ts'
import { openLifecycleStream } from '../../infra/redis/stream.ts'
import type { LifecycleEvent } from '../../src/domain/lifecycle/entry.ts'
import type { NewEvent } from '../../src/ports.ts'
import { entriesOf } from '../../src/publisher/entries.ts'
import { startPublisher } from '../../src/publisher/publisher.ts'
import { startChancery, type Chancery } from '../chancery.ts'
import { childLine, compiled, processTree } from '../children.ts'
import { overRounds, rate, rotate, sliceOf, type Contestant, type Slice } from '../method.ts'
import { startRedis } from '../redis.ts'
import { median, quantile } from '../statistics.ts'
import type { SuiteOptions, SuiteResult } from './suite.ts'

/** Lifecycle events in the log: more than a slice can publish. */
const EVENTS = 120_000
const BATCH = 128
const KEY = 'bench:lifecycle'

const sign = (canonical: string): string => `bench:${createHmac('sha256', 'bench').update(canonical, 'utf8').digest('base64url')}`

export const publishSuite = async (options: SuiteOptions): Promise<SuiteResult> => {
  const redis = await startRedis(options.dir)
  const store = await childLine([compiled('infra/local/eventstore/main.js'), '--data', join(options.dir, 'store'), '--port', '0'])
  const never = () => Promise.reject(new Error('nothing here is sealed'))
  const log = await openLog({ url: /esdb:\S+/.exec(store.line)?.[0] ?? '', vault: { seal: never, open: never } })
  const service = await startChancery(options.dir, { CHANCERY_REDIS_URL: redis.url })
  const client = new Redis(redis.url)
  try {
    const events = await fill(log, options.progress)
    const deletions = await enterDeletions(service, redis, options)
    const rounds = await rotate([
      catchingUp(log, redis, client, [store.pid, redis.pid]), writing(events, redis, client), pipelines(events, client, redis.pid), deletions.contestant, pings(client, redis.pid)
    ], options)
    await deletions.check()
    const ratio = (name: string, against: string, figure: (of: (contestant: string) => Slice) => number) =>
      ({ name, against, ...overRounds(rounds, (round) => figure((contestant) => sliceOf(round, contestant))) })
    const all = (contestant: string) => rounds.map((round) => sliceOf(round, contestant))
    const latencies = (contestant: string) => all(contestant).flatMap((slice) => slice.latencies)
    return {
      suite: 'publish',
      rounds,
      figures: [
        ratio(`publish rate, from the log into Redis ÷ bare XADDs in ioredis pipelines of ${BATCH}`, 'goal: none set; reading and decoding the log is in it', (of) => rate(of('publisher')) / rate(of('pipelines'))),
        ratio('the writing alone: entries made, signed and appended ÷ the same', 'what compare-and-append costs', (of) => rate(of('writer')) / rate(of('pipelines'))),
        ratio('2xx of a deletion → its entry read from Redis, p50 ÷ PING p50', 'one PING is the least', (of) => median(of('deletions').latencies) / median(of('pings').latencies))
      ],
      absolute: {
        'publisher, entries/s': median(all('publisher').map(rate)),
        'writer alone, entries/s': median(all('writer').map(rate)),
        'bare pipelines, XADDs/s': median(all('pipelines').map(rate)),
        '2xx → entry p50, ms': median(latencies('deletions')),
        '2xx → entry p99, ms': quantile(latencies('deletions'), 0.99),
        'PING p50, ms': median(latencies('pings'))
      }
    }
  } finally {
    client.disconnect()
    await service.stop()
    await log.close()
    await store.stop()
    await redis.stop()
  }
}

/** A log of nothing but lifecycle events, many in one append. */
const fill = async (log: Log, progress: SuiteOptions['progress']): Promise<LifecycleEvent[]> => {
  const occurredAtMs = Date.now()
  const eventOf = (): NewEvent => {
    const id = randomUUID()
    return {
      id,
      type: 'user.lifecycle.deleted',
      data: { userId: randomUUID(), occurredAtMs, source: randomUUID(), actorType: 'principal', actorId: randomUUID(), reasonCode: 'asked' },
      metadata: { $correlationId: id, $causationId: id, commandId: id, schemaVersion: 1, occurredAt: new Date(occurredAtMs).toISOString(), actor: { type: 'system', id: 'bench' }, requestId: id }
    }
  }
  for (let made = 0; made < EVENTS; made += 4_000) {
    await Promise.all(Array.from({ length: 8 }, () => log.append(`user-${randomUUID()}`, 'no_stream', Array.from({ length: 500 }, eventOf))))
    progress(`${made + 4_000} of ${EVENTS} events`)
  }
  const events: LifecycleEvent[] = []
  for await (const event of log.readAll()) events.push(event as LifecycleEvent)
  return events
}

const nothing = async (): Promise<void> => {}

/** A publisher that finds Redis empty: what it has written when the time is up, from its first entry on. */
const catchingUp = (log: Log, { url }: LocalRedis, client: Redis, pids: number[]): Contestant => ({
  name: 'publisher',
  pids: () => [process.pid, ...pids],
  slice: async (milliseconds) => {
    await client.del(KEY, `${KEY}:read_to`)
    const stream = openLifecycleStream({ url, key: KEY })
    const quiet = { info: () => {}, warn: () => {}, error: () => {} }
    const publisher = startPublisher({
      events: log, stream: async () => stream, key: KEY, sign, clock: { now: () => new Date() }, retentionMs: 86_400_000, consumers: async () => [], completeEpoch: nothing, log: quiet
    })
    while (publisher.status().published === 0) await new Promise(setImmediate)
    const before = publisher.status().published
    const began = performance.now()
    await new Promise((resolve) => { setTimeout(resolve, milliseconds) })
    const operations = publisher.status().published - before
    const seconds = (performance.now() - began) / 1000
    await publisher.close()
    const { length } = await stream.state()
    if (length !== publisher.status().published || length >= EVENTS) throw new Error(`${length} entries, ${publisher.status().published} counted, ${EVENTS} in the log`)
    stream.close()
    return { operations, seconds, latencies: [] }
  }
})

/** The same without the log: events in memory. */
const writing = (events: readonly LifecycleEvent[], { url, pid }: LocalRedis, client: Redis): Contestant => ({
  name: 'writer',
  pids: () => [process.pid, pid],
  slice: async (milliseconds) => {
    await client.del(KEY, `${KEY}:read_to`)
    const stream = openLifecycleStream({ url, key: KEY })
    while (await stream.state().then(() => false, () => true)) await new Promise(setImmediate)
    const began = performance.now()
    let [tail, previous, operations] = ['0-0', 0n, 0]
    while (performance.now() - began < milliseconds && operations + BATCH <= events.length) {
      const batch = events.slice(operations, operations + BATCH)
      const entries = entriesOf(batch, previous, KEY, sign)
      const answer = await stream.append(tail, entries)
      if (answer.outcome !== 'appended') throw new Error('somebody else writes')
      operations += BATCH
      tail = entries.at(-1)?.id ?? tail
      previous = batch.at(-1)?.position ?? previous
    }
    const seconds = (performance.now() - began) / 1000
    stream.close()
    return { operations, seconds, latencies: [] }
  }
})

/** What the client can do: the same fields, ready made, nothing compared. */
const pipelines = (events: readonly LifecycleEvent[], client: Redis, pid: number): Contestant => {
  const entries = entriesOf(events, 0n, KEY, sign).map(({ id, fields }) => [KEY, id, ...Object.entries(fields).flat()] as [string, string, ...string[]])
  return {
    name: 'pipelines',
    pids: () => [process.pid, pid],
    slice: async (milliseconds) => {
      await client.del(KEY, `${KEY}:read_to`)
      const began = performance.now()
      let operations = 0
      while (performance.now() - began < milliseconds && operations + BATCH <= entries.length) {
        const pipeline = client.pipeline()
        for (const entry of entries.slice(operations, operations + BATCH)) pipeline.xadd(...entry)
        await pipeline.exec()
        operations += BATCH
      }
      return { operations, seconds: (performance.now() - began) / 1000, latencies: [] }
    }
  }
}

const pings = (client: Redis, pid: number): Contestant => ({
  name: 'pings',
  pids: () => [pid],
  slice: async (milliseconds) => {
    const began = performance.now()
    const latencies: number[] = []
    while (performance.now() - began < milliseconds) {
      const before = performance.now()
      await client.ping()
      latencies.push(performance.now() - before)
    }
    return { operations: latencies.length, seconds: (performance.now() - began) / 1000, latencies }
  }
})

/** One deletion after the other; a reader of its own waits for each entry. */
const enterDeletions = async (service: Chancery, { url }: LocalRedis, { rounds, sliceMs, progress }: SuiteOptions) => {
  const KEY = 'user:lifecycle_events'
  const users: string[] = []
  const wanted = Math.ceil(rounds * sliceMs / 4)
  while (users.length < wanted) {
    const made = await Promise.all(Array.from({ length: 20 }, () =>
      service.request<{ user_id: string }>('POST', '/api/v1/auth/ensure-by-email', { email: `${randomUUID()}@example.org` })))
    users.push(...made.map((user) => user.user_id))
    progress(`${users.length} of ${wanted} accounts`)
  }
  const contestant: Contestant = {
    name: 'deletions',
    pids: () => processTree(service.pid),
    slice: async (milliseconds) => {
      const reader = new Redis(url)
      const began = performance.now()
      const latencies: number[] = []
      const kept = await service.request<{ redis: { last_entry_id: string | null } | null }>('GET', '/api/v1/operations/lifecycle')
      let after = kept.redis?.last_entry_id ?? '0-0'
      while (performance.now() - began < milliseconds) {
        const user = users.pop()
        if (user === undefined) throw new Error('too few accounts')
        const coming = reader.xread('COUNT', 1, 'BLOCK', 10_000, 'STREAMS', KEY, after).then((answer) => ({ answer, at: performance.now() }))
        await service.request('POST', `/api/v1/internal/users/${user}/delete`, { reason_code: 'asked' })
        const answered = performance.now()
        const { answer, at } = await coming
        const id = answer?.[0]?.[1][0]?.[0]
        if (id === undefined) throw new Error('a deletion without its entry')
        after = id
        latencies.push(Math.max(0, at - answered))
      }
      reader.disconnect()
      return { operations: latencies.length, seconds: (performance.now() - began) / 1000, latencies }
    }
  }
  const check = async () => {
    const { missing, extra, different } = await service.request<Record<string, number>>('POST', '/api/v1/operations/lifecycle/verify', {})
    if (missing !== 0 || extra !== 0 || different !== 0) throw new Error('the stream is not what the log says')
  }
  return { contestant, check }
}

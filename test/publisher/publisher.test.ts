// The publisher on a real log and a real Redis: what it writes, and where it goes on after each loss.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, rm } from 'node:fs/promises'
import type { Redis } from 'ioredis'
import t from 'tap'
import { uuidIds } from '../../infra/ids.ts'
import { entryIdOf } from '../../src/domain/lifecycle/entry.ts'
import type { EventStore } from '../../src/ports.ts'
import { nodeArguments } from '../support/compiled.ts'
import { appendDeletion, appendOther, epochsOf, lifecycleEventsOf, published, STREAM, streamFaults, testPublisher, testSign } from '../support/lifecycle.ts'
import { testEventStore } from '../support/eventstore.ts'
import { logOf, testLog } from '../support/log.ts'
import { testRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const DAY = 86_400_000
const sign = testSign
const clean = { missing: 0, extra: 0, different: 0, outOfOrder: 0 }

const deletions = async (events: EventStore, count: number): Promise<void> => { for (let i = 0; i < count; i++) await appendDeletion(events) }

t.test('what is in the log is published, once, in order, and behind whatever else is in the log', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  await Promise.all(Array.from({ length: 600 }, (_, i) => i % 2 === 0 ? appendDeletion(events) : appendOther(events)))
  const begun: Array<bigint | undefined> = []
  const spied: EventStore = { ...events, subscribe: (options) => { begun.push(options.after); return events.subscribe(options) } }
  const first = testPublisher(t, { events: spied, url: server.url })
  await published(events, redis)
  t.strictSame(await streamFaults(events, redis, { sign }), [])
  await appendDeletion(events)
  await published(events, redis)
  t.match(first.status(), { state: 'ready', published: 301, failures: 0, overtaken: 0, lagEntries: 0, lagMs: 0, alarms: [] })
  t.match(await first.verify(), { entries: 301, ...clean })

  // Much that is no lifecycle event: a restart goes on behind it, not behind the last entry.
  const last = (await Promise.all(Array.from({ length: 200 }, () => appendOther(events)))).reduce((a, b) => a > b ? a : b)
  await until(async () => await redis.hget(`${STREAM}:read_to`, 'position') === String(last))
  await first.close()
  testPublisher(t, { events: spied, url: server.url })
  await until(() => begun.length === 2)
  t.strictSame(begun, [undefined, last])

  // A hint that the log does not know, as after an older log was restored, is not believed.
  await redis.hset(`${STREAM}:read_to`, 'event_id', uuidIds.next())
  const third = testPublisher(t, { events: spied, url: server.url })
  await until(() => begun.length === 4)
  t.equal(begun[2], last)
  t.equal(entryIdOf(begun[3] ?? 0n), third.status().tail, 'it reads from the tail instead')
})

t.test('a Redis that lost the stream, or has an older one, gets what it lacks', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  for (let age = 40; age > 25; age--) await appendDeletion(events, new Date(Date.now() - age * DAY + 3_600_000))
  const publisher = testPublisher(t, { events, url: server.url })
  await published(events, redis)
  const young = ({ data }: { data: { occurredAtMs: number } }) => data.occurredAtMs >= Date.now() - 30 * DAY
  const all = await lifecycleEventsOf(events)
  t.equal(await redis.xlen(STREAM), 5, 'the retained window')
  t.strictSame(await streamFaults(events, redis, { sign, from: young }), [], 'chained to the entry before the window')
  t.match(await publisher.verify(), { from: all[9]?.position, entries: 5, ...clean })

  await redis.flushall()
  await published(events, redis)
  t.strictSame(await streamFaults(events, redis, { sign, from: young }), [], 'emptied while nothing happened')

  await server.stop()
  const copy = `${server.folder}.copy`
  await cp(server.folder, copy, { recursive: true })
  await server.start()
  await deletions(events, 20)
  await published(events, redis)
  await server.kill()
  await appendDeletion(events)
  await until(() => publisher.status().state === 'away')
  t.match(publisher.status(), { lagEntries: 1, cause: String })
  t.ok(Number(publisher.status().lagMs) > 0)
  await rm(server.folder, { recursive: true })
  await cp(copy, server.folder, { recursive: true })
  await rm(copy, { recursive: true })
  await server.start()
  await published(events, redis)
  t.strictSame(await streamFaults(events, redis, { sign, from: young }), [], 'an older copy of its data')
  t.match(await publisher.verify(), { entries: 26, ...clean })

  await redis.xtrim(STREAM, 'MAXLEN', 0)
  await appendDeletion(events)
  await published(events, redis)
  t.match(await publisher.verify(), { missing: 26, extra: 0, different: 0, outOfOrder: 0 }, 'emptied entry by entry it is no lost stream: the tail stands')
})

t.test('nothing young: the last entry is there all the same', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  for (let age = 40; age > 35; age--) await appendDeletion(events, new Date(Date.now() - age * DAY))
  testPublisher(t, { events, url: server.url })
  const redis = server.client()
  await published(events, redis)
  const last = (await lifecycleEventsOf(events)).at(-1)
  t.strictSame(await streamFaults(events, redis, { sign, from: ({ id }) => id === last?.id }), [])
})

t.test('any number of publishers', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  const publishers = Array.from({ length: 3 }, () => testPublisher(t, { events, url: server.url, timing: { silenceMs: 60_000 } }))
  for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 25 }, () => appendDeletion(events)))
  await published(events, redis)
  t.strictSame(await streamFaults(events, redis, { sign }), [])
  t.equal(publishers.reduce((sum, publisher) => sum + publisher.status().published, 0), 500)
  t.ok(publishers.reduce((sum, publisher) => sum + publisher.status().overtaken, 0) > 0)
  t.ok(publishers.every((publisher) => publisher.status().fenced === 0 && !publisher.lines.some(({ message }) => message.includes('fenced'))), 'which is no news')
})

const epochFacts = async (events: EventStore): Promise<string[]> => {
  const types: string[] = []
  for await (const { type } of events.readStream('lifecycle-epochs')) types.push(type)
  return types
}

const groupPlaces = async (redis: Redis): Promise<unknown[]> => (await redis.xinfo('GROUPS', STREAM) as unknown[][]).map((group) => [group[1], group[group.indexOf('last-delivered-id') + 1]])

t.test('an entry of somebody else stops it; an epoch makes it right', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  const following = [{ name: 'lobby', group: 'lobby' }, { name: 'mail', group: 'mail' }]
  const { begin, complete } = epochsOf(events, server.url, following)
  const publishers = [1, 2].map(() => testPublisher(t, { events, url: server.url, following, completeEpoch: complete }))
  const [publisher] = publishers
  await deletions(events, 10)
  await published(events, redis)
  const tenth = (await lifecycleEventsOf(events))[9]?.position ?? 0n
  await redis.xgroup('CREATE', STREAM, 'lobby', '0')
  await redis.hset(`${STREAM}:acknowledged`, 'lobby', String(tenth))

  const stray = await redis.xadd(STREAM, '*', 'event_type', 'user.lifecycle.deleted', 'user_id', 'somebody') ?? ''
  await deletions(events, 5)
  await until(() => publishers.every((publisher) => publisher.status().state === 'stopped'))
  t.match(publisher?.status().alarms, [{ reason: 'foreign_entry', message: stray, hint: 'chancery lifecycle epoch' }])
  t.match(publisher?.lines.filter(({ level }) => level === 'error'), [{ message: 'somebody else wrote there' }], 'logged, once')
  t.equal(await redis.xlen(STREAM), 11, 'nothing is written round it')
  t.match(await publisher?.verify(), { missing: 0, extra: 1, samples: [{ kind: 'extra', entryId: stray }] }, 'what waits is late, not missing')

  const { events: [begun] } = await begin()
  t.match(begun, { type: 'lifecycle.epoch_begun', data: { strayEntryId: stray, renamedTo: `${STREAM}:epoch-1`, groups: [{ consumer: 'lobby', position: String(tenth) }, { consumer: 'mail', position: '0' }] } })
  await published(events, redis)
  await until(async () => (await epochFacts(events)).length === 2)
  t.strictSame(await epochFacts(events), ['lifecycle.epoch_begun', 'lifecycle.epoch_completed'], 'two publishers, one outcome')
  t.strictSame(await streamFaults(events, redis, { sign }), [])
  t.equal(await redis.xlen(`${STREAM}:epoch-1`), 11, 'the old one is kept')
  t.strictSame(await groupPlaces(redis), [['lobby', entryIdOf(tenth)], ['mail', '0-0']])
  t.match(publisher?.status(), { state: 'ready', alarms: [] })
  await deletions(events, 3)
  await published(events, redis)
  t.match(await publisher?.verify(), { entries: 18, ...clean })
  const fresh = testPublisher(t, { events, url: server.url, following, completeEpoch: complete })
  await until(() => fresh.status().state === 'ready')
  t.equal(await redis.xlen(STREAM), 18, 'an epoch that is over is not begun again')
})

t.test('killed at any point of publishing and of an epoch, the next one goes on', async (t) => {
  const store = await testEventStore(t)
  const events = await logOf(t, { CHANCERY_EVENTSTORE_URL: store.url })
  const server = await testRedis(t)
  const redis = server.client()
  const run = (failpoint: string) => spawn(process.execPath, [...nodeArguments('test/support/publisher-process.ts'), store.url, server.url, `${failpoint}:kill`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const moments = ['publisher.after_epoch', 'publisher.before_append', 'publisher.after_append', 'append.before:lifecycle.epoch_completed', 'append.after:lifecycle.epoch_completed']
  await deletions(events, 5)
  await epochsOf(events, server.url).begin()
  for (const moment of moments) {
    const child = run(moment)
    t.teardown(() => child.kill('SIGKILL'))
    const [, signal] = await once(child, 'exit') as [number | null, string | null]
    t.equal(signal, 'SIGKILL', moment)
  }
  t.strictSame(await epochFacts(events), ['lifecycle.epoch_begun', 'lifecycle.epoch_completed'])
  await deletions(events, 1)
  const { complete } = epochsOf(events, server.url)
  const publisher = testPublisher(t, { events, url: server.url, completeEpoch: complete })
  await published(events, redis)
  t.strictSame(await streamFaults(events, redis, { sign }), [])
  t.match(publisher.status(), { state: 'ready', alarms: [] })
  t.equal((await epochFacts(events)).length, 2)
})

t.test('a key that is no stream, and a log that is another one', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  const publisher = testPublisher(t, { events, url: server.url })
  await deletions(events, 3)
  await published(events, redis)
  await redis.set(STREAM, 'not a stream')
  await appendDeletion(events)
  await until(() => publisher.status().state === 'stopped')
  await redis.del(STREAM)
  await published(events, redis)
  t.strictSame(await streamFaults(events, redis, { sign }), [])

  const other = await testLog(t)
  await deletions(other, 4)
  t.strictSame((await lifecycleEventsOf(other)).map(({ position }) => position), (await lifecycleEventsOf(events)).map(({ position }) => position))
  const astray = testPublisher(t, { events: other, url: server.url })
  await until(() => astray.status().state === 'stopped')
  t.match(astray.status().alarms, [{ reason: 'foreign_entry' }], 'the same position, another event')
  t.strictSame(await streamFaults(events, redis, { sign }), [])
})

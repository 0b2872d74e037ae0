// What a publisher wrongly believes: that the log was read further than the stream has it, and that an epoch is still to be begun.
import t from 'tap'
import { openLifecycleStream } from '../../infra/redis/stream.ts'
import type { LifecycleStream } from '../../src/lifecycle-stream.ts'
import { lifecycleOperations } from '../../src/publisher/operations.ts'
import type { EventStore } from '../../src/ports.ts'
import { appendDeletion, appendOther, epochsOf, published, STREAM, streamFaults, testPublisher, testSign } from '../support/lifecycle.ts'
import { testLog } from '../support/log.ts'
import { testRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const DAY = 86_400_000
const sign = testSign
const clean = { missing: 0, extra: 0, different: 0, outOfOrder: 0 }

/** An event of the log that is no lifecycle event, as a hint names it. */
const hintOf = async (events: Pick<EventStore, 'at'>, position: bigint) => ({ position: String(position), event_id: (await events.at(position))?.id ?? '' })

t.test('a hint that passes over an event is found out while nothing else happens, and dropped', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  const first = testPublisher(t, { events, url: server.url })
  for (let i = 0; i < 3; i++) await appendDeletion(events)
  await published(events, redis)
  await first.close()
  const tail = (await redis.xrevrange(STREAM, '+', '-', 'COUNT', 1))[0]?.[0] ?? ''
  await appendDeletion(events)
  const beyond = await hintOf(events, await appendOther(events))
  await redis.hset(`${STREAM}:read_to`, { after: tail, ...beyond })

  const misled = testPublisher(t, { events, url: server.url, timing: { noteEveryMs: 20 } })
  await until(() => misled.status().state === 'ready' && misled.status().lagEntries === 0)
  t.equal(await redis.xlen(STREAM), 3, 'it believes the hint')
  t.match(await misled.verify(), { ...clean, missing: 1, samples: [{ kind: 'missing' }] }, 'the comparison looks behind the tail')
  await published(events, redis)
  t.strictSame(await streamFaults(events, redis, { sign }), [], 'and what was passed over is published')
  t.match(await misled.verify(), { entries: 4, ...clean })
  t.strictSame(misled.status().alarms, [])
  await misled.close()

  // Of a stream that is not there.
  await redis.del(STREAM)
  await redis.hset(`${STREAM}:read_to`, { after: '0-0', ...beyond })
  const empty = testPublisher(t, { events, url: server.url, timing: { tendEveryMs: 50 } })
  await published(events, redis)
  t.strictSame(await streamFaults(events, redis, { sign }), [], 'an empty stream likewise, at the comparison of a minute')
  t.ok(empty.lines.some(({ level, message }) => level === 'error' && message.includes('missing')), 'said aloud')
})

t.test('a process that does not publish: what has been waiting for longer than a minute is missing', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  const publisher = testPublisher(t, { events, url: server.url })
  await appendDeletion(events)
  await published(events, redis)
  await publisher.close()
  await appendDeletion(events)
  const stream = openLifecycleStream({ url: server.url, key: STREAM })
  t.teardown(() => { stream.close() })
  const asked = (ms: number) => lifecycleOperations({ events, sign, clock: { now: () => new Date(Date.now() + ms) }, retentionMs: 30 * DAY, consumers: async () => [] }, stream)
  await until(() => stream.state().then(() => true, () => false))
  t.match(await asked(0).verify(), { entries: 1, ...clean }, 'on its way')
  t.match(await asked(120_000).verify(), { entries: 1, ...clean, missing: 1 })
})

t.test('an epoch is not begun again by a publisher that slept through it and the next one', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  const { begin, complete } = epochsOf(events, server.url)
  const publisher = testPublisher(t, { events, url: server.url, completeEpoch: complete })
  for (let i = 0; i < 3; i++) await appendDeletion(events)
  await published(events, redis)
  await publisher.close()
  await begin()

  let wake = () => {}
  const asleep = new Promise<void>((resolve) => { wake = resolve })
  let sleeps = false
  const dozing = (stream: LifecycleStream): LifecycleStream => ({
    ...stream,
    beginAnew: async (order) => {
      sleeps = true
      await asleep
      return stream.beginAnew(order)
    }
  })
  const zombie = testPublisher(t, { events, url: server.url, completeEpoch: complete, around: dozing })
  await until(() => sleeps)
  const other = testPublisher(t, { events, url: server.url, completeEpoch: complete })
  const epochs = async () => {
    const ids = new Set<string>()
    for await (const { id } of events.readStream('lifecycle-epochs')) ids.add(id)
    return ids.size
  }
  await until(async () => await epochs() === 2)
  await begin()
  await until(async () => await epochs() === 4)
  await published(events, redis)
  const kept = await redis.keys(`${STREAM}:epoch-*`)
  await redis.xgroup('CREATE', STREAM, 'lobby', '$')
  wake()
  await until(() => zombie.status().state === 'ready')
  await appendDeletion(events)
  await published(events, redis)
  t.strictSame((await redis.keys(`${STREAM}:epoch-*`)).sort(), kept.sort(), 'nothing more was put aside')
  t.equal((await redis.xinfo('GROUPS', STREAM) as unknown[]).length, 1, 'and the groups are where they were')
  t.strictSame(await streamFaults(events, redis, { sign }), [])
  t.match(other.status(), { state: 'ready', alarms: [] })
})

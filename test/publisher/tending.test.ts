// What tends the stream beside the publishing: the comparison with the log finds every kind of fault, and trimming takes nothing that is needed.
import fc from 'fast-check'
import t from 'tap'
import { openLifecycleStream } from '../../infra/redis/stream.ts'
import { entryIdOf, positionOf } from '../../src/domain/lifecycle/entry.ts'
import type { LifecycleAlarm } from '../../src/lifecycle-stream.ts'
import { trim } from '../../src/publisher/trim.ts'
import { appendDeletion, appendOther, lifecycleEventsOf, published, STREAM, streamFaults, testPublisher, testSign } from '../support/lifecycle.ts'
import { testLog } from '../support/log.ts'
import { testRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const DAY = 86_400_000

t.test('every kind of fault is found, by the comparison of a minute too', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  for (let i = 0; i < 8; i++) {
    await appendDeletion(events)
    await appendOther(events)
  }
  const publisher = testPublisher(t, { events, url: server.url, timing: { tendEveryMs: 20 } })
  await published(events, redis)
  const right = await redis.xrange(STREAM, '-', '+')
  const looked = async (): Promise<object> => {
    const before = publisher.status().verified?.at
    await until(() => publisher.status().verified !== undefined && publisher.status().verified?.at !== before)
    return publisher.status().verified ?? {}
  }
  t.match(await looked(), { entries: Number, missing: 0, extra: 0, different: 0, outOfOrder: 0 })

  const planted: Record<string, { entries: typeof right, finds: object, tail?: string }> = {
    'one is missing': { entries: right.filter((_, i) => i !== 3), finds: { missing: 1, extra: 0, different: 0, outOfOrder: 0, samples: [{ kind: 'missing', entryId: right[3]?.[0] }] } },
    'one too many': {
      entries: right.flatMap(([id, texts], i) => i === 3 ? [[id, texts], [`${id.split('-')[0]}-${Number(id.split('-')[1]) + 1}`, texts.map((text, k) => texts[k - 1] === 'event_id' ? 'other' : text)]] as typeof right : [[id, texts]] as typeof right),
      finds: { missing: 0, extra: 1, different: 0, outOfOrder: 0 }
    },
    'another reason': { entries: right.map(([id, texts], i) => [id, i === 2 ? texts.map((text) => text === 'test' ? 'fraud' : text) : texts]), finds: { missing: 0, extra: 0, different: 1, outOfOrder: 0 } },
    'another MAC': { entries: right.map(([id, texts], i) => [id, i === 2 ? texts.with(-1, `test:${'A'.repeat(43)}`) : texts]), finds: { different: 1 } },
    'one at the wrong place': {
      entries: right.flatMap(([id, texts], i) => i === 3 ? [] : i === 5 ? [[id, texts], [`${id.split('-')[0]}-${Number(id.split('-')[1]) + 1}`, right[3]?.[1] ?? []]] as typeof right : [[id, texts]] as typeof right),
      finds: { missing: 0, extra: 0, different: 0, outOfOrder: 1 }
    }
  }
  for (const [name, { entries, finds }] of Object.entries(planted)) {
    // In one step, so that the publisher never sees it half made.
    const replace = async (list: typeof right) => {
      const all = redis.multi().del(STREAM)
      for (const [id, texts] of list) all.xadd(STREAM, id, ...texts)
      await all.exec()
    }
    await replace(entries)
    // More entries than were added: the comparison of a minute cannot take it for the stream it knows.
    if (entries.length > right.length) await until(() => publisher.status().verified?.extra === 1)
    t.match(await publisher.verify(), finds, name)
    await until(() => publisher.status().alarms.some(({ reason }) => reason === 'mismatch'))
    await replace(right)
    await until(() => publisher.status().alarms.length === 0)
    const [, , third] = right
    await redis.xdel(STREAM, third?.[0] ?? '')
    await until(() => publisher.status().verified?.missing === 1)
    await replace(right)
    await until(() => publisher.status().alarms.length === 0)
  }
  t.strictSame(await streamFaults(events, redis, { sign: testSign }), [])
})

t.test('trimming: what is past its time and acknowledged by all, never the last, never with a strange group', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  for (let age = 40; age > 20; age--) await appendDeletion(events, new Date(Date.now() - age * DAY + DAY / 2))
  const publisher = testPublisher(t, { events, url: server.url, retentionMs: 50 * DAY })
  await published(events, redis)
  await publisher.close()
  const entries = await redis.xrange(STREAM, '-', '+')
  const positions = entries.map(([id]) => positionOf(id) ?? 0n)
  const stream = openLifecycleStream({ url: server.url, key: STREAM })
  t.teardown(() => { stream.close() })
  await until(() => stream.state().then(() => true, () => false))

  const place = fc.integer({ min: -1, max: entries.length - 1 })
  const consumer = fc.record({ at: fc.option(place), hasGroup: fc.boolean() })
  const cases = fc.record({ retentionDays: fc.integer({ min: 15, max: 45 }), consumers: fc.array(consumer, { maxLength: 3 }), stranger: fc.boolean(), retired: fc.boolean(), twice: fc.boolean() })
  const property = fc.asyncProperty(cases, async ({ retentionDays, consumers, stranger, retired, twice }) => {
    const all = redis.multi().del(STREAM, `${STREAM}:acknowledged`)
    for (const [id, texts] of entries) all.xadd(STREAM, id, ...texts)
    if (stranger) all.xgroup('CREATE', STREAM, 'stranger', '0')
    if (retired) all.xgroup('CREATE', STREAM, 'gone', '0').hset(`${STREAM}:acknowledged`, 'gone', '1')
    for (const [i, { at, hasGroup }] of consumers.entries()) {
      if (hasGroup) all.xgroup('CREATE', STREAM, `group-${i}`, '0')
      if (at !== null && at >= 0) all.hset(`${STREAM}:acknowledged`, `consumer-${i}`, String(positions[at]))
    }
    await all.exec()
    let alarms: readonly LifecycleAlarm[] = []
    let trimmed = 0
    const tally = { alarms: (_: string, now: readonly LifecycleAlarm[]) => { alarms = now }, trimmed: (count: number) => { trimmed += count } }
    const deps = {
      clock: { now: () => new Date() }, retentionMs: retentionDays * DAY,
      consumers: async () => consumers.map((_, i) => ({ name: `consumer-${i}`, group: `group-${i}` })),
      // One of them has left its group to a consumer that is registered, if there is one.
      retired: async () => [{ name: 'gone', group: 'gone' }, { name: 'moved', group: 'group-0' }]
    }
    await trim(deps, stream, tally)
    if (twice) await trim(deps, stream, tally)

    const groups = (await redis.xinfo('GROUPS', STREAM) as unknown[][]).map(([, name]) => String(name)).sort()
    const stay = [...stranger ? ['stranger'] : [], ...consumers.flatMap(({ hasGroup }, i) => hasGroup ? [`group-${i}`] : [])].sort()
    if (JSON.stringify(groups) !== JSON.stringify(stay)) throw new Error(`groups ${groups.join()}, expected ${stay.join()}`)
    if (await redis.hexists(`${STREAM}:acknowledged`, 'gone') === 1) throw new Error('what a retired consumer acknowledged is still there')

    const old = entries.filter((_, i) => 40 - i - 0.5 > retentionDays).length
    const acknowledged = Math.min(entries.length, ...consumers.map(({ at }) => (at ?? -1) + 1))
    const goes = stranger ? 0 : Math.min(old, acknowledged, entries.length - 1)
    const left = (await redis.xrange(STREAM, '-', '+')).map(([id]) => id)
    if (JSON.stringify(left) !== JSON.stringify(entries.slice(goes).map(([id]) => id))) throw new Error(`left ${left.length}, expected ${entries.length - goes}`)
    if (trimmed !== goes) throw new Error(`said ${trimmed}`)
    const due = Math.min(old, entries.length - 1)
    const late = consumers.flatMap(({ at }, i) => (at ?? -1) + 1 < due ? [`consumer-${i}`] : [])
    const named = alarms.filter(({ reason }) => reason === 'held_back').map(({ message }) => /consumer-\d/.exec(message)?.[0])
    // After a first cut the stream is shorter, and the same consumers still hold back the same rest.
    if (JSON.stringify(named) !== JSON.stringify(late)) throw new Error(`named ${named.join()}, expected ${late.join()}`)
    if (alarms.some(({ reason }) => reason === 'unknown_group') !== stranger) throw new Error('the strange group')
  })
  const result = await fc.check(property, { numRuns: 60 })
  t.notOk(result.failed, `seed ${result.seed}: ${fc.defaultReportMessage(result) ?? 'holds'}`)
  const log = await lifecycleEventsOf(events)
  t.equal(entryIdOf(log.at(-1)?.position ?? 0n), entries.at(-1)?.[0])
})

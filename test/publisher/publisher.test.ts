// The publisher on a real log and a real Redis: what it writes, and where it goes on after each loss.
import t from 'tap'
import { appendDeletion, appendOther, published, STREAM, streamFaults, testPublisher, testSign } from '../support/lifecycle.ts'
import { testLog } from '../support/log.ts'
import { testRedis } from '../support/redis.ts'

t.test('what is in the log is published, once and in order', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  for (let i = 0; i < 300; i++) await (i % 3 === 0 ? appendDeletion(events) : appendOther(events))
  const publisher = testPublisher(t, { events, url: server.url })
  await published(events, redis)
  t.equal(await redis.xlen(STREAM), 100)
  t.strictSame(await streamFaults(events, redis, { sign: testSign }), [])
  await appendDeletion(events)
  await published(events, redis)
  t.match(publisher.status(), { state: 'ready', published: 101, failures: 0, fenced: 0, lagEntries: 0, lagMs: 0, alarms: [] })
  t.match(await publisher.verify(), { entries: 101, missing: 0, extra: 0, different: 0, outOfOrder: 0 })
})

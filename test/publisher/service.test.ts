// The publisher in the whole service, over HTTP: deletions under load while Redis fails in every way, a zombie that is fenced, and an epoch that is cut off.
import { rm } from 'node:fs/promises'
import type { Redis } from 'ioredis'
import { FormatRegistry } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import { EntryFields } from '../../src/domain/lifecycle/entry.ts'
import { commandLine } from '../cli/command-line.ts'
import { STREAM, streamFaults } from '../support/lifecycle.ts'
import { logOf } from '../support/log.ts'
import { copyOf, makeUsers, redisFailures, remove, removeUnder, type Users } from '../support/deletions.ts'
import { testRedis } from '../support/redis.ts'
import { spawnService, testService } from '../support/service.ts'
import { until } from '../support/until.ts'

const DELETIONS = 50
const LIFECYCLE = '/api/v1/operations/lifecycle'
FormatRegistry.Set('uuid', (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text))

const entries = (redis: Redis): Promise<Array<[string, string[]]>> => redis.xrange(STREAM, '-', '+').catch(() => [])

/** Waits for as many entries, then asks the service itself, by its comparison with the log. */
const settle = async (t: Test, service: Users, redis: Redis, count: number, what: string): Promise<void> => {
  await until(async () => (await entries(redis)).length >= count, 20_000)
  t.match(await service.request('POST', `${LIFECYCLE}/verify`, {}), { status: 200, body: { entries: count, missing: 0, extra: 0, different: 0, out_of_order: 0 } }, what)
}

t.test('fifty deletions under load, and Redis fails among them', async (t) => {
  const server = await testRedis(t)
  const redis = server.client()
  const service = await testService(t, { env: { CHANCERY_REDIS_URL: server.url } })
  const log = await logOf(t, service.env)
  const users = await makeUsers(service, DELETIONS * Object.keys(redisFailures).length + 10)
  for (const id of users.splice(0, 10)) t.equal((await remove(service, id)).status, 200)
  await settle(t, service, redis, 10, 'before anything happens')
  const copy = await copyOf(server)
  let whole = 10
  for (const [name, fail] of Object.entries(redisFailures)) {
    const before = BigInt(((await redis.xrevrange(STREAM, '+', '-', 'COUNT', 1))[0]?.[0] ?? '0-0').split('-')[0] ?? 0)
    const answers = await removeUnder(service, users.splice(0, DELETIONS), () => fail(server, copy))
    t.strictSame(answers, Array(DELETIONS).fill(200), `${name}: every deletion succeeds`)
    whole += DELETIONS
    await settle(t, service, redis, whole, name)
    const fresh = (await entries(redis)).map(([id]) => id).filter((id) => BigInt(id.split('-')[0] ?? 0) > before)
    t.equal(fresh.length, DELETIONS, `${name}: fifty entries`)
    t.strictSame(await streamFaults(log, redis), [], `${name}: the stream is what the log says`)
  }
  await rm(copy, { recursive: true })
  const all = (await entries(redis)).map(([, texts]) => Object.fromEntries(texts.flatMap((text, i) => i % 2 === 0 ? [[text, texts[i + 1]]] : [])))
  t.ok(all.every((fields) => Value.Check(EntryFields, fields)), 'every entry is what the schema of the stream says')
  t.notMatch(JSON.stringify(all), '@', 'nothing personal')

  const chancery = (...words: string[]) => commandLine({ CHANCERY_URL: service.url, CHANCERY_TOKEN: service.token() }, ['lifecycle', ...words])
  t.match(await chancery('verify'), { exit: 0, stdout: `${whole} entries compared: 0 missing, 0 extra, 0 different, 0 out of order.` })
  await redis.xdel(STREAM, (await entries(redis))[7]?.[0] ?? '')
  t.match(await chancery('verify'), { exit: 5, stdout: '1 missing' })
  t.match(await chancery('status'), { exit: 5, stdout: STREAM, stderr: 'chancery lifecycle epoch' })
  t.match(await chancery('epoch', '--stream', 'another', '--reason', 'test'), { exit: 2, stderr: STREAM })
  t.match(await chancery('epoch', '--stream', STREAM, '--reason', 'one entry is missing'), { exit: 0, stdout: `${whole} entries` })
  t.match(await chancery('verify'), { exit: 0 })
  t.match(await chancery('status'), { exit: 0 })

  await server.stop()
  const [lag] = await makeUsers(service, 1)
  await remove(service, lag ?? '')
  await until(async () => Number(((await service.request('GET', '/health/ready')).body['publisher'] as { lag_entries: number }).lag_entries) === 1)
  t.match((await service.request('GET', '/health/ready')).body, { publisher: { status: 'away', lag_entries: 1, lag_ms: Number } })
  t.match((await service.request('GET', LIFECYCLE)).body, { redis: null, publisher: { status: 'away' } })
  t.match(await service.request('POST', `${LIFECYCLE}/verify`, {}), { status: 503, body: { code: 'redis_unavailable' } })
  t.match(await service.request('POST', `${LIFECYCLE}/epoch`, { stream: STREAM, reason: 'test' }), { status: 503, body: { code: 'redis_unavailable' } })
  await until(async () => /^user_event_publication_failures_total [1-9]/m.test((await service.request('GET', '/metrics')).text))
  await server.start()
  await settle(t, service, redis, whole + 1, 'what was late is there')
})

t.test('a zombie is fenced; an epoch that is cut off goes on', async (t) => {
  const server = await testRedis(t)
  const redis = server.client()
  const env = { CHANCERY_REDIS_URL: server.url, CHANCERY_API_PROCESSES: 'many', CHANCERY_LOG_LEVEL: 'info' }
  const zombie = await spawnService(t, { env })
  const other = await spawnService(t, { beside: { ...zombie, env: { ...zombie.env, CHANCERY_HTTP_PORT: '0' } } })
  const ready = async (service: Users) => ((await service.request('GET', '/health/ready')).body['publisher'] as { status: string }).status === 'ready'
  await until(async () => await ready(zombie) && await ready(other))
  const users = await makeUsers(other, 40)
  for (const id of users.splice(0, 10)) t.equal((await remove(other, id)).status, 200)
  await settle(t, other, redis, 10, 'both publish')

  // From here on it lies still: it has read and passed all ten, and an idle look has found it up to date.
  const status = async () => (await zombie.request('GET', LIFECYCLE)).body['publisher'] as Record<'published' | 'overtaken' | 'fenced' | 'lag_entries', number>
  await until(async () => {
    const { published, overtaken, fenced, lag_entries: lag } = await status()
    return lag === 0 && published + overtaken + fenced >= 10
  })
  const count = async () => Number(/^chancery_publisher_fenced_total (\d+)/m.exec((await zombie.request('GET', '/metrics')).text)?.[1])
  const lines = () => (zombie.output() + zombie.complaints()).split('\n').filter((line) => line.includes('held up and is fenced')).length
  const [countBefore, linesBefore] = [await count(), lines()]
  const stoppedAt = performance.now()
  zombie.kill('SIGSTOP')
  for (const id of users.splice(0, 10)) await remove(other, id)
  await until(async () => (await entries(redis)).length === 20)
  await until(() => performance.now() - stoppedAt > 1_500)
  zombie.kill('SIGCONT')
  await until(async () => await count() > countBefore && lines() > linesBefore, 20_000)
  t.match(await count() - countBefore, 10, 'all that it slept through')
  t.equal(lines() - linesBefore, 1, 'and says so once')
  await settle(t, other, redis, 20, 'the stream is right')
  await zombie.stop()
  await other.stop()

  // An epoch, the service killed when it had put the old stream aside.
  const { CHANCERY_FAILPOINT: _, ...plain } = other.env
  const dying = await spawnService(t, { beside: { ...other, env: { ...plain, CHANCERY_FAILPOINT: 'publisher.after_epoch:kill' } } })
  await redis.xadd(STREAM, '*', 'event_type', 'stray')
  t.match(await dying.request('POST', `${LIFECYCLE}/epoch`, { stream: 'another', reason: 'test' }), { status: 400 }, 'the name confirms')
  await dying.request('POST', `${LIFECYCLE}/epoch`, { stream: STREAM, reason: 'a test wrote there' }).catch(() => {})
  t.equal(await dying.exit, 'SIGKILL')
  t.equal(await redis.exists(STREAM), 0)
  const last = await spawnService(t, { beside: { ...other, env: plain } })
  await until(async () => ((await last.request('GET', LIFECYCLE)).body['epochs'] as { open: unknown }).open === null, 20_000)
  await settle(t, last, redis, 20, 'the next one goes on')
  t.match((await last.request('GET', LIFECYCLE)).body, { publisher: { status: 'ready', alarms: [] }, redis: { length: 20, stray_entry_id: null }, epochs: { begun: 1 } })
  t.match(await last.request('GET', '/api/v1/audit/open-intents'), { body: { items: [] } })
})

// The service and its Redis: commands go on while there is none, and it is taken up as soon as there is one.
import { mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import pino from 'pino'
import t from 'tap'
import { openRedisSource } from '../../src/start/redis.ts'
import { redisOnPath, testRedis } from '../support/redis.ts'
import { spawnService, testService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const everything = 'api,projector,reactor,publisher'

interface Ready { status: string, publisher?: { status: string, remarks: string[] } }
const readiness = async (service: TestService): Promise<{ status: number, body: Ready }> => {
  const { status, body } = await service.request('GET', '/health/ready')
  return { status, body: body as unknown as Ready }
}
const publisherIs = (service: TestService, wanted: string) => until(async () => (await readiness(service)).body.publisher?.status === wanted)
/** Once its read models are filled. */
const isReady = (service: TestService) => until(async () => (await readiness(service)).status === 200)
const makePrincipal = async (service: TestService) => (await service.request('POST', '/api/v1/principals', { name: 'probe', kind: 'service' })).status

t.test('a machine that can have no Redis is served without, until it has one', async (t) => {
  // A PATH that a Redis is put on later, and from which apt-get is missing.
  const path = join(t.testdir(), 'path')
  mkdirSync(path)
  const service = await spawnService(t, { env: { CHANCERY_ROLES: everything, PATH: path, CHANCERY_LOG_LEVEL: 'info' } })
  await until(() => service.output().includes('no Redis on this machine'))
  t.match(service.output(), /CHANCERY_REDIS_URL/, 'it says how to get one')
  await isReady(service)
  t.match((await readiness(service)).body.publisher, { status: 'waiting', remarks: [/no Redis on this machine/] })
  t.equal(await makePrincipal(service), 201)

  const program = await redisOnPath(t)
  for (const name of readdirSync(program)) symlinkSync(join(program, name), join(path, name))
  await publisherIs(service, 'ready')
  t.same((await readiness(service)).body.publisher?.remarks, [])
  const { pid } = JSON.parse(readFileSync(join(service.dataDir, 'run', 'redis.json'), 'utf8')) as { pid: number }
  await service.stop()
  t.equal(await service.exit, 0, service.complaints())
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, 'it leaves no process')
})

t.test('a Redis of the settings: away, wrongly set up, or well', async (t) => {
  const redis = await testRedis(t, { settings: ['maxmemory-policy allkeys-lru'] })
  await redis.stop()
  const service = await testService(t, { env: { CHANCERY_REDIS_URL: redis.url } })
  await isReady(service)
  t.match((await readiness(service)).body.publisher, { status: 'away', remarks: [/ECONNREFUSED|does not answer/] })
  t.equal(await makePrincipal(service), 201)
  await redis.start()
  await publisherIs(service, 'ready')
  t.match((await readiness(service)).body.publisher?.remarks, [/noeviction/])
  t.notMatch(JSON.stringify(await readiness(service)), redis.password)
})

t.test('of two processes on one folder one runs Redis, and the other says that it waits', async (t) => {
  const told: string[] = []
  const config = { dataDir: t.testdir(), redisUrl: undefined, toolEnvironment: { PATH: await redisOnPath(t) } }
  const open = () => {
    const source = openRedisSource({ config, logger: pino({ level: 'silent' }), tell: (sentence) => { told.push(sentence) } })
    t.teardown(() => source.close())
    return source
  }
  const one = open()
  const url = await one.whenUrl(new AbortController().signal)
  t.equal(one.url(), url)
  const other = open()
  await until(() => told.length > 0)
  t.match(told, [/redis is in use by another Chancery/])
  t.equal(other.state(), 'waiting')
  const giveUp = new AbortController()
  const waiting = other.whenUrl(giveUp.signal)
  giveUp.abort(new Error('given up'))
  await t.rejects(waiting, { message: 'given up' })
  await t.rejects(other.whenUrl(giveUp.signal), { message: 'given up' })
})

t.test('a process that does not publish starts none and speaks of none', async (t) => {
  const service = await testService(t)
  t.notOk('publisher' in (await readiness(service)).body)
  t.notOk(readdirSync(service.dataDir).includes('redis'))
})

// The service on a bare machine: its own stores, started, stopped, killed and started again with the same data.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { markOf, type ProcessMark } from '../../infra/local/children/processes.ts'
import { anotherUser, NOBODY } from '../support/another-user.ts'
import { redisOnPath } from '../support/redis.ts'
import { launchService, spawnService, type SpawnedService } from '../support/service.ts'
import { until } from '../support/until.ts'

const childrenOf = ({ dataDir }: { dataDir: string }): Record<'postgres' | 'eventstore' | 'redis', ProcessMark> => {
  const read = (name: string) => JSON.parse(readFileSync(join(dataDir, 'run', `${name}.json`), 'utf8')) as ProcessMark
  return { postgres: read('postgres'), eventstore: read('eventstore'), redis: read('redis') }
}
const sessionOf = (pid: number): string | undefined => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3]
const gone = ({ pid, began }: ProcessMark): boolean => markOf(pid)?.began !== began

const makePrincipal = async (service: SpawnedService, name: string): Promise<string> => {
  const { status, body, text } = await service.request('POST', '/api/v1/principals', { name, kind: 'service' })
  t.equal(status, 201, text)
  return String(body['principal_id'])
}
const works = async (service: SpawnedService): Promise<boolean> =>
  (await service.request('POST', '/api/v1/principals', { name: 'probe', kind: 'service' }).catch(() => undefined))?.status === 201

t.test('the life of a service with its own stores', async (t) => {
  const env = { CHANCERY_LOG_LEVEL: 'info', CHANCERY_ROLES: 'api,projector,reactor,publisher', PATH: `${await redisOnPath(t)}:/usr/bin:/bin` }
  // Redis comes up behind the start.
  const withRedis = async (service: SpawnedService): Promise<SpawnedService> => {
    await until(async () => (await service.request('GET', '/health/ready')).text.includes('"publisher":{"status":"ready"'))
    return service
  }
  const first = await withRedis(await spawnService(t, { stores: 'local', env }))
  const tokenFile = join(first.dataDir, 'superadmin.token')
  let principal = ''

  t.test('the first start says where it is and shows the token once', async (t) => {
    t.match(first.output(), /^Chancery is ready at http:\/\/127\.0\.0\.1:\d+/)
    t.ok(first.output().includes(`  ${first.token()}\n`))
    t.equal(statSync(tokenFile).mode & 0o777, 0o600)
    t.equal(statSync(join(first.dataDir, 'master.key')).mode & 0o777, 0o600)
    t.equal(first.output().match(/^ {2}(TOKEN=|.*curl )/gm)?.length, 3, 'three lines to paste')
    t.notMatch(first.complaints(), 'chy_', 'the token is in no log line')
    principal = await makePrincipal(first, 'kept')
  })

  t.test('a second service on the folder is refused and does no harm', async (t) => {
    const second = await launchService(t, { beside: first })
    t.equal(await second.exit, 1)
    t.match(second.complaints(), `The data folder ${first.dataDir} is in use by another Chancery (process ${first.pid}).`)
    t.notMatch(second.complaints(), /\n {4}at /)
    t.ok(await works(first))
  })

  t.test('a child that is killed is started again, and the service goes on', async (t) => {
    for (const name of ['postgres', 'eventstore', 'redis'] as const) {
      const before = childrenOf(first)[name]
      process.kill(before.pid, 'SIGKILL')
      await until(() => childrenOf(first)[name].pid !== before.pid)
      await until(() => works(first))
      t.pass(`${name} is back`)
    }
    t.match(first.complaints(), /ended by itself and is started again/)
  })

  t.test('Ctrl-C reaches only the service, and leaves no process', async (t) => {
    const children = Object.values(childrenOf(first))
    for (const { pid } of children) t.equal(sessionOf(pid), String(pid), 'a session of its own')
    first.kill('SIGINT')
    first.kill('SIGINT')
    t.equal(await first.exit, 0, first.complaints())
    t.ok(children.every(gone))
    t.notOk(existsSync(join(first.dataDir, 'run', 'postgres.json')))
  })

  t.test('the next start goes on with the same data and shows no token', async (t) => {
    const second = await withRedis(await spawnService(t, { beside: first }))
    t.notMatch(second.output(), 'chy_')
    const { status, body } = await second.request('GET', `/api/v1/principals/${principal}`)
    t.equal(status, 200)
    t.equal(body['name'], 'kept', 'sealed values open with the same keys')

    const orphans = Object.values(childrenOf(second))
    second.kill('SIGKILL')
    t.equal(await second.exit, 'SIGKILL')
    t.notOk(orphans.some(gone), 'kill -9 leaves the children behind')

    const third = await withRedis(await spawnService(t, { beside: second }))
    t.equal(third.complaints().match(/was left running by an earlier run/g)?.length, 3, third.complaints())
    t.ok(orphans.every(gone))
    t.equal((await third.request('GET', `/api/v1/principals/${principal}`)).status, 200)
    await third.stop()
    t.equal(await third.exit, 0, third.complaints())
  })
})

t.test('an ordinary user starts it too', { skip: anotherUser }, async (t) => {
  const service = await spawnService(t, { stores: 'local', uid: NOBODY, env: { CHANCERY_LOG_LEVEL: 'error' } })
  t.equal((await service.request('GET', '/api/v1/me')).status, 200)
  t.equal(statSync(join(service.dataDir, 'superadmin.token')).uid, NOBODY)
  await service.stop()
  t.equal(await service.exit, 0, service.complaints())
})

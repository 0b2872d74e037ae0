// Redis: fetched where there is none, run on data of its own, looked at before it is relied upon, and given up soon when it is silent.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { supervise } from '../../infra/local/children/supervise.ts'
import { fetchProgram } from '../../infra/local/redis/fetch.ts'
import { openLocalRedis, provideProgram } from '../../infra/local/redis/index.ts'
import { checkRedis, factsOf, judge } from '../../infra/redis/checks.ts'
import { openRedis } from '../../infra/redis/index.ts'
import { watchRedis } from '../../infra/redis/watch.ts'
import { StartError } from '../../src/start-error.ts'
import { redisProgram, testRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const never = new AbortController().signal
const hasApt = spawnSync('apt-get', ['--version']).status === 0 && spawnSync('dpkg-deb', ['--version']).status === 0

/** A folder to be the whole PATH: everything of this system but a Redis. */
const pathWithoutRedis = (t: Test): string => {
  const folder = join(t.testdir(), 'path')
  mkdirSync(folder)
  for (const from of ['/usr/bin', '/bin', '/usr/sbin', '/sbin']) {
    if (!existsSync(from)) continue
    for (const name of readdirSync(from)) {
      if (!/^(redis|valkey)-/.test(name) && !existsSync(join(folder, name))) symlinkSync(join(from, name), join(folder, name))
    }
  }
  return folder
}

t.test('a machine without Redis', async (t) => {
  const PATH = pathWithoutRedis(t)
  const options = { folder: join(t.testdirName, 'redis', 'program'), tools: { PATH }, say: () => {}, signal: never }

  t.test('fetches one, with or without package lists, also when two begin at once', { skip: hasApt ? false : 'only on Debian and Ubuntu' }, async (t) => {
    const said: string[] = []
    const config = join(t.testdir(), 'apt.conf')
    mkdirSync(join(t.testdirName, 'lists', 'partial'), { recursive: true })
    writeFileSync(config, `Dir::State::Lists "${t.testdirName}/lists";\n`)
    const unlisted = { ...options, tools: { PATH, APT_CONFIG: config }, say: (sentence: string) => { said.push(sentence) } }
    const [one, other] = await Promise.all([provideProgram(options), provideProgram(unlisted)])
    t.match(one.version, /^(Redis|Valkey) \d/)
    t.ok(one.path.startsWith(options.folder))
    t.same(one, other)
    t.match(said.join('\n'), /package lists.*\n(.*\n)*.* is fetched\.$/)
    t.same(readdirSync(join(options.folder, '..')), ['program'], 'nothing half made is left')
    t.same(await provideProgram({ ...options, tools: { PATH: '/nowhere' } }), one, 'and it is found again')
  })

  t.test('says how to get one where it cannot be fetched', async (t) => {
    const error = await provideProgram({ ...options, folder: join(t.testdir(), 'program'), tools: { PATH: '/nowhere' } }).catch((error: unknown) => error)
    t.ok(error instanceof StartError)
    t.match(error, { message: /no Redis on this machine, and without apt-get/, waysOut: [/install Redis/, /CHANCERY_REDIS_URL/] })
  })

  t.test('stops fetching when it is told to, and leaves nothing', { skip: !hasApt }, async (t) => {
    const stopping = new AbortController()
    const fetching = fetchProgram({ ...options, folder: join(t.testdir(), 'program'), say: () => { setImmediate(() => { stopping.abort() }) }, signal: stopping.signal })
    await t.rejects(fetching, { name: 'AbortError' })
    t.same(readdirSync(t.testdirName), [])
  })
})

t.test('the local server keeps its data, its port and its secret over a kill', async (t) => {
  const home = join(t.testdir(), 'redis')
  const logFile = join(t.testdirName, 'redis.log')
  const program = await redisProgram()
  const open = (port = 0) => openLocalRedis({ home, program, logFile, port })
  const kept = await supervise({ name: 'Redis', key: 'redis', signals: { ask: 'SIGTERM', force: 'SIGKILL' }, start: open }, { runFolder: t.testdirName, say: () => {} })
  t.teardown(() => kept.stop())
  const { url, pid } = kept.first
  const client = openRedis({ url, name: 'test' })
  t.teardown(() => { client.disconnect() })
  const asks = async <T>(ask: () => Promise<T>): Promise<T> => {
    await until(() => ask().then(() => true, () => false))
    return await ask()
  }
  t.equal(await asks(() => client.set('key', 'value')), 'OK')
  t.match(factsOf(await client.info()).get('aof_enabled'), '1')
  t.same(await checkRedis(client), [])
  t.match(await client.call('CONFIG', 'GET', 'bind'), ['bind', '127.0.0.1'])
  t.notOk(['cmdline', 'environ'].some((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8').includes(new URL(url).password)), 'the password is seen by nobody')
  t.equal(statSync(join(home, 'url')).mode & 0o777, 0o600)
  t.equal(readFileSync(join(home, 'url'), 'utf8').trim(), url)
  const stranger = new Redis({ port: kept.first.port, retryStrategy: null })
  stranger.on('error', () => {})
  await t.rejects(stranger.get('key'), /NOAUTH/)
  stranger.disconnect()

  process.kill(pid, 'SIGKILL')
  await until(() => kept.pid() !== pid)
  t.equal(await asks(() => client.get('key')), 'value')
  await kept.stop()
  t.notMatch(readFileSync(logFile, 'utf8'), new URL(url).password)

  const again = await open()
  t.equal(again.url, url, 'the next run has the same address')
  await again.stop()
  const squatter = createServer().listen(again.port, '127.0.0.1')
  t.teardown(() => { squatter.close() })
  const elsewhere = await open()
  t.not(elsewhere.port, again.port, 'unless somebody else has the port')
  await elsewhere.stop()
})

t.test('what is wrong with a server is said plainly', async (t) => {
  const well = { redis_version: '7.0.15', role: 'master', maxmemory_policy: 'noeviction', aof_enabled: '1', aof_last_write_status: 'ok' }
  const cases: ReadonlyArray<readonly [facts: Record<string, string>, remarks: RegExp[]]> = [
    [{}, []],
    [{ redis_version: '10.2.1' }, []],
    [{ redis_version: '6.2.14' }, [/Redis 6\.2\.14 is older than 7/]],
    [{ redis_version: '6.2.14', valkey_version: '8.1.1' }, []],
    [{ role: 'slave' }, [/replica/]],
    [{ maxmemory_policy: 'volatile-ttl' }, [/maxmemory-policy volatile-ttl\): set maxmemory-policy noeviction/]],
    [{ aof_enabled: '0' }, [/Set appendonly yes/]],
    [{ aof_last_write_status: 'err' }, [/disk may be full/]]
  ]
  for (const [facts, remarks] of cases) t.match(judge(new Map(Object.entries({ ...well, ...facts }))), remarks, JSON.stringify(facts))
  for (const [facts, remarks] of cases) t.equal(judge(new Map(Object.entries({ ...well, ...facts }))).length, remarks.length, JSON.stringify(facts))

  const redis = await testRedis(t, { settings: ['maxmemory-policy allkeys-lru', 'appendonly no'] })
  const told: string[] = []
  const changes: string[] = []
  const watch = watchRedis(redis.url, { onChange: (state) => { changes.push(state) }, onRemark: (remark) => { told.push(remark) } })
  t.teardown(() => { watch.stop() })
  await until(() => watch.state() === 'ready')
  t.match(watch.remarks(), [/allkeys-lru/, /appendonly yes/])
  redis.pause()
  await until(() => watch.state() === 'away')
  t.match(watch.remarks(), [/does not answer/])
  redis.resume()
  await until(() => watch.state() === 'ready')
  await redis.kill()
  await until(() => watch.state() === 'away')
  await redis.start()
  await until(() => watch.state() === 'ready')
  t.same(changes.slice(-5), ['ready', 'away', 'ready', 'away', 'ready'])
  t.equal(told.length, 2, 'each remark once')
})

t.test('a connection fails soon, and tells no password', async (t) => {
  const redis = await testRedis(t)
  const errors: Error[] = []
  const open = (url: string) => {
    const client = openRedis({ url, name: 'test', silenceMs: 200, onError: (error) => { errors.push(error) } })
    t.teardown(() => { client.disconnect() })
    return client
  }
  const client = open(redis.url)
  t.equal(await client.ping(), 'PONG', 'what is asked first waits for the connection')
  redis.pause()
  const began = Date.now()
  await t.rejects(client.ping())
  t.ok(Date.now() - began < 1_500, 'a silent server is given up')
  redis.resume()
  await until(() => client.ping().then(() => true, () => false))

  await redis.kill()
  await until(() => client.status !== 'ready')
  await t.rejects(client.ping(), /enableOfflineQueue/, 'nothing piles up')
  const early = open(redis.url)
  await t.rejects(early.ping(), /retries/, 'not even before the first attempt has failed')
  await t.rejects(early.ping(), /enableOfflineQueue/)
  await redis.start()

  const secret = `canary-${redis.password}`
  open(redis.url.replace(redis.password, secret))
  await until(() => errors.some(({ message }) => message.startsWith('WRONGPASS')))
  const { inspect } = await import('node:util')
  t.notMatch(inspect(errors, { depth: 9, showHidden: true }), secret)
})

// Settings: defaults, forms, rules between them, and messages that name every mistake without its value.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import t from 'tap'
import { StartError } from '../src/start-error.ts'
import { readConfig } from '../src/config.ts'
import { settingsSchema } from '../src/config-schema.ts'

const mistakes = (env: Record<string, string>): readonly string[] => {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    return error.waysOut.slice(0, -1)
  }
}

t.test('nothing set: everything local, on loopback', async (t) => {
  const config = readConfig({ PATH: '/bin', HOME: '/root' })
  t.notOk('HOME' in config.toolEnvironment)
  t.match(config, {
    eventStoreUrl: undefined,
    postgresUrl: undefined,
    http: { host: '127.0.0.1', port: 8420, tls: undefined, trustedProxies: [] },
    dataDir: resolve('data'),
    namespace: '',
    publicUrl: 'http://localhost:8420',
    apiProcesses: 'single',
    roles: new Set(['api', 'projector', 'reactor', 'publisher']),
    redisUrl: undefined,
    lifecycleStream: 'user:lifecycle_events',
    lifecycleRetentionMs: 2_592_000_000,
    toolEnvironment: { PATH: '/bin' },
    ghostGraceMs: 300_000,
    linkTtlMs: 86_400_000,
    purgeAfterMs: 2_592_000_000,
    accounts: undefined,
    logLevel: 'info'
  })
})

t.test('what is set is read, and an empty value is none', async (t) => {
  const config = readConfig({
    CHANCERY_HTTP_PORT: '9000', CHANCERY_ROLES: 'api,projector', CHANCERY_LINK_TTL_HOURS: '0.5', CHANCERY_NAMESPACE: '', CHANCERY_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
    CHANCERY_ACCOUNTS_URL: 'https://accounts.internal/', CHANCERY_ACCOUNTS_TOKEN: 'chy_x', CHANCERY_HTTP_HOST: '0.0.0.0', CHANCERY_URL: 'http://elsewhere', CHANCERY_TOKEN: 'x'
  })
  t.match(config, {
    http: { port: 9000, host: '0.0.0.0', trustedProxies: ['10.0.0.0/8', '::1'] }, publicUrl: 'http://localhost:9000', roles: new Set(['api', 'projector']),
    linkTtlMs: 1_800_000, namespace: '', accounts: { url: 'https://accounts.internal', token: 'chy_x' }
  })
  t.throws(() => { (config as { dataDir: string }).dataDir = '/elsewhere' }, TypeError, 'frozen')
  t.throws(() => { (config.http as { port: number }).port = 1 }, TypeError, 'frozen')
})

t.test('the namespace stands before the stream', async (t) => {
  t.equal(readConfig({ CHANCERY_NAMESPACE: 'staging' }).lifecycleStream, 'staging:user:lifecycle_events')
  t.equal(readConfig({ CHANCERY_NAMESPACE: 'staging', CHANCERY_LIFECYCLE_STREAM: 'x' }).lifecycleStream, 'staging:x')
})

t.test('each mistake is named', async (t) => {
  const cases: ReadonlyArray<readonly [env: Record<string, string>, message: RegExp]> = [
    [{ CHANCERY_HTPP_PORT: '1' }, /^CHANCERY_HTPP_PORT: there is no such setting; did you mean CHANCERY_HTTP_PORT\?$/],
    [{ CHANCERY_POSTGRES: 'x' }, /did you mean CHANCERY_POSTGRES_URL\?$/],
    [{ CHANCERY_HTTP_PORT: '65536' }, /^CHANCERY_HTTP_PORT must be <= 65535; for example 8420/],
    [{ CHANCERY_HTTP_PORT: '84.2' }, /^CHANCERY_HTTP_PORT must be integer/],
    [{ CHANCERY_EVENTSTORE_URL: 'http://x' }, /^CHANCERY_EVENTSTORE_URL has not the form that is expected; for example esdb:\/\//],
    [{ CHANCERY_POSTGRES_URL: 'mysql://hidden@x' }, /^CHANCERY_POSTGRES_URL has not the form/],
    [{ CHANCERY_REDIS_URL: 'http://hidden@x' }, /^CHANCERY_REDIS_URL has not the form that is expected; for example rediss:\/\//],
    [{ CHANCERY_LIFECYCLE_STREAM: 'with space' }, /^CHANCERY_LIFECYCLE_STREAM has not the form/],
    [{ CHANCERY_NAMESPACE: 'a.b' }, /^CHANCERY_NAMESPACE has not the form/],
    [{ CHANCERY_ROLES: 'api,printer' }, /^CHANCERY_ROLES has not the form/],
    [{ CHANCERY_API_PROCESSES: 'few' }, /^CHANCERY_API_PROCESSES must be one of single, many/],
    [{ CHANCERY_MASTER_KEY: 'short' }, /^CHANCERY_MASTER_KEY has not the form/],
    [{ CHANCERY_MASTER_KEY: 'ab'.repeat(32), CHANCERY_MASTER_KEY_FILE: 'f' }, /exclude each other/],
    [{ CHANCERY_TLS_CERT: 'c' }, /^CHANCERY_TLS_CERT and CHANCERY_TLS_KEY go together/],
    [{ CHANCERY_ACCOUNTS_URL: 'http://x' }, /^CHANCERY_ACCOUNTS_URL and CHANCERY_ACCOUNTS_TOKEN go together/],
    [{ CHANCERY_TRUSTED_PROXIES: '10.0.0.0/33' }, /^CHANCERY_TRUSTED_PROXIES: "10\.0\.0\.0\/33" is neither/],
    [{ CHANCERY_TRUSTED_PROXIES: '10.0.0.0/8/8' }, /is neither/],
    [{ CHANCERY_PUBLIC_URL: 'http://127.0.0.1:8420' }, /^CHANCERY_PUBLIC_URL needs a host name/],
    [{ CHANCERY_PUBLIC_URL: 'https://[::1]' }, /^CHANCERY_PUBLIC_URL needs a host name/],
    [{ CHANCERY_PUBLIC_URL: 'http://accounts.example.com' }, /^CHANCERY_PUBLIC_URL must be https/],
    [{ CHANCERY_PUBLIC_URL: 'https://example.com/accounts' }, /^CHANCERY_PUBLIC_URL may hold no path/],
    [{ CHANCERY_ACCOUNTS_URL: 'http://accounts.internal', CHANCERY_ACCOUNTS_TOKEN: 'x' }, /^CHANCERY_ACCOUNTS_URL must be https/],
    [{ CHANCERY_HTTP_HOST: '0.0.0.0' }, /^CHANCERY_HTTP_HOST is not a loopback address/],
    [{ CHANCERY_HTTP_HOST: '::' }, /^CHANCERY_HTTP_HOST is not a loopback address/],
    [{ CHANCERY_HTTP_HOST: '127.evil.example' }, /^CHANCERY_HTTP_HOST is not a loopback address/],
    [{ CHANCERY_FAILPOINT: 'append.during:x:kill' }, /^CHANCERY_FAILPOINT has not the form/]
  ]
  for (const [env, message] of cases) t.match(mistakes(env), [message], JSON.stringify(env))
  const all = mistakes(Object.fromEntries(cases.slice(0, 9).flatMap(([env]) => Object.entries(env))))
  t.equal(all.length, 8, 'all at once, one line each')
  t.notMatch(all.join('\n'), 'hidden', 'without the values')
})

t.test('loopback, TLS or a named proxy make a host acceptable', async (t) => {
  for (const host of ['localhost', '127.8.9.1', '::1']) t.same(mistakes({ CHANCERY_HTTP_HOST: host }), [])
  t.same(mistakes({ CHANCERY_HTTP_HOST: '0.0.0.0', CHANCERY_TLS_CERT: 'c', CHANCERY_TLS_KEY: 'k' }), [])
  t.same(mistakes({ CHANCERY_HTTP_HOST: '0.0.0.0', CHANCERY_TRUSTED_PROXIES: '10.1.2.3' }), [])
})

t.test('.env.example names every setting, and as it stands it is valid', async (t) => {
  const lines = readFileSync('.env.example', 'utf8').split('\n').filter((line) => line.startsWith('#CHANCERY_'))
  t.same(lines.map((line) => line.slice(1).split('=')[0]), Object.keys(settingsSchema.properties))
})

t.test('a .env in the working folder is read, below the environment', async (t) => {
  const folder = t.testdir({ '.env': 'CHANCERY_HTTP_PORT=9001\nCHANCERY_MAIL_FROM="Ada <ada@example.com>"\nCHANCERY_LOG_LEVEL=warn\n' })
  const home = process.cwd()
  process.chdir(folder)
  process.env['CHANCERY_LOG_LEVEL'] = 'debug'
  t.teardown(() => {
    process.chdir(home)
    delete process.env['CHANCERY_LOG_LEVEL']
  })
  t.match(readConfig(), { http: { port: 9001 }, mailFrom: 'Ada <ada@example.com>', logLevel: 'debug' })
})

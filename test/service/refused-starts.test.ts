// Starts that must fail: one clear message with what to do, exit code 1, no stack trace, nothing left behind.
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { anotherUser, NOBODY } from '../support/another-user.ts'
import { launchService, testService } from '../support/service.ts'
import { testDatabase } from '../support/postgres.ts'

const refused = async (t: Test, env: Record<string, string>, message: RegExp | string, options: Parameters<typeof launchService>[1] = {}) => {
  const service = await launchService(t, { stores: 'local', ...options, env })
  t.equal(await service.exit, 1)
  t.match(service.complaints(), message)
  t.notMatch(service.complaints(), /^ +at /m, 'no stack trace')
  t.equal(service.output(), '')
  return service
}

/** A port on which something else listens. */
const takenPort = async (t: Test): Promise<number> => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return (server.address() as AddressInfo).port
}

t.test('wrong settings are told all at once', async (t) => {
  const { complaints, dataDir } = await refused(t, {
    CHANCERY_HTTP_PORT: 'many', CHANCERY_HTTP_HSOT: '127.0.0.1', CHANCERY_LOG_LEVEL: 'loud', CHANCERY_POSTGRES_URL: 'mysql://secret@db'
  }, /^4 settings are wrong:/)
  t.match(complaints(), /CHANCERY_HTTP_HSOT: there is no such setting; did you mean CHANCERY_HTTP_HOST\?/)
  t.match(complaints(), /CHANCERY_HTTP_PORT must be integer/)
  t.match(complaints(), /CHANCERY_LOG_LEVEL must be one of trace/)
  t.match(complaints(), /CHANCERY_POSTGRES_URL has not the form/)
  t.notMatch(complaints(), /secret/, 'values are not repeated')
  t.notOk(existsSync(join(dataDir, 'run')))
})

t.test('a port in use', async (t) => {
  const port = await takenPort(t)
  const { dataDir } = await refused(t, { CHANCERY_HTTP_PORT: String(port) },
    `Port ${port} on 127.0.0.1 is in use by another program.\n  - stop that one\n  - or choose another port: CHANCERY_HTTP_PORT=8420`)
  t.notOk(existsSync(join(dataDir, 'postgres')), 'nothing else was started')
})

t.test('a host that other machines reach, without TLS', async (t) => {
  await refused(t, { CHANCERY_HTTP_HOST: '0.0.0.0' }, /CHANCERY_HTTP_HOST is not a loopback address.*CHANCERY_TLS_CERT.*CHANCERY_TRUSTED_PROXIES/)
})

t.test('servers that are not there', async (t) => {
  const port = await takenPort(t)
  const { url } = await testDatabase(t)
  await Promise.all([
    refused(t, { CHANCERY_POSTGRES_URL: 'postgres://me:hidden@127.0.0.1:1/x', CHANCERY_EVENTSTORE_URL: 'esdb://127.0.0.1:1?tls=false' },
      /^Postgres at 127\.0\.0\.1:1 cannot be used: it cannot be reached \(ECONNREFUSED\)\.\n/),
    refused(t, { CHANCERY_POSTGRES_URL: url, CHANCERY_EVENTSTORE_URL: `esdb://127.0.0.1:${port}?tls=false` },
      new RegExp(`^The event store at 127\\.0\\.0\\.1:${port} does not answer\\.\n`))
  ])
  const wrong = url.replace(/:[^:@]+@/, ':hidden@')
  const { complaints } = await refused(t, { CHANCERY_POSTGRES_URL: wrong, CHANCERY_EVENTSTORE_URL: 'esdb://127.0.0.1:1?tls=false' }, /it refuses the user or the password/)
  t.notMatch(complaints(), 'hidden')
})

t.test('a folder that cannot be used', async (t) => {
  const folder = t.testdir({ file: '' })
  await refused(t, { CHANCERY_DATA_DIR: join(folder, 'file') }, /^The data folder .* cannot be used: it is a file\.\n/)
  t.test('without the right to write', { skip: anotherUser }, async (t) => {
    chmodSync(folder, 0o755)
    await refused(t, { CHANCERY_DATA_DIR: folder }, /^The data folder .* cannot be used: this account may not write there\.\n/, { uid: NOBODY, cwd: '/' })
  })
})

t.test('another master key', async (t) => {
  const service = await testService(t)
  await service.stop()
  await refused(t, { CHANCERY_MASTER_KEY: '11'.repeat(32) }, /master key/i, { beside: service })
})

t.test('a second single process, and single beside many', async (t) => {
  const service = await testService(t, { env: { CHANCERY_API_PROCESSES: 'many' } })
  await refused(t, { CHANCERY_API_PROCESSES: 'single' }, /single/, { beside: service })
  const other = await testService(t, { beside: service })
  t.equal((await other.request('GET', '/api/v1/me')).status, 200)
})

t.test('a data folder of another Postgres', async (t) => {
  const service = await launchService(t, { stores: 'local' })
  const folder = join(service.dataDir, 'postgres', 'cluster')
  await service.stop()
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'PG_VERSION'), '12\n')
  await refused(t, {}, /was made by Postgres 12; this is Postgres 18/, { beside: service })
})

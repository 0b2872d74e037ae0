// The local Postgres: made, reached, stopped and started again; as root in a closed folder, and as an ordinary user.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import t, { type Test } from 'tap'
import { chooseAccount } from '../../../infra/local/postgres/account.ts'
import { openPostgres } from '../../../infra/local/postgres/index.ts'
import { StartError } from '../../../src/start-error.ts'
import { anotherUser, NOBODY } from '../../support/another-user.ts'
import { testDatabase } from '../../support/postgres.ts'

const root = process.getuid?.() === 0
const namespaces = spawnSync('unshare', ['--user', '--map-user=1', '--map-group=1', 'true']).status === 0

const folder = (t: Test, mode: number): string => {
  const path = mkdtempSync(join(tmpdir(), 'chancery-postgres-'))
  chmodSync(path, mode)
  t.teardown(() => { rmSync(path, { recursive: true, force: true }) })
  return path
}

const ask = async <R extends pg.QueryResultRow>(url: string, sql: string): Promise<R[]> => {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<R>(sql)).rows
  } finally {
    await client.end()
  }
}

t.test('each test gets an empty database of its own', async (t) => {
  const [one, other] = await Promise.all([testDatabase(t), testDatabase(t)])
  await ask(one.url, 'create table x (y int)')
  t.same(await ask(other.url, "select 1 from pg_class where relname = 'x'"), [])
})

t.test('it is made once, keeps its data and its password, and lets nobody in without it', async (t) => {
  const home = join(folder(t, 0o700), 'postgres')
  const first = await openPostgres({ home })
  t.teardown(() => first.stop())
  await ask(first.url, 'create table kept as select 7 as n')
  const settings = await ask<{ name: string, setting: string }>(first.url,
    "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'listen_addresses', 'unix_socket_directories') order by name")
  t.same(Object.fromEntries(settings.map(({ name, setting }) => [name, setting])),
    { fsync: 'on', synchronous_commit: 'on', listen_addresses: '127.0.0.1', unix_socket_directories: '' })
  await t.rejects(ask(first.url.replace(/:[^:@]+@/, ':wrong@'), 'select 1'), { code: '28P01' })
  t.equal(statSync(home).mode & 0o777, 0o700)
  t.equal(statSync(join(home, 'password')).mode & 0o777, 0o600)
  await first.stop()

  const second = await openPostgres({ home })
  t.teardown(() => second.stop())
  t.equal(new URL(second.url).password, new URL(first.url).password)
  t.same(await ask(second.url, 'select n from kept'), [{ n: 7 }])
  await second.stop()
})

t.test('an interrupted first start leaves nothing in the way of the next', async (t) => {
  const home = join(folder(t, 0o700), 'postgres')
  mkdirSync(join(home, 'cluster.unfinished'), { recursive: true })
  writeFileSync(join(home, 'cluster.unfinished', 'half'), 'made')
  const server = await openPostgres({ home, durable: false })
  t.teardown(() => server.stop())
  t.same(await ask(server.url, 'select 1 as n'), [{ n: 1 }])
  await server.stop()
  t.notOk(existsSync(join(home, 'cluster.unfinished')))

  writeFileSync(join(home, 'cluster', 'PG_VERSION'), '12\n')
  await t.rejects(openPostgres({ home }), { name: 'StartError', message: /made by Postgres 12/ }, 'data of another major version is named')
})

t.test('what Postgres complains about is passed on', async (t) => {
  const home = join(folder(t, 0o700), 'postgres')
  const server = await openPostgres({ home, durable: false })
  t.teardown(() => server.stop())
  await t.rejects(openPostgres({ home: join(folder(t, 0o700), 'postgres'), durable: false, port: server.port }),
    { name: 'StartError', message: /Postgres did not start/ }, 'a port in use')
  await server.stop()
})

t.test('root', { skip: root ? false : 'needs root' }, async (t) => {
  t.test('in a folder that nobody else may enter', { skip: namespaces ? false : 'the kernel permits no user namespaces' }, async (t) => {
    const home = join(folder(t, 0o700), 'postgres')
    const server = await openPostgres({ home, durable: false })
    t.teardown(() => server.stop())
    t.same(await ask(server.url, 'select 1 as n'), [{ n: 1 }])
    t.equal(statSync(`/proc/${server.pid}`).uid, 0, 'outside its namespace it is still root, so its files are root\'s')
    await server.stop()
  })

  t.test('without user namespaces, under another account', { skip: anotherUser }, async (t) => {
    const home = join(folder(t, 0o711), 'postgres')
    const server = await openPostgres({ home, durable: false, userNamespaces: false })
    t.teardown(() => server.stop())
    t.same(await ask(server.url, 'select 1 as n'), [{ n: 1 }])
    t.not(statSync(`/proc/${server.pid}`).uid, 0)
    await server.stop()
  })

  t.test('without user namespaces, in a closed folder: the folder and the ways out are named', async (t) => {
    const closed = folder(t, 0o700)
    const open = join(closed, 'data')
    mkdirSync(open, { mode: 0o755 })
    try {
      chooseAccount({ folders: [open], userNamespaces: false })
      t.fail('it was taken')
    } catch (error) {
      t.ok(error instanceof StartError)
      const { message, waysOut } = error as StartError
      t.ok(message.endsWith(`cannot enter ${closed}.`), message)
      t.match(waysOut, [`let others pass through the folder: chmod o+x ${closed}`, /ordinary user/, /CHANCERY_DATA_DIR/, /CHANCERY_POSTGRES_URL/])
    }
  })

  t.test('an ordinary user runs it as itself', { skip: anotherUser }, async (t) => {
    const home = folder(t, 0o755)
    chownSync(home, NOBODY, NOBODY)
    const module = fileURLToPath(new URL('../../../infra/local/postgres/index.ts', import.meta.url))
    const program = `
      import { openPostgres } from ${JSON.stringify(module)}
      const server = await openPostgres({ home: ${JSON.stringify(join(home, 'postgres'))}, durable: false })
      const { readFileSync } = await import('node:fs')
      process.stdout.write(readFileSync('/proc/' + server.pid + '/status', 'utf8').match(/Uid:\\s+(\\d+)/)[1])
      await server.stop()`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program],
      { uid: NOBODY, gid: NOBODY, stdio: ['ignore', 'pipe', 'pipe'], env: { HOME: home, TMPDIR: home, PATH: '/usr/bin:/bin' } })
    const [out, complaint] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    t.equal(out, String(NOBODY), complaint)
    t.equal(readFileSync(join(home, 'postgres', 'cluster', 'PG_VERSION'), 'utf8').trim(), '18')
  })
})

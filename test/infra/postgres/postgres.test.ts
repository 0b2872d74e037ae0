// Postgres as the program reaches it: migrations under a lock, types, transactions that are run again, failures that pass.
import t from 'tap'
import { connectPostgres, schemasOf } from '../../../infra/postgres/index.ts'
import { migrate } from '../../../infra/postgres/migrate.ts'
import type { Sql } from '../../../src/ports.ts'
import { testDatabase } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'

t.test('processes that start at once migrate one after the other; namespaces stay apart', async (t) => {
  const { url } = await testDatabase(t)
  const started = await Promise.all(['', '', 'green', 'green', 'blue'].map((namespace) => connectPostgres({ url, namespace })))
  t.teardown(() => Promise.all(started.map((postgres) => postgres.close())))
  const { rows } = await started[0]!.database.query<{ schema: string, runs: bigint }>(`
    select n.nspname as schema, (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %I.migrations', n.nspname), false, true, '')))[1]::text::int8 as runs
      from pg_namespace n where n.nspname ~ '(chancery|vault)$' order by 1`)
  t.same(rows.map(({ schema }) => schema), ['blue_chancery', 'blue_vault', 'chancery', 'green_chancery', 'green_vault', 'vault'])
  t.ok(rows.every(({ runs }) => runs > 0n))
  await started[0]?.database.query("insert into projection_generation (name, generation, version, kind, state, tables) values ('x', 1, 1, 'fill', 'filling', '{}')")
  t.equal((await started[1]?.database.query('select 1 from projection_generation'))?.count, 1, 'the same namespace sees it')
  t.equal((await started[2]?.database.query('select 1 from projection_generation'))?.count, 0, 'another does not')
  await migrate(url, { 'read-models': schemasOf('').readModels })
  t.equal((await started[1]?.database.query('select 1 from projection_generation'))?.count, 1, 'a second run changes nothing')
})

t.test('positions are BigInt, times are instants, json keeps its bytes; a dedicated connection takes statements in a row', async (t) => {
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const { database } = postgres
  const connection = await database.connect('test')
  t.teardown(() => connection.close())
  for (const sql of [database, connection]) {
    const { rows } = await sql.query("select 9223372036854775807::int8 as position, '2026-07-01T14:00:00.123456+02'::timestamptz as at, '{\"b\": 1,\"a\":2}'::json::text as bytes, current_schema() as schema")
    t.strictSame(rows, [{ position: 9223372036854775807n, at: '2026-07-01T12:00:00.123Z', bytes: '{"b": 1,"a":2}', schema: 'chancery' }])
  }
  const answers = await Promise.all([
    connection.query('begin'), connection.query('create temporary table x (n int8)'), connection.query('insert into x select * from unnest($1::int8[])', [[1n, null, 3n]]),
    connection.query('select count(*) as n from x'), connection.query('commit')
  ])
  t.same(answers.map(({ command }) => command), ['BEGIN', 'CREATE', 'INSERT', 'SELECT', 'COMMIT'])
  t.strictSame(answers[3]?.rows, [{ n: 3n }])
  const failed = await Promise.allSettled([connection.query('begin'), connection.query('select 1/0'), connection.query('commit')])
  t.match(failed, [{ status: 'fulfilled' }, { status: 'rejected', reason: { code: '22012' } }, { status: 'fulfilled', value: { command: 'ROLLBACK' } }],
    'a COMMIT behind a failure says that it was none')
})

t.test('transactions that Postgres rolls back for a deadlock are run again', async (t) => {
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const { database } = postgres
  await database.query('create table accounts (id int4 primary key, n int4)')
  await database.query('insert into accounts values (1, 0), (2, 0)')
  let runs = 0
  let met = (): void => {}
  const both = new Promise<void>((resolve) => { met = resolve })
  let arrived = 0
  const crossing = (first: number, second: number) => async (sql: Sql): Promise<void> => {
    runs++
    await sql.query('update accounts set n = n + 1 where id = $1', [first])
    if (++arrived === 2) met()
    await both
    await sql.query('update accounts set n = n + 1 where id = $1', [second])
  }
  await Promise.all([database.transaction(crossing(1, 2)), database.transaction(crossing(2, 1))])
  t.ok(runs > 2, `${runs} runs for two transactions`)
  t.strictSame((await database.query('select n from accounts')).rows, [{ n: 2 }, { n: 2 }])
  let attempts = 0
  await t.rejects(database.transaction(async (sql) => {
    attempts++
    await sql.query('insert into accounts values (1, 1)')
  }), { code: '23505' })
  t.equal(attempts, 1, 'what would fail again is not tried again')
})

t.test('failures that pass by themselves are told from those that do not', async (t) => {
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const { database } = postgres
  const errorOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => t.fail('did not fail'), (error: unknown) => error)
  const connection = await database.connect('victim')
  const running = errorOf(connection.query('select pg_sleep(60)'))
  await database.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%victim' and datname = current_database()")
  const ended = await running
  const afterwards = await errorOf(connection.query('select 1'))
  t.ok(connection.lost, 'a connection that was ended knows it')

  const gone = await connectPostgres({ url })
  await gone.close()
  const nobody = new URL(url)
  nobody.port = '1'
  await database.query('create table locked (n int4)')
  const holder = await postgres.pool.connect()
  await holder.query('begin; lock table locked')
  const waiting = await errorOf(database.transaction(async (sql) => {
    await sql.query("set local lock_timeout = '10ms'")
    await sql.query('select * from locked')
  }))
  await holder.query('rollback')
  holder.release()
  const limited = await errorOf(database.transaction(async (sql) => {
    await sql.query("set local statement_timeout = '10ms'")
    await sql.query('select pg_sleep(60)')
  }))
  for (const [what, error, passes] of [
    ['a session ended by the server', ended, true],
    ['a statement on a lost connection', afterwards, true],
    ['a server that is not there', await errorOf(connectPostgres({ url: nobody.href })), true],
    ['a lock that was not to be had', waiting, true],
    ['a statement that took too long', limited, true],
    ['NUL in a text', await errorOf(database.query('select $1::text', ['\0'])), false],
    ['a syntax error', await errorOf(database.query('selec 1')), false],
    ['an absent table', await errorOf(database.query('select * from nothing')), false],
    ['a bug of ours', new TypeError('x is not a function'), false]
  ] as const) t.equal(database.isPassing(error), passes, what)
})

t.test('a connection that is lost in the middle of a transaction fails it, and nothing else', async (t) => {
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const { database } = postgres
  await t.rejects(database.transaction(async (sql) => {
    const { rows: [own] } = await sql.query<{ pid: number }>('select pg_backend_pid() as pid')
    await database.query('select pg_terminate_backend($1)', [own?.pid])
    await until(async () => (await database.query('select 1 from pg_stat_activity where pid = $1', [own?.pid])).count === 0)
    await sql.query('select 1')
  }))
  t.strictSame((await database.query('select 1::int4 as n')).rows, [{ n: 1 }], 'the next one gets another connection')
})

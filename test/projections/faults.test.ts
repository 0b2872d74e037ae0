// The projector engine when Postgres or the process goes: lost connections, unknown commits, kills, a server that is away.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { connectPostgres } from '../../infra/postgres/index.ts'
import type { Connection, Database } from '../../src/ports.ts'
import { nodeArguments } from '../support/compiled.ts'
import { testEventStore } from '../support/eventstore.ts'
import { testDatabase } from '../support/postgres.ts'
import { tcpProxy } from '../support/tcp-proxy.ts'
import { appendRefusals, counted, counting, dump, engine, ground, patientLog } from './support.ts'

t.test('killed in the middle of a batch: the one beside it goes on, nothing lost, nothing twice', async (t) => {
  const store = await testEventStore(t)
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const log = await patientLog(t, store.url)
  const child = spawn(process.execPath, [...nodeArguments('test/projections/killed.ts'), url, store.url, '25'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  await appendRefusals(log, 20)
  const last = await appendRefusals(log, 40)
  t.same(await ended, [null, 'SIGKILL'], 'it died inside a batch')
  const beside = await engine(t, { postgres, log }, [counting()])
  t.equal(await beside.positions.waitFor(['counts'], last, 10_000), undefined)
  t.same((await dump(postgres, [counting()]))['counts'], await counted(log, last))
})

/** Lets something happen to the n-th COMMIT of each dedicated connection. */
const atCommit = (database: Database, happens: (connection: Connection, commit: () => Promise<unknown>, n: number) => Promise<void>): Database => {
  let commits = 0
  return {
    ...database,
    connect: async (purpose) => {
      const connection = await database.connect(purpose)
      const query: Connection['query'] = async (text, values, name) => {
        if (text === 'commit') await happens(connection, () => connection.query('commit'), ++commits)
        return connection.query(text, values, name)
      }
      return { query, get lost () { return connection.lost }, close: () => connection.close() }
    }
  }
}

for (const [what, loses] of [
  ['a COMMIT whose answer was lost', async (connection, commit) => {
    await commit()
    await connection.close()
    throw new Error('Connection terminated unexpectedly')
  }],
  ['a COMMIT that did not arrive', async (connection) => {
    await connection.close()
    throw new Error('Connection terminated unexpectedly')
  }]
] as Array<[string, (connection: Connection, commit: () => Promise<unknown>) => Promise<never>]>) {
  t.test(`${what} is settled by the checkpoint`, async (t) => {
    const base = await ground(t)
    let lost = 0
    const database = atCommit(base.postgres.database, async (connection, commit, n) => {
      if (n % 3 !== 0) return
      lost++
      await loses(connection, commit)
    })
    const running = await engine(t, { ...base, postgres: { ...base.postgres, database } }, [counting()])
    for (let i = 0; i < 10; i++) await running.positions.waitFor(['counts'], await appendRefusals(base.log, 3), 10_000)
    const last = await appendRefusals(base.log, 20)
    t.equal(await running.positions.waitFor(['counts'], last, 10_000), undefined)
    t.ok(lost > 2, `${lost} outcomes were unknown`)
    t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, last))
    t.same(running.alarms, [])
  })
}

t.test('Postgres goes away and comes back: no alarm, no restart, nothing lost', async (t) => {
  const base = await ground(t)
  const server = new URL(base.url)
  const proxy = await tcpProxy(t, Number(server.port))
  server.port = String(proxy.port)
  const far = await connectPostgres({ url: server.href })
  t.teardown(() => far.close())
  const running = await engine(t, { ...base, postgres: far }, [counting()])
  await running.positions.waitFor(['counts'], await appendRefusals(base.log, 10), 10_000)

  await proxy.vanish()
  const meanwhile = await appendRefusals(base.log, 30)
  await t.rejects(running.positions.waitFor(['counts'], meanwhile, 300), 'a query says that the read models are away')
  await proxy.listen()
  t.equal(await running.positions.waitFor(['counts'], meanwhile, 10_000), undefined)

  for (let i = 0; i < 5; i++) {
    await base.postgres.pool.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()').catch(() => {})
    await appendRefusals(base.log, 5)
  }
  const last = await appendRefusals(base.log, 1)
  t.equal(await running.positions.waitFor(['counts'], last, 10_000), undefined, 'after sessions were ended from the other side')
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, last))
  t.same(running.alarms, [])
})

t.test('the event store goes away and comes back', async (t) => {
  const store = await testEventStore(t)
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const log = await patientLog(t, store.url)
  const running = await engine(t, { postgres, log }, [counting()])
  const before = await appendRefusals(log, 5)
  t.equal(await running.positions.waitFor(['counts'], before, 10_000), undefined)
  await store.stop()
  t.match(await running.operations.list(), [{ position: before, head: undefined, lagMs: undefined }], 'the lag is unknown, and said to be')
  await store.start()
  let last: bigint | undefined
  while (last === undefined) last = await appendRefusals(log, 1).catch(() => undefined)
  t.equal(await running.positions.waitFor(['counts'], last, 10_000), undefined)
  t.same((await dump(postgres, [counting()]))['counts'], await counted(log, last))
})

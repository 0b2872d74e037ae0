// Rebuild and verify: beside the serving read model, while others write, resumed, aborted; and the property behind them all.
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { audit } from '../../src/projections/audit.ts'
import { lifecycle } from '../../src/projections/lifecycle.ts'
import { principals } from '../../src/projections/principals.ts'
import { testers } from '../../src/projections/testers.ts'
import { tokens } from '../../src/projections/tokens.ts'
import { users } from '../../src/projections/users.ts'
import type { ProjectionJob } from '../../src/queries.ts'
import { until } from '../support/until.ts'
import { accountLife } from './account-life.ts'
import { appendLives, appendRefusals, counted, counting, dump, engine, ground, life, type Engine } from './support.ts'

const readModels = [users, testers, tokens, principals, audit, lifecycle]
const names = readModels.map(({ name }) => name)

const ended = async ({ operations }: Engine, { projection, generation }: ProjectionJob): Promise<ProjectionJob> => {
  let job = await operations.job(projection, generation)
  await until(async () => (job = await operations.job(projection, generation)).state !== 'running')
  return job
}

t.test('property: what was followed live and what is rebuilt from the log are the same bytes', async (t) => {
  const base = await ground(t)
  const running = await engine(t, base, readModels)
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.comment(`seed ${seed}`)
  let programs = 0
  await fc.assert(fc.asyncProperty(fc.array(fc.array(fc.nat(99), { minLength: 40, maxLength: 60 }), { minLength: 1, maxLength: 6 }), async (program) => {
    programs++
    const lives = program.flatMap((numbers) => {
      let next = 0
      const choose = (below: number) => (numbers[next++ % numbers.length] ?? 0) % below
      return [life(choose), accountLife(choose)]
    })
    const last = await appendLives(base.log, lives)
    if (await running.positions.waitFor(names, last, 20_000) !== undefined) return false
    const live = await dump(base.postgres, readModels)
    const jobs = await Promise.all(names.map((name) => running.operations.rebuild(name)))
    for (const job of jobs) if ((await ended(running, job)).state !== 'done') return false
    const rebuilt = await dump(base.postgres, readModels)
    for (const [name, rows] of Object.entries(live)) t.strictSame(rebuilt[name], rows, name)
    return true
  }), { seed, numRuns: 6, endOnFailure: true })
  const rows = Object.entries(await dump(base.postgres, readModels)).map(([name, { length }]) => `${name} ${length}`)
  t.comment(`${programs} programs; rows: ${rows.join(', ')}`)
  t.ok(rows.every((row) => !row.endsWith(' 0')), 'every read model had something to compare')
  for (const name of names) {
    t.match(await ended(running, await running.operations.verify(name)), { state: 'done', result: { missing: 0, unexpected: 0, different: 0 } }, `verify ${name}`)
  }
  const tables = async () => (await base.postgres.database.query("select tablename from pg_tables where schemaname = 'chancery' and tablename ~ '_v\\d+_g'")).count
  const wanted = readModels.reduce((count, { tables }) => count + Object.keys(tables).length, 0)
  await until(async () => await tables() === wanted).catch(async () => t.fail(`old tables are dropped (${await tables()} left of ${wanted})`))
})

t.test('rebuild while others write: the old one serves all the time, the new one equals it', async (t) => {
  const base = await ground(t)
  const running = await engine(t, base, [counting(), testers])
  await appendRefusals(base.log, 200)
  const writing = new AbortController()
  const seen = new Map<bigint, bigint>()
  const writer = (async () => { while (!writing.signal.aborted) await appendRefusals(base.log, 3) })()
  const reader = (async () => {
    let before = 0n
    while (!writing.signal.aborted) {
      const { rows } = await base.postgres.database.query<{ events: bigint, position: bigint }>(
        "select c.events, g.position from counts c, projection_generation g where c.category = 'refusal' and g.name = 'counts' and g.state = 'serving'", [], 'prepared')
      const events = rows[0]?.events ?? 0n
      if (rows[0] !== undefined) seen.set(rows[0].position, events)
      if (events < before) t.fail(`a reader went back from ${before} to ${events}`)
      before = events
    }
  })()
  for (let i = 0; i < 3; i++) t.match(await ended(running, await running.operations.rebuild('counts')), { state: 'done', kind: 'rebuild' })
  t.match(await ended(running, await running.operations.verify('counts')), { state: 'done', result: { missing: 0, unexpected: 0, different: 0 } }, 'verified while others write')
  writing.abort()
  await Promise.all([writer, reader])
  const last = await appendRefusals(base.log, 1)
  t.equal(await running.positions.waitFor(['counts'], last, 10_000), undefined)
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, last))
  t.match((await running.operations.list())[0], { generation: 4, state: 'serving' })
  t.ok(seen.size > 10, `seen at ${seen.size} checkpoints`)
  let events = 0n
  for await (const { position } of base.log.readAll()) {
    events++
    if (seen.get(position) === events) seen.delete(position)
  }
  t.same([...seen], [], 'rows and checkpoint always told of the same events')
})

t.test('verify finds what was changed, added or removed behind the back of the engine', async (t) => {
  const base = await ground(t)
  const running = await engine(t, base, [audit])
  const last = await appendRefusals(base.log, 50)
  t.equal(await running.positions.waitFor(['audit'], last, 10_000), undefined)
  const { database } = base.postgres
  const { rows } = await database.query<{ position: bigint }>('select position from audit_events order by position')
  const table = `audit_events_v${audit.version}_g1`
  const [changed, removed] = [rows[10]?.position, rows[20]?.position]
  await database.query(`update ${table} set actor_id = actor_id || ' ' where position = $1`, [changed])
  await database.query(`delete from ${table} where position = $1`, [removed])
  await database.query(`insert into ${table} select 1, $1, stream, revision, type, occurred_at, created, actor_type, actor_id, command_id from ${table} limit 1`, [randomUUID()])
  const job = await ended(running, await running.operations.verify('audit'))
  t.match(job, {
    state: 'done',
    result: {
      position: String(last), missing: 1, unexpected: 1, different: 1,
      samples: [{ kind: 'unexpected', key: '1' }, { kind: 'different', key: String(changed) }, { kind: 'missing', key: String(removed), table: 'audit_events' }]
    }
  })
  t.match(await ended(running, await running.operations.rebuild('audit')), { state: 'done' })
  t.match(await ended(running, await running.operations.verify('audit')), { result: { missing: 0, unexpected: 0, different: 0 } }, 'a rebuild mends it')
})

t.test('a higher version is filled before it serves; the older code then stands aside', async (t) => {
  const base = await ground(t)
  const old = await engine(t, base, [counting('counts', { version: 1 })])
  const last = await appendRefusals(base.log, 100)
  await old.positions.waitFor(['counts'], last, 10_000)
  const held = await base.postgres.pool.connect()
  await held.query('begin; lock table projection_generation in exclusive mode')
  const startingNew = engine(t, base, [counting('counts', { version: 2 })], { unserved: true })
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, last, 1), 'the old version is what is shown')
  await held.query('commit')
  held.release()
  const fresh = await startingNew
  t.equal(await fresh.positions.waitFor(['counts'], last, 10_000), undefined)
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, last, 2))
  const more = await appendRefusals(base.log, 10)
  t.equal(await fresh.positions.waitFor(['counts'], more, 10_000), undefined, 'and goes on')
  t.match(await old.operations.list(), [{ state: 'superseded', version: 1 }])
  t.match(await old.positions.waitFor(['counts'], more, 50), [{ name: 'counts', reason: 'filling' }], 'the old code does not answer from what it does not know')
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, more, 2))
})

t.test('a rebuild survives the end of its process, and can be given up', async (t) => {
  const base = await ground(t)
  const last = await appendRefusals(base.log, 300)
  const first = await engine(t, base, [counting()])
  await first.positions.waitFor(['counts'], last, 10_000)
  await first.close()

  // Asked for in a process that only answers requests: nobody works on it yet.
  const asking = await engine(t, base, [counting()], { projecting: false })
  const job = await asking.operations.rebuild('counts')
  t.match(await asking.operations.rebuild('counts'), { generation: job.generation }, 'asking twice begins one')
  let seen = 0
  const slow = counting('counts', { each: () => { if (++seen === 120) void interrupted.close() } })
  const interrupted: Engine = await engine(t, base, [slow], { settings: { batch: 20 } })
  await until(() => seen >= 120)
  await interrupted.close()
  const left = await asking.operations.job('counts', job.generation)
  t.match(left, { state: 'running' })
  t.ok(left.done > 0n && left.done < left.total, `left at ${left.done} of ${left.total}`)
  seen = 0
  const resumed = await engine(t, base, [counting('counts', { each: () => { seen++ } })])
  t.match(await ended(resumed, job), { state: 'done' })
  t.ok(seen > 0 && seen <= 220, `went on where it was left: ${seen} events`)
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, last))
  await resumed.close()

  const unwanted = await asking.operations.rebuild('counts')
  t.match(await asking.operations.abort('counts', unwanted.generation), { state: 'aborted' })
  await t.rejects(asking.operations.abort('counts', unwanted.generation), { code: 'conflict' })
  await t.rejects(asking.operations.rebuild('nothing'), { code: 'subject_not_found' })
  const again = await engine(t, base, [counting()])
  await until(async () => (await base.postgres.database.query('select 1 from pg_tables where tablename = $1', [`counts_v1_g${unwanted.generation}`])).count === 0)
  t.match((await again.operations.list())[0], { generation: job.generation, state: 'serving' }, 'the one that served still serves')
})

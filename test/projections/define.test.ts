// What a read model may say: every event type of its categories, columns with their types; and how a batch is folded.
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { connectPostgres } from '../../infra/postgres/index.ts'
import { table } from '../../src/projections/columns.ts'
import { defineProjector, ignored } from '../../src/projections/define.ts'
import { startProjections } from '../../src/projections/engine.ts'
import { collect, load, statementsOf } from '../../src/projections/fold.ts'
import { testDatabase } from '../support/postgres.ts'
import { counting, refused } from './support.ts'

const tables = { doors: table({ columns: { door: 'uuid', times: 'int4', last: 'timestamptz?', route: 'json?' }, key: ['door'], indexes: ['(last)'] }) }

t.test('the compiler asks for every event type, and knows the columns', async (t) => {
  // @ts-expect-error: a type of the category is left out
  defineProjector({ name: 'a', version: 1, categories: ['refusal'], tables, on: {} })
  defineProjector({
    name: 'b',
    version: 1,
    categories: ['refusal', 'testerEmail'],
    tables,
    on: {
      'access.refused': (rows, { data }) => {
        // @ts-expect-error: no such column
        rows.doors.patch({ door: data.principalId }, { colour: 'red' })
        // @ts-expect-error: times is a number
        rows.doors.put({ door: data.principalId, times: '1', last: null, route: null })
        // @ts-expect-error: last may be null, times may not
        rows.doors.put({ door: data.principalId, times: null, last: null, route: null })
      },
      'tester_email.reserved': ignored
    }
  })
  t.pass('compiled')
})

const doors = defineProjector({
  name: 'doors',
  version: 1,
  categories: ['refusal'],
  tables,
  on: {
    'access.refused': ({ doors }, { data }) => {
      const key = { door: data.principalId }
      if (data.route === '/remove') doors.remove(key)
      else if (data.route === '/put') doors.put({ ...key, times: 100, last: data.refusedAt, route: { z: 1, a: [2] } })
      else if (data.route === '/patch') doors.patch(key, ({ times }) => ({ times: times + 10 }))
      else doors.change(key, (row) => ({ last: null, route: null, ...row, ...key, times: (row?.times ?? 0) + 1 }))
    }
  }
})

t.test('a batch is folded per key: one statement a table, whatever happened to a row', async (t) => {
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const { database } = postgres
  await database.query('create table doors_x (door uuid primary key, times int4 not null, last timestamptz, route json)')
  const run = async (...steps: Array<[string, string]>) => {
    const events = steps.map(([door, route]) => ({ ...refused(door, route), stream: `refusal-${door}` }) as never)
    const work = collect(doors, () => 'doors_x', events)
    await load(database, work)
    const statements = statementsOf(work)
    for (const { text, values } of statements) await database.query(text, values)
    return statements.length
  }
  const rows = async () => (await database.query('select door, times, last, route::text from doors_x order by times')).rows
  const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()]
  t.equal(await run([a, '/'], [b, '/'], [a, '/'], [a, '/patch'], [c, '/patch']), 1)
  t.strictSame(await rows(), [{ door: b, times: 1, last: null, route: null }, { door: a, times: 12, last: null, route: null }], 'folded, an absent row stays absent')
  t.equal(await run([a, '/remove'], [a, '/'], [b, '/put'], [b, '/patch'], [c, '/'], [c, '/remove']), 2, 'one delete, one upsert')
  t.strictSame(await rows(), [{ door: a, times: 1, last: null, route: null }, { door: b, times: 110, last: '2026-07-01T12:00:00.000Z', route: '{"z":1,"a":[2]}' }])
  t.equal(await run([c, '/patch'], [c, '/remove']), 1, 'what is to be gone is deleted without a look')
  t.equal(await run([c, '/patch']), 0, 'nothing to write, nothing written')
  t.throws(() => statementsOf(collect({ ...doors, apply: (tables) => tables['doors']?.put({ door: a }) }, () => 'doors_x', [{} as never])), { message: 'the row has no times' })
})

t.test('two read models of one name, or with one table, are refused at start', async (t) => {
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const logger = { info: () => {}, warn: () => {}, error: () => {} }
  const start = (...projectors: Array<typeof doors>) => startProjections({ database: postgres.database, log: { last: async () => undefined } as never, projectors, logger, projecting: false })
  await t.rejects(start(doors, { ...counting(), name: 'doors' }), /doors/)
  await t.rejects(start(doors, { ...doors, name: 'windows' }), /doors/)
  const idle = await start(doors)
  await t.rejects(idle.positions.waitFor(['windows'], 1n), /no read model windows/)
  t.match(await idle.positions.waitFor(['doors'], 0n, 30), [{ name: 'doors', readTo: 0n, reason: 'filling' }], 'it does not serve before somebody filled it')
  await idle.close()
})

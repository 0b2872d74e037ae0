// Operators over HTTP: the list of read models, rebuild, verify and abort, and how a query waits for a position.
import t from 'tap'
import { operationRoutes } from '../../src/http/routes/operations.ts'
import { appendRefusals, counting, engine, ground } from '../projections/support.ts'
import { testDoor } from '../support/door.ts'
import { until } from '../support/until.ts'

t.test('operators list, rebuild, verify and abort', async (t) => {
  const base = await ground(t)
  const running = await engine(t, base, [counting()])
  const app = await testDoor(t, [operationRoutes(running)], { positions: running.positions })
  const ask = async (method: 'GET' | 'POST', path: string, role = 'operator') => {
    const answer = await app.inject({
      method, url: `/api/v1/operations/projections${path}`, headers: { authorization: `Bearer ${role}` }, ...method === 'POST' && { payload: {} }
    })
    return { status: answer.statusCode, body: answer.json<Record<string, unknown> & { operation_id: string, status: string }>() }
  }
  const last = await appendRefusals(base.log, 20)
  await running.positions.waitFor(['counts'], last, 10_000)
  t.match(await ask('GET', ''), { status: 200, body: { items: [{ name: 'counts', version: 1, generation: 1, status: 'serving', here: 'works', position: String(last), head: String(last), lag: 0 }] } })

  const followed = async (path: string) => {
    const begun = await ask('POST', path)
    t.match(begun, { status: 202, body: { projection: 'counts' } })
    const id = begun.body.operation_id
    await until(async () => (await ask('GET', `/operations/${id}`)).body.status !== 'running')
    return (await ask('GET', `/operations/${id}`)).body
  }
  t.match(await followed('/counts/rebuild'), { operation_id: 'counts.2', kind: 'rebuild', status: 'done', done: Number(last), total: Number(last) })
  t.match(await followed('/counts/verify'), { operation_id: 'counts.3', kind: 'verify', status: 'done', differences: 0, result: { rows: 1, position: String(last) } })
  await base.postgres.database.query('update counts_v1_g2 set events = events + 1')
  t.match(await followed('/counts/verify'), { differences: 1, result: { different: 1, samples: [{ table: 'counts', kind: 'different', key: 'refusal' }] } })
  t.match(await ask('GET', '/operations?projection=counts'), { status: 200, body: { items: [{ operation_id: 'counts.4' }, { operation_id: 'counts.3' }, { operation_id: 'counts.2' }, { operation_id: 'counts.1' }] } })

  t.match(await ask('POST', '/operations/counts.2/abort'), { status: 409, body: { code: 'conflict' } })
  t.match(await ask('POST', '/nothing/rebuild'), { status: 404, body: { code: 'subject_not_found' } })
  t.match(await ask('GET', '/operations/counts.99'), { status: 404, body: { code: 'subject_not_found' } })
  t.match(await ask('GET', '/operations/counts'), { status: 400, body: { code: 'invalid_request' } })
  t.match(await ask('POST', '/counts/rebuild', 'auditor'), { status: 403 })
  t.match(await ask('GET', '', 'auditor'), { status: 200 })
})

t.test('a query that asks for a position ahead of the read model is told how far it is, never a stale answer', async (t) => {
  const base = await ground(t)
  const running = await engine(t, base, [counting()])
  const app = await testDoor(t, [async (app) => {
    app.get('/counts', { config: { permission: 'operations.read', waitsFor: ['counts'] } }, async () => (await base.postgres.database.query<{ events: bigint }>('select events from counts')).rows.map(({ events }) => String(events)))
  }], { positions: running.positions })
  const ask = (position?: bigint) => app.inject({ url: '/counts', headers: { authorization: 'Bearer operator', ...position !== undefined && { 'chancery-position': String(position) } } })
  for (let i = 1; i <= 5; i++) t.same((await ask(await appendRefusals(base.log, 1))).json(), [String(i)], 'one reads what one wrote')
  const last = await appendRefusals(base.log, 1)
  const begun = performance.now()
  const behind = await ask(last + 1n)
  t.ok(performance.now() - begun >= 1990, 'it waits for two seconds')
  t.match(behind, { statusCode: 503, headers: { 'retry-after': '1' } })
  t.match(behind.json(), { code: 'projection_behind', projections: [{ name: 'counts', read_to: String(last), reason: 'behind', lag: 0 }] }, 'caught up: the position lies beyond the log')
  await base.postgres.close()
  t.match((await ask(last + 2n)).json(), { code: 'read_models_unavailable' })
})

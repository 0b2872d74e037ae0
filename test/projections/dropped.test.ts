// Read models dropped and rebuilt under a service that works: the same bytes, never a wrong page, and no entry published twice.
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import { lifecycle } from '../../src/projections/lifecycle.ts'
import { tokens } from '../../src/projections/tokens.ts'
import { users } from '../../src/projections/users.ts'
import { testRedis } from '../support/redis.ts'
import { testService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const readModels = [users, tokens, lifecycle]
const STREAM = 'user:lifecycle_events'
const OPERATIONS = '/api/v1/operations/projections'

/** What the read models show: every row as Postgres prints it, in the order of its bytes. */
const dump = async (client: pg.Client): Promise<Record<string, string[]>> => {
  const tables = readModels.flatMap(({ tables }) => Object.keys(tables))
  const dumps: Array<[string, string[]]> = []
  for (const table of tables) {
    const { rows } = await client.query<{ bytes: string }>(`select t::text as bytes from chancery.${table} t order by t::text collate "C"`)
    dumps.push([table, rows.map(({ bytes }) => bytes)])
  }
  return Object.fromEntries(dumps)
}

const must = async (service: TestService, method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
  // A machine that is short of time may answer 503 now and then: sent again as it was, as every client has to.
  const headers = { 'idempotency-key': randomUUID() }
  let answer = await service.request(method, path, body, headers)
  for (let again = 0; answer.status === 503 && again < 5; again++) answer = await service.request(method, path, body, headers)
  if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
  return answer.body
}

/** One tester, and one account that is blocked, lifted or deleted. Returns how many entries that publishes. */
const live = async (service: TestService, n: number): Promise<number> => {
  await must(service, 'POST', '/api/v1/console/beta/testers', { email: `tester-${n}@example.org` })
  const path = `/api/v1/admin/users/${String((await must(service, 'POST', '/api/v1/auth/ensure-by-email', { email: `user-${n}@example.org` }))['user_id'])}`
  await must(service, 'PATCH', path.replace('admin/users', 'self'), { profile: { user_name: `user.${n}` } })
  const { sanction_id: sanctionId } = await must(service, 'POST', `${path}/sanctions`, { code: 'permanent_block', reason_code: 'abuse' })
  if (n % 3 === 0) return 1
  await must(service, 'POST', `${path}/sanctions/${String(sanctionId)}/remove`, { reason_code: 'appeal' })
  if (n % 3 === 1) return 1
  await must(service, 'POST', path.replace('admin/users', 'internal/users') + '/delete', { reason_code: 'user_request' })
  return 2
}

const operate = async (service: TestService, name: string, kind: 'rebuild' | 'verify'): Promise<Record<string, unknown>> => {
  let operation = await must(service, 'POST', `${OPERATIONS}/${name}/${kind}`, {})
  await until(async () => (operation = await must(service, 'GET', `${OPERATIONS}/operations/${String(operation['operation_id'])}`))['status'] !== 'running')
  return operation
}

const caughtUp = async (service: TestService): Promise<void> => {
  const line = (await service.request('GET', '/api/v1/audit/replay')).text.trim().split('\n').at(-1) ?? '{}'
  const { position } = JSON.parse(line) as { position: string }
  await until(async () => (await service.request('GET', `/api/v1/lobby/lifecycle/snapshot?min_position=${position}`)).status === 200 &&
    (await service.request('GET', `/api/v1/admin/users?min_position=${position}`)).status === 200 &&
    (await service.request('GET', `/api/v1/console/beta/testers?min_position=${position}`)).status === 200)
}

t.test('users, tokens and lifecycle dropped and rebuilt while serving', async (t) => {
  const redis = await testRedis(t)
  const service = await testService(t, { env: { CHANCERY_REDIS_URL: redis.url } })
  const client = new pg.Client(service.env['CHANCERY_POSTGRES_URL'])
  await client.connect()
  t.teardown(() => client.end())
  const stream = redis.client()
  const shape = async (): Promise<Record<string, unknown>> => {
    const flat = await stream.xinfo('STREAM', STREAM) as unknown[]
    const at = (name: string) => flat[flat.indexOf(name) + 1]
    return { length: at('length'), added: at('entries-added'), last: at('last-generated-id'), entries: await stream.xrange(STREAM, '-', '+') }
  }

  let published = 0
  let made = 0
  for (; made < 6; made++) published += await live(service, made)

  const stopping = new AbortController()
  const writer = (async () => { while (!stopping.signal.aborted) published += await live(service, made++) })()
  const seen = { users: 0, entries: 0, reads: 0 }
  const reader = (async () => {
    while (!stopping.signal.aborted) {
      const [list, snapshot] = [await must(service, 'GET', '/api/v1/admin/users?limit=1000'), await must(service, 'GET', '/api/v1/lobby/lifecycle/snapshot?limit=1000')]
      const [people, entries] = [list, snapshot].map((body) => (body['items'] as unknown[]).length) as [number, number]
      // Accounts are deleted meanwhile, one at a time; entries only come.
      if (people < seen.users - 1 || entries < seen.entries) t.fail(`went back from ${JSON.stringify(seen)} to ${people} and ${entries}`)
      Object.assign(seen, { users: Math.max(people, seen.users), entries, reads: seen.reads + 1 })
    }
  })()
  for (const { name } of readModels) t.match(await operate(service, name, 'rebuild'), { status: 'done' }, `${name} rebuilt under commands`)
  for (const { name } of readModels) t.match(await operate(service, name, 'verify'), { status: 'done', differences: 0 }, `${name} verified under commands`)
  stopping.abort()
  await Promise.all([writer, reader])
  t.ok(seen.reads > 3, `${seen.reads} reads, ${made} lives`)

  const drop = async (): Promise<void> => {
    const { rows } = await client.query<{ table: string }>("select unnest(tables) as table from chancery.projection_generation where name = any($1) and tables <> '{}'", [readModels.map(({ name }) => name)])
    for (const { table } of rows) await client.query(`drop table if exists chancery.${table} cascade`)
  }

  // Gone under the service: what decides from the log goes on, and a rebuild brings the rest back.
  await caughtUp(service)
  await drop()
  const { user_id: lost } = await must(service, 'POST', '/api/v1/auth/ensure-by-email', { email: 'served@example.org' })
  t.match(await service.request('GET', `/api/v1/self/${String(lost)}`), { status: 200 }, 'a person is served while the tables are gone')
  t.match(await service.request('POST', `/api/v1/internal/users/${String(lost)}/delete`, { reason_code: 'user_request' }), { status: 200 }, 'and deleted')
  published++
  await until(async () => Number((await shape())['added']) >= published)
  for (const { name } of readModels) t.match(await operate(service, name, 'rebuild'), { status: 'done' }, `${name} rebuilt from nothing, while serving`)
  await caughtUp(service)
  for (const { name } of readModels) t.match(await operate(service, name, 'verify'), { status: 'done', differences: 0 })
  t.match(await shape(), { length: published, added: published }, 'and no entry for it')

  const before = { rows: await dump(client), stream: await shape() }
  t.match(before.stream, { length: published, added: published }, 'each entry once')
  for (const [table, rows] of Object.entries(before.rows)) if (table !== 'ceremonies') t.ok(rows.length > 0, `${table}: ${rows.length} rows`)

  await Promise.all(readModels.map(({ name }) => operate(service, name, 'rebuild')))
  t.strictSame(await dump(client), before.rows, 'rebuilt: the same bytes')
  t.strictSame(await shape(), before.stream, 'no new entry')

  await service.stop()
  await drop()
  await client.query('delete from chancery.projection_generation where name = any($1)', [readModels.map(({ name }) => name)])
  const again = await testService(t, { beside: service })
  await caughtUp(again)
  t.strictSame(await dump(client), before.rows, 'dropped, and filled from the log: the same bytes')
  t.strictSame(await shape(), before.stream, 'and no new entry')
})

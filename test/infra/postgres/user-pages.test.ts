// The admin list's pages as Postgres plans them: none reads more rows because there are more accounts.
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { userQueries } from '../../../infra/postgres/queries/users.ts'
import { limitCodes, sanctionCodes } from '../../../src/domain/account/catalogues.ts'
import { timeStateAt } from '../../../src/domain/account/eligibility.ts'
import type { ChanceryEvent } from '../../../src/domain/catalogue.ts'
import { Clear } from '../../../src/domain/personal.ts'
import { users } from '../../../src/projections/users.ts'
import type { Sql } from '../../../src/ports.ts'
import type { UserFilter } from '../../../src/account-queries.ts'
import { dressed, engine, ground } from '../../projections/support.ts'

interface Node { 'Node Type': string, 'Actual Rows': number, 'Actual Loops': number, 'Rows Removed by Filter'?: number, 'Rows Removed by Index Recheck'?: number, Plans?: Node[] }

const LIMIT = 50
const COUNT = 40_000

/** Rows that the plan took up from tables and indexes, kept or not. */
const touched = (node: Node): number => {
  const loops = node['Actual Loops']
  const below = (node.Plans ?? []).reduce((sum, plan) => sum + touched(plan), 0)
  const own = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0) + (/Scan/.test(node['Node Type']) && !/Function/.test(node['Node Type']) ? node['Actual Rows'] : 0)
  return below + own * loops
}

t.test('a page costs what is on it', async (t) => {
  const base = await ground(t)
  await engine(t, base, [users])
  const { database } = base.postgres
  // The registry says under which name the table of a generation is; indexes are those that the projector asks for.
  const columns = Object.entries(users.tables['users']?.columns ?? {})
  const values: Record<string, string> = {
    user_id: 'gen_random_uuid()', email: "'{}'::json", address_hash: 'md5(n::text)', user_name_hash: "md5('u' || n)", created_at: "timestamptz '2026-01-01' + n * interval '1 minute'",
    created_type: "'user.registered'", created_revision: '0', credential_count: '0', first_position: 'n', position: 'n', revision: '0',
    tariff: "case when n % 400 = 0 then 'gold' end", tariff_since: "timestamptz '2026-01-01'", deleted_at: 'case when n % 10 = 0 then now() end',
    login_block: 'n % 500 = 7', sanctions: 'case when n % 500 = 7 then \'[{"code":"login_block","starts_at":"2026-01-01T00:00:00.000Z","expires_at":null}]\' else \'[]\' end::json',
    max_registered_race_names: 'case when n % 300 = 1 then n % 7 end'
  }
  const codes = new Set<string>(sanctionCodes)
  const given = columns.map(([name, type]) => values[name] ?? (codes.has(name) || type === 'boolean' ? 'false' : type.endsWith('?') ? 'null' : "''"))
  await database.query(`insert into users_v${users.version}_g1 (${columns.map(([name]) => name).join(', ')}) select ${given.join(', ')} from generate_series(1, ${COUNT}) n`)
  await database.query(`analyze users_v${users.version}_g1`)

  let plan: Node | undefined
  const explaining: Sql = {
    query: async <R extends object>(text: string, parameters?: readonly unknown[]) => {
      const answer = await database.query<{ 'QUERY PLAN': Array<{ Plan: Node }> }>(`explain (analyze, format json) ${text}`, parameters)
      plan = answer.rows[0]?.['QUERY PLAN'][0]?.Plan
      return { rows: [] as R[], count: 0, command: '' }
    }
  }
  const now = new Date('2026-06-01T00:00:00Z')
  const limit = limitCodes[0] ?? 'max_registered_race_names'
  const filters: Array<[string, Partial<UserFilter>]> = [
    ['no filter', {}], ['with deleted ones', { includeDeleted: true }], ['a sanction', { sanction: 'login_block' }], ['a limit and its value', { limit: { code: limit, value: 3 } }],
    ['a tariff', { tariff: 'gold' }], ['an address', { addressHash: '0'.repeat(32) }], ['a user name', { userNameHash: '0'.repeat(32) }],
    ['a sanction nobody has', { sanction: 'game_join_block' }]
  ]
  for (const [name, filter] of filters) {
    for (const direction of ['forwards', 'backwards'] as const) {
      for (const after of [undefined, BigInt(COUNT / 2)]) {
        await userQueries(explaining).page({ includeDeleted: false, ...filter }, { limit: LIMIT, direction, now, ...after !== undefined && { after } })
        const rows = plan === undefined ? Infinity : touched(plan)
        t.ok(rows <= 3 * LIMIT, `${name}, ${direction}${after === undefined ? '' : ', from the middle'}: ${rows} rows`)
      }
    }
  }
  await userQueries(explaining).page({ includeDeleted: false, createdFrom: '2026-01-05T00:00:00Z', createdTo: '2026-01-05T00:30:00Z' }, { limit: LIMIT, direction: 'forwards', now })
  t.ok(plan !== undefined && touched(plan) <= 3 * LIMIT, `half an hour's arrivals: ${plan === undefined ? 'none' : touched(plan)} rows`)

  const { rows } = await database.query<{ indexname: string }>("select indexname from pg_indexes where tablename ~ '^users_v' and indexdef ~ 'WHERE login_block'")
  await database.query(`drop index ${rows[0]?.indexname ?? ''}`)
  await userQueries(explaining).page({ includeDeleted: false, sanction: 'login_block' }, { limit: LIMIT, direction: 'forwards', now })
  t.ok(plan !== undefined && touched(plan) > 3 * LIMIT, `without its index the measure tells: ${plan === undefined ? 'none' : touched(plan)} rows`)
})

t.test('the filter by sanction and the rule of eligibility are one, on any clock', async (t) => {
  const base = await ground(t)
  const projections = await engine(t, base, [users])
  const at = (minute: number) => new Date(Date.parse('2026-06-01T12:00:00.000Z') + minute * 60_000)
  const kinds: Array<[starts: number | undefined, expires: number | undefined]> = [[undefined, undefined], [undefined, 10], [5, undefined], [5, 10]]
  const accounts = kinds.map(([starts, expires]) => {
    const userId = randomUUID()
    const sanction = {
      userId, sanctionId: randomUUID(), code: 'login_block', scope: 'platform', appliedAt: at(0).toISOString(), startsAt: at(starts ?? 0).toISOString(),
      ...expires !== undefined && { expiresAt: at(expires).toISOString() }
    } as const
    const facts: ChanceryEvent[] = [
      { type: 'user.registered', data: { userId, email: new Clear('a@example.org', `user-${userId}`), addressHash: userId.replaceAll('-', '').repeat(2), registeredAt: at(0).toISOString() } },
      { type: 'user.sanction_applied', data: sanction }
    ]
    return { userId, facts, sanction: { ...sanction, atOnce: starts === undefined } }
  })
  let position = 0n
  for (const { userId, facts } of accounts) ({ position } = await base.log.append(`user-${userId}`, 'no_stream', facts.map((fact) => dressed(fact))))
  t.equal(await projections.positions.waitFor(['users'], position, 10_000), undefined)
  for (const minute of [-60, 0, 5, 9, 10]) {
    const found = await userQueries(base.postgres.database).page({ includeDeleted: false, sanction: 'login_block' }, { limit: LIMIT, direction: 'forwards', now: at(minute) })
    t.strictSame(found.map(({ userId }) => userId), accounts.filter(({ sanction }) => timeStateAt(sanction, at(minute)) === 'active').map(({ userId }) => userId), `minute ${minute}`)
  }
})

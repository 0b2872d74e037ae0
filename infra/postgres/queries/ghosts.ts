// The ghost verdict that an operator sees: one statement over the accounts side's own tables (decision 21).
import { rules } from '../../../src/domain/user/verdict.ts'
import type { GhostVerdict } from '../../../src/account-ports.ts'
import type { Sql } from '../../../src/ports.ts'
import type { GhostQueries } from '../../../src/queries.ts'

/**
 * The twin of `judge` in src/domain/user/verdict.ts and of what `ghostDelete` beside it refuses before; a test holds the two together, case by case.
 * Parameters: tester ids, user ids, openings (text, so that each keeps its milliseconds), now, grace in ms.
 */
const VERDICTS = `
with asked as (
  select user_id, opened_at::timestamptz as opened_at, place
    from unnest($1::uuid[], $2::text[]) with ordinality as a(user_id, opened_at, place)
), seen as (
  select a.place, u.user_id is not null as has_row, coalesce(u.credential_count, 0) as credentials, u.shell, u.deleted_at,
         case when u.user_id is not null then coalesce(u.tester_id::text, 'nobody') end as owner,
         u.created_at, u.created_type, u.created_revision, u.credential_at, u.credential_type, u.credential_revision,
         c.last_at, c.last_type, c.last_revision, greatest(u.position, c.position, 0) as account_position,
         greatest(a.opened_at, u.created_at, c.last_at) + $4::int8 * interval '1 millisecond' as ghost_from
    from asked a
    left join users u on u.user_id = a.user_id
    left join ceremonies c on c.user_id = a.user_id
)
select case when credentials > 0 then 'healthy'
            when $3::timestamptz < ghost_from then 'mid_enrollment'
            when has_row then 'ghost_empty_shell'
            else 'ghost_no_users_row' end as state,
       case when deleted_at is not null then 'deleted' when not shell and credentials = 0 then 'not_a_shell' end as exempt,
       owner, ghost_from, account_position, created_at, created_type, created_revision,
       credential_at, credential_type, credential_revision, last_at, last_type, last_revision,
       coalesce((select read_to from projection_generation where name = 'users' and state = 'serving'), 0) as read_to
  from seen order by place`

interface Row {
  state: GhostVerdict['state']
  exempt: 'deleted' | 'not_a_shell' | null
  owner: string | null
  ghost_from: string
  account_position: bigint
  created_at: string | null
  created_type: string | null
  created_revision: bigint | null
  credential_at: string | null
  credential_type: string | null
  credential_revision: bigint | null
  last_at: string | null
  last_type: string | null
  last_revision: bigint | null
  read_to: bigint
}

export const ghostQueries = (sql: Sql): GhostQueries => ({
  verdicts: async (requests, now, graceMs) => {
    if (requests.length === 0) return []
    const values = [requests.map(({ userId }) => userId), requests.map(({ linkOpenedAt }) => linkOpenedAt), now.toISOString(), graceMs]
    const { rows } = await sql.query<Row>(VERDICTS, values, 'ghost-verdicts')
    return rows.map((row, index) => ({
      state: row.state,
      ...(row.state === 'mid_enrollment' && { becomesGhostAt: row.ghost_from }),
      rule: rules[row.state],
      thresholdMs: graceMs,
      evidence: evidenceIn(row, `user-${requests[index]?.userId ?? ''}`),
      evaluatedAtPosition: row.read_to,
      accountPosition: row.account_position,
      owner: row.owner,
      exempt: row.exempt
    }))
  }
})

/** Each fact once, in the order of the stream. */
const evidenceIn = (row: Row, stream: string): GhostVerdict['evidence'] => {
  const facts = new Map<bigint, GhostVerdict['evidence'][number]>()
  const add = (type: string | null, revision: bigint | null, at: string | null): void => {
    if (type !== null && revision !== null && at !== null) facts.set(revision, { stream, revision: String(revision), type, occurredAt: at })
  }
  add(row.created_type, row.created_revision, row.created_at)
  add(row.last_type, row.last_revision, row.last_at)
  add(row.credential_type, row.credential_revision, row.credential_at)
  return [...facts].sort(([a], [b]) => a < b ? -1 : 1).map(([, fact]) => fact)
}

// What downstream services ask of the read model `lifecycle`: each user's last entry, and ranges of entries.
import type { Sql } from '../../../src/ports.ts'
import type { LifecycleQueries, LifecycleRow } from '../../../src/account-queries.ts'

const COLUMNS = `e.position, e.event_id as "eventId", e.event_type as "eventType", e.user_id as "userId", e.occurred_at_ms as "occurredAtMs",
  e.source, e.actor_type as "actorType", e.actor_id as "actorId", e.reason_code as "reasonCode", e.trace_id as "traceId"`

/** One statement, so that rows and position tell of the same moment. Parameters: as of (or null), after, limit. */
const SNAPSHOT = `
with g as (
  select coalesce($1::int8, position, 0) as as_of from (select 1) one
    left join projection_generation on name = 'lifecycle' and state = 'serving'
)
select g.as_of as "asOf", p.* from g left join lateral (
  select ${COLUMNS},
         e.event_type = 'user.lifecycle.permanent_blocked' and exists (
           select from lifecycle_lifts l where l.user_id = e.user_id and l.position > e.position and l.position <= g.as_of) as lifted
    from lifecycle_entries e
   where e.position > $2 and e.position <= g.as_of
     and not exists (select from lifecycle_entries n where n.user_id = e.user_id and n.position > e.position and n.position <= g.as_of)
   order by e.position limit $3) p on true
 order by p.position`

type Found = { asOf: bigint } & { [K in keyof LifecycleRow]: LifecycleRow[K] | null } & { lifted: boolean | null }

export const lifecycleQueries = (sql: Sql): LifecycleQueries => {
  const one = async (text: string, value: unknown, name: string): Promise<bigint> =>
    (await sql.query<{ position: bigint }>(text, [value], name)).rows[0]?.position ?? 0n
  return {
    snapshot: async ({ asOf, after, limit }) => {
      const { rows } = await sql.query<Found>(SNAPSHOT, [asOf ?? null, after ?? -1n, limit], 'lifecycle-snapshot')
      return {
        asOf: rows[0]?.asOf ?? 0n,
        rows: rows.flatMap(({ asOf: _, ...row }) => row.position === null ? [] : [row as LifecycleRow & { lifted: boolean }])
      }
    },
    entries: async ({ after, to }, limit) => (await sql.query<LifecycleRow>(
      `select ${COLUMNS} from lifecycle_entries e where e.position > $1 and e.position <= $2 order by e.position limit $3`,
      [after, to, limit], 'lifecycle-entries')).rows,
    lastAt: (upTo) => one('select position from lifecycle_entries where position <= $1 order by position desc limit 1', upTo, 'lifecycle-last-at'),
    lastBefore: (moment) => one('select position from lifecycle_entries where created < $1 order by created desc, position desc limit 1', moment.toISOString(), 'lifecycle-last-before')
  }
}

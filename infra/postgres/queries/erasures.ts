// Questions to the read model `erasures`: what is due, and whose keys the log says are destroyed.
import type { Sql } from '../../../src/ports.ts'
import type { DueErasure, ErasureQueries } from '../../../src/queries.ts'

/**
 * Parameters: now, the place after which to go on (time, subject), how many. A host's clock that runs ahead must not erase
 * too early, for that is for good: the database's has to agree. `now()` and not `clock_timestamp()`, which no index serves.
 */
export const DUE = `
select subject, due_at as "dueAt" from erasures
 where due_at <= least($1::timestamptz, now()) and (due_at, subject) > ($2::timestamptz, $3::text)
 order by due_at, subject limit $4::int`

export const erasureQueries = (sql: Sql): ErasureQueries => ({
  due: async (now, limit, after) => {
    const { rows } = await sql.query<DueErasure>(DUE, [now.toISOString(), after?.dueAt ?? '-infinity', after?.subject ?? '', limit], 'erasures-due')
    return rows
  },
  known: async () => {
    const { rows } = await sql.query<{ position: bigint | null, eventId: string | null }>(
      "select position, event_id as \"eventId\" from projection_generation where name = 'erasures' and state = 'serving'")
    const { position, eventId } = rows[0] ?? { position: null, eventId: null }
    return position === null || eventId === null ? undefined : { position, eventId }
  },
  purged: async (limit, after) => {
    const { rows } = await sql.query<{ position: bigint, subject: string, userIds: string[] }>(`
      select purged_position as position, subject, user_ids as "userIds" from erasures
       where purged_position > $1 order by purged_position limit $2`, [after ?? -1n, limit])
    return rows.map(({ position, subject, userIds }) => ({ position, subjects: [subject, ...userIds.map((userId) => `user-${userId}`)] }))
  }
})

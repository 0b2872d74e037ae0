// Questions to the read model `erasures`: what is due, and whose keys the log says are destroyed.
import type { Sql } from '../../../src/ports.ts'
import type { ErasureQueries } from '../../../src/queries.ts'

export const erasureQueries = (sql: Sql): ErasureQueries => ({
  // A host's clock that runs ahead must not erase too early, for that is for good: the database's has to agree.
  due: async (now, limit, after) => {
    const { rows } = await sql.query<{ subject: string, dueAt: string }>(`
      select subject, due_at as "dueAt" from erasures
       where due_at <= least($1::timestamptz, clock_timestamp()) and (due_at, subject) > ($2::timestamptz, $3)
       order by due_at, subject limit $4`,
    [now.toISOString(), after?.dueAt ?? '-infinity', after?.subject ?? '', limit], 'erasures-due')
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

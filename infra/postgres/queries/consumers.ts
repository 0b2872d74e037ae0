// What is asked of the read model `consumers`: who is registered, whose receipts came in, and who owes some.
import type { Sql } from '../../../src/ports.ts'
import type { ConsumerQueries, ConsumerRow, OverdueConsumer, ReceiptRow } from '../../../src/account-queries.ts'

const COLUMNS = `name, consumer_group as "group", overdue_ms as "overdueMs", registered_at as "registeredAt",
  registered_position as "registeredPosition", retired_at as "retiredAt", first_position as "firstPosition", position, revision`

/**
 * Entries past their time without a receipt, at most so many for each consumer. Parameters: now, names and positions up
 * to which nothing is owed, limit. A receipt for a later entry of the same account settles the earlier ones (ADR 0133). The search begins there, so what was settled long ago costs nothing.
 */
const OVERDUE = `
select c.name as consumer, o.count, o.oldest, coalesce(o.oldest - 1, o.due_to, f.settled_to) as "settledTo"
  from consumers c
  left join unnest($2::text[], $3::int8[]) as f (name, settled_to) on f.name = c.name
  cross join lateral (
    select count(*) filter (where owed) as count, min(position) filter (where owed) as oldest, max(position) as due_to from (
      select e.position, not exists (select from receipts r where r.consumer = c.name and r.user_id = e.user_id and r.event_position >= e.position) as owed
        from lifecycle_entries e
       where e.position > greatest(c.registered_position, coalesce(f.settled_to, 0)) and e.created < $1::timestamptz - c.overdue_ms * interval '1 ms'
       order by e.position limit $4) due) o
 where c.retired_at is null order by c.name`

export const consumerQueries = (sql: Sql): ConsumerQueries => ({
  page: async ({ after }, limit) => (await sql.query<ConsumerRow>(
    `select ${COLUMNS} from consumers where first_position > $1 order by first_position limit $2`, [after ?? -1n, limit], 'consumers-page')).rows,
  registered: async () => (await sql.query<ConsumerRow>(
    `select ${COLUMNS} from consumers where retired_at is null order by first_position`, [], 'consumers-registered')).rows,
  retired: async () => (await sql.query<ConsumerRow>(
    `select ${COLUMNS} from consumers where retired_at is not null order by first_position`, [], 'consumers-retired')).rows,
  receiptsOf: async (userId) => (await sql.query<ReceiptRow>(`
    select consumer, event_position as "eventPosition", outcome, items, digest, acknowledged_at as "acknowledgedAt", position
      from receipts where user_id = $1 order by event_position, consumer limit 10000`, [userId], 'consumers-receipts-of')).rows,
  overdue: async (now, settledTo, limit) => (await sql.query<OverdueConsumer>(OVERDUE,
    [now.toISOString(), [...settledTo.keys()], [...settledTo.values()], limit], 'consumers-overdue')).rows
})

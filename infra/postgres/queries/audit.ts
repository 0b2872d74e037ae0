// The auditor's questions to the read model `audit`: pointers by any of its columns, and the intents that are open.
import type { Sql } from '../../../src/ports.ts'
import type { AuditFilter, AuditIndex, AuditPointer, OpenIntent } from '../../../src/queries.ts'

const pointer = `position, event_id as "eventId", stream, revision, type, occurred_at as "occurredAt", created,
  actor_type as "actorType", actor_id as "actorId", command_id as "commandId"`

const openIntent = `intent, intent_id as "intentId", position, event_id as "eventId", stream, revision, occurred_at as "occurredAt",
  actor_type as "actorType", actor_id as "actorId", command_id as "commandId", steps, last_step_at as "lastStepAt"`

/** Condition of each filter on its parameter. */
const conditions: Record<keyof AuditFilter, string> = {
  stream: 'stream =', type: 'type =', from: 'created >=', to: 'created <', commandId: 'command_id =', actorId: 'actor_id ='
}

export const auditQueries = (sql: Sql): AuditIndex => ({
  search: async (filter, { after, limit, direction = 'forwards' }) => {
    const values: unknown[] = []
    const where: string[] = []
    const add = (condition: string, value: unknown): void => { where.push(`${condition} $${values.push(value)}`) }
    for (const [name, condition] of Object.entries(conditions)) {
      const value = filter[name as keyof AuditFilter]
      if (value !== undefined) add(condition, value)
    }
    const forwards = direction === 'forwards'
    if (after !== undefined) add(forwards ? 'position >' : 'position <', after)
    const { rows } = await sql.query<AuditPointer>(`select ${pointer} from audit_events
      ${where.length === 0 ? '' : `where ${where.join(' and ')}`} order by position ${forwards ? 'asc' : 'desc'} limit $${values.push(limit)}`, values)
    return rows
  },
  openIntents: async ({ after, limit, intent }) => {
    const { rows } = await sql.query<OpenIntent>(`select ${openIntent} from audit_intents
      where settled_position is null and position is not null and position > $1 and ($2::text is null or intent = $2)
      order by position limit $3`, [after ?? -1n, intent ?? null, limit], 'audit-open-intents')
    return rows
  }
})

// Read model `audit`: pointers to every event for the auditor (decision 14), and every intent with how it ended.
import type { LogEvent } from '../domain/catalogue.ts'
import { intentMovesOf } from '../domain/intents.ts'
import { table, type RowOf } from './columns.ts'
import { defineLogProjector } from './define.ts'

const tables = {
  audit_events: table({
    columns: {
      position: 'int8',
      event_id: 'uuid',
      stream: 'text',
      revision: 'int8',
      type: 'text',
      occurred_at: 'timestamptz',
      created: 'timestamptz',
      actor_type: 'text',
      actor_id: 'text',
      command_id: 'text'
    },
    key: ['position'],
    indexes: ['(stream, position)', '(type, position)', '(created, position)', '(command_id, position)', '(actor_id, position)']
  }),
  // Settled ones stay, since an outcome may stand in another stream and come first.
  audit_intents: table({
    columns: {
      intent: 'text',
      intent_id: 'text',
      position: 'int8?',
      event_id: 'uuid?',
      stream: 'text?',
      revision: 'int8?',
      occurred_at: 'timestamptz?',
      actor_type: 'text?',
      actor_id: 'text?',
      command_id: 'text?',
      steps: 'int4',
      last_step_at: 'timestamptz?',
      settled_position: 'int8?'
    },
    key: ['intent', 'intent_id'],
    indexes: ['(position) where settled_position is null']
  })
}

type IntentRow = RowOf<typeof tables.audit_intents.columns>

const unknown = (intent: string, id: string): IntentRow => ({
  intent, intent_id: id, position: null, event_id: null, stream: null, revision: null, occurred_at: null,
  actor_type: null, actor_id: null, command_id: null, steps: 0, last_step_at: null, settled_position: null
})

const opened = (row: IntentRow, { position, id, stream, revision, metadata }: LogEvent): IntentRow => ({
  ...row,
  position,
  event_id: id,
  stream,
  revision,
  occurred_at: metadata.occurredAt,
  actor_type: metadata.actor.type,
  actor_id: metadata.actor.id,
  command_id: metadata.commandId
})

export const audit = defineLogProjector({
  name: 'audit',
  version: 3,
  tables,
  each: (rows, event) => {
    const { position, id, stream, revision, type, created, metadata } = event
    rows.audit_events.put({
      position, event_id: id, stream, revision, type, occurred_at: metadata.occurredAt, created: created.toISOString(),
      actor_type: metadata.actor.type, actor_id: metadata.actor.id, command_id: metadata.commandId
    })
    for (const { intent, id: intentId, move } of intentMovesOf(event)) {
      rows.audit_intents.change({ intent, intent_id: intentId }, (known) => {
        const row = known ?? unknown(intent, intentId)
        if (move === 'opens') return opened(row, event)
        if (move === 'settles') return { ...row, settled_position: row.settled_position ?? position }
        return { ...row, steps: row.steps + 1, last_step_at: metadata.occurredAt }
      })
    }
  }
})

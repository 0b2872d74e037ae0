// Read model `lifecycle`: what was published about accounts, an entry a row, and when permanent blocks were lifted (seed 003).
import type { LogEvent } from '../domain/catalogue.ts'
import type { LifecycleEvent } from '../domain/lifecycle/entry.ts'
import { table } from './columns.ts'
import { defineProjector, ignored, type RowsByTable } from './define.ts'

const tables = {
  // All that an entry is made of, but its predecessor: that is the row before it.
  lifecycle_entries: table({
    columns: {
      position: 'int8',
      event_id: 'uuid',
      event_type: 'text',
      user_id: 'uuid',
      occurred_at_ms: 'int8',
      source: 'text',
      actor_type: 'text',
      actor_id: 'text?',
      reason_code: 'text',
      trace_id: 'text?',
      /** The store's time of append: what trimming goes by. */
      created: 'timestamptz'
    },
    key: ['position'],
    indexes: ['(user_id, position)', '(created, position)']
  }),
  lifecycle_lifts: table({
    columns: { position: 'int8', user_id: 'uuid' },
    key: ['position'],
    indexes: ['(user_id, position)']
  })
}

type Rows = RowsByTable<typeof tables>

const entered = ({ lifecycle_entries: entries }: Rows, { position, id, type, data, created }: LifecycleEvent): void => entries.put({
  position, event_id: id, event_type: type, user_id: data.userId, occurred_at_ms: BigInt(data.occurredAtMs), source: data.source,
  actor_type: data.actorType, actor_id: data.actorId ?? null, reason_code: data.reasonCode, trace_id: data.traceId ?? null, created: created.toISOString()
})

const removed = ({ lifecycle_lifts: lifts }: Rows, { position, data }: Extract<LogEvent, { type: 'user.sanction_removed' }>): void => {
  if (data.code === 'permanent_block') lifts.put({ position, user_id: data.userId })
}

export const lifecycle = defineProjector({
  name: 'lifecycle',
  version: 1,
  categories: ['user'],
  tables,
  on: {
    'user.lifecycle.permanent_blocked': entered,
    'user.lifecycle.deleted': entered,
    // Nothing is published of it (seed 003, its fifth decision); the snapshot shows the block as lifted.
    'user.sanction_removed': removed,
    'user.created': ignored,
    'user.imported': ignored,
    'user.enrolment.options_issued': ignored,
    'user.enrolment.challenge_used': ignored,
    'user.enrolment.verification_failed': ignored,
    'user.passkey_registered': ignored,
    'account.ghost_reset': ignored,
    'user.registered': ignored,
    'user.profile_updated': ignored,
    'user.user_name_claim_voided': ignored,
    'user.settings_updated': ignored,
    'user.sanction_applied': ignored,
    'user.limit_set': ignored,
    'user.limit_removed': ignored,
    'user.tariff_set': ignored,
    'user.deleted': ignored,
    'user.record_opened': ignored,
    'user.legal_hold_placed': ignored,
    'user.legal_hold_lifted': ignored,
    'user.erasure_started': ignored,
    'account.purged': ignored
  }
})

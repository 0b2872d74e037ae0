// Read model `users`: the accounts (a ghost reset deletes the row) and, apart from them, the last event of each ceremony.
import type { LogEvent } from '../domain/catalogue.ts'
import type { Instant } from '../domain/event.ts'
import { table, type RowOf } from './columns.ts'
import { defineProjector, ignored, type RowsByTable } from './define.ts'

const tables = {
  users: table({
    columns: {
      user_id: 'uuid',
      tester_id: 'uuid',
      email: 'json',
      address_hash: 'text',
      created_at: 'timestamptz',
      created_type: 'text',
      created_revision: 'int8',
      credential_count: 'int4',
      credential_at: 'timestamptz?',
      credential_type: 'text?',
      credential_revision: 'int8?'
    },
    key: ['user_id'],
    indexes: ['(tester_id)', '(address_hash)']
  }),
  // A ceremony can leave a trace without an account, so it stands apart: the users row is the account and nothing else.
  ceremonies: table({
    columns: {
      user_id: 'uuid',
      last_at: 'timestamptz?',
      last_type: 'text?',
      last_revision: 'int8?',
      /** Of the account stream's last fact, whatever it was. */
      position: 'int8'
    },
    key: ['user_id']
  })
}

type Rows = RowsByTable<typeof tables>
type CeremonyRow = RowOf<typeof tables.ceremonies.columns>
type UserEvent = Extract<LogEvent, { data: { userId: string } }>

/** Notes an event of the ceremony; an imported one may be older than what is known. */
const ceremony = ({ ceremonies }: Rows, event: UserEvent, at?: Instant): void =>
  ceremonies.change({ user_id: event.data.userId }, (row): CeremonyRow => {
    const before = { last_at: null, last_type: null, last_revision: null, ...row, user_id: event.data.userId, position: event.position }
    if (at === undefined || (before.last_at !== null && Date.parse(before.last_at) > Date.parse(at))) return before
    return { ...before, last_at: at, last_type: event.type, last_revision: event.revision }
  })

export const users = defineProjector({
  name: 'users',
  version: 1,
  categories: ['user'],
  tables,
  on: {
    'user.created': (rows, event) => {
      const { userId, testerId, email, addressHash, createdAt } = event.data
      rows.users.put({
        user_id: userId, tester_id: testerId, email, address_hash: addressHash, created_at: createdAt,
        created_type: event.type, created_revision: event.revision,
        credential_count: 0, credential_at: null, credential_type: null, credential_revision: null
      })
      ceremony(rows, event, createdAt)
    },
    'user.imported': (rows, event) => {
      const { userId, testerId, email, addressHash, createdAt, passkeyPlaceholders } = event.data
      const proof = passkeyPlaceholders > 0
      rows.users.put({
        user_id: userId, tester_id: testerId, email, address_hash: addressHash, created_at: createdAt,
        created_type: event.type, created_revision: event.revision,
        credential_count: passkeyPlaceholders, credential_at: proof ? createdAt : null,
        credential_type: proof ? event.type : null, credential_revision: proof ? event.revision : null
      })
      ceremony(rows, event, createdAt)
    },
    'user.enrolment.options_issued': (rows, event) => ceremony(rows, event, event.data.issuedAt),
    'user.enrolment.challenge_used': (rows, event) => ceremony(rows, event, event.data.usedAt),
    'user.enrolment.verification_failed': (rows, event) => ceremony(rows, event, event.data.failedAt),
    'user.passkey_registered': (rows, event) => {
      rows.users.patch({ user_id: event.data.userId }, (user) => ({
        credential_count: user.credential_count + 1,
        credential_at: user.credential_at ?? event.data.registeredAt,
        credential_type: user.credential_type ?? event.type,
        credential_revision: user.credential_revision ?? event.revision
      }))
      ceremony(rows, event)
    },
    'account.ghost_reset': (rows, { data }) => {
      rows.users.remove({ user_id: data.userId })
      rows.ceremonies.remove({ user_id: data.userId })
    },
    'user.registered': ignored,
    'user.profile_updated': ignored,
    'user.user_name_claim_voided': ignored,
    'user.settings_updated': ignored,
    'user.sanction_applied': ignored,
    'user.sanction_removed': ignored,
    'user.limit_set': ignored,
    'user.limit_removed': ignored,
    'user.tariff_set': ignored,
    'user.lifecycle.permanent_blocked': ignored,
    'user.lifecycle.deleted': ignored,
    'user.deleted': ignored,
    'user.record_opened': ignored,
    'user.legal_hold_placed': ignored,
    'user.legal_hold_lifted': ignored,
    'user.erasure_started': ignored,
    'account.purged': ignored
  }
})

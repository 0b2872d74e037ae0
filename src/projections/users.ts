// Read model `users`: the accounts (a ghost reset deletes the row) and, apart from them, the last event of each ceremony.
import { beganAtOnce } from '../domain/account/account.ts'
import { limitCodes, sanctionCodes, type LimitCode, type SanctionCode } from '../domain/account/catalogues.ts'
import type { LogEvent } from '../domain/catalogue.ts'
import type { Instant } from '../domain/event.ts'
import { table, type RowOf } from './columns.ts'
import { defineProjector, type RowsByTable } from './define.ts'

/** Whether a sanction of this code stands, by the clock or not yet or no more: what the pages of a filter are found by. */
const sanctionColumns = Object.fromEntries(sanctionCodes.map((code) => [code, 'boolean'])) as Record<SanctionCode, 'boolean'>
/** The value that was set; null where the default holds. */
const limitColumns = Object.fromEntries(limitCodes.map((code) => [code, 'int4?'])) as Record<LimitCode, 'int4?'>

const tables = {
  users: table({
    columns: {
      user_id: 'uuid',
      tester_id: 'uuid?',
      email: 'json',
      address_hash: 'text',
      user_name: 'json?',
      user_name_hash: 'text?',
      display_name: 'json?',
      preferred_language: 'text?',
      time_zone: 'text?',
      tariff: 'text?',
      tariff_since: 'timestamptz?',
      tariff_until: 'timestamptz?',
      /** Those that were not removed, in the order in which they were applied; the clock says which count. */
      sanctions: 'json',
      ...sanctionColumns,
      ...limitColumns,
      created_at: 'timestamptz',
      created_type: 'text',
      created_revision: 'int8',
      /** Nothing but enrolment facts so far; the twin of `shell` in src/domain/user/user.ts (decision 19). */
      shell: 'boolean',
      credential_count: 'int4',
      credential_at: 'timestamptz?',
      credential_type: 'text?',
      credential_revision: 'int8?',
      deleted_at: 'timestamptz?',
      purge_after: 'timestamptz?',
      purged_at: 'timestamptz?',
      /** Of the account's first and last fact. */
      first_position: 'int8',
      position: 'int8',
      revision: 'int8'
    },
    key: ['user_id'],
    indexes: [
      '(tester_id) where tester_id is not null', '(address_hash)', '(user_name_hash) where user_name_hash is not null', '(created_at)',
      '(first_position)', '(first_position) where deleted_at is null', '(tariff, first_position) where tariff is not null',
      ...sanctionCodes.map((code) => `(first_position) where ${code}`),
      ...limitCodes.map((code) => `(${code}, first_position) where ${code} is not null`)
    ]
  }),
  // A ceremony can leave a trace without an account, so it stands apart: the users row is the account and nothing else.
  ceremonies: table({
    columns: {
      user_id: 'uuid',
      last_at: 'timestamptz?',
      last_type: 'text?',
      last_revision: 'int8?',
      /** Of the ceremony's last fact; the account's own facts move the users row. */
      position: 'int8'
    },
    key: ['user_id']
  })
}

/** A sanction as the row keeps it. */
export interface SanctionInRow { sanction_id: string, code: SanctionCode, scope: string, starts_at: Instant, at_once: boolean, expires_at: Instant | null }

type Rows = RowsByTable<typeof tables>
type Row = RowOf<typeof tables.users.columns>
type CeremonyRow = RowOf<typeof tables.ceremonies.columns>
type UserEvent = Extract<LogEvent, { data: { userId: string } }>
type Arrival = Extract<LogEvent, { type: 'user.created' | 'user.imported' | 'user.registered' }>

const enrolmentFacts: ReadonlySet<string> = new Set<UserEvent['type']>([
  'user.enrolment.options_issued', 'user.enrolment.challenge_used', 'user.enrolment.verification_failed', 'user.passkey_registered'
])

/** Changes the account's row and moves its place in the log along; without an account nothing happens. */
const patch = ({ users }: Rows, event: UserEvent, columns: (row: Row) => Partial<Row> = () => ({})): void =>
  users.patch({ user_id: event.data.userId }, (row) => (
    { ...columns(row), shell: row.shell && enrolmentFacts.has(event.type), position: event.position, revision: event.revision }))

/** Notes an event of the ceremony; an imported one may be older than what is known. */
const ceremony = ({ ceremonies }: Rows, event: UserEvent, at?: Instant): void =>
  ceremonies.change({ user_id: event.data.userId }, (row): CeremonyRow => {
    const before = { last_at: null, last_type: null, last_revision: null, ...row, user_id: event.data.userId, position: event.position }
    if (at === undefined || (before.last_at !== null && Date.parse(before.last_at) > Date.parse(at))) return before
    return { ...before, last_at: at, last_type: event.type, last_revision: event.revision }
  })

const step = (rows: Rows, event: UserEvent, at: Instant): void => {
  patch(rows, event)
  ceremony(rows, event, at)
}

const noSanctions = Object.fromEntries(sanctionCodes.map((code) => [code, false])) as Record<SanctionCode, boolean>
const noLimits = Object.fromEntries(limitCodes.map((code) => [code, null])) as Record<LimitCode, null>

const arrived = (rows: Rows, event: Arrival, createdAt: Instant, columns: Partial<Row>): void => rows.users.put({
  user_id: event.data.userId, tester_id: null, email: event.data.email, address_hash: event.data.addressHash,
  user_name: null, user_name_hash: null, display_name: null, preferred_language: null, time_zone: null,
  tariff: null, tariff_since: null, tariff_until: null, sanctions: [], ...noSanctions, ...noLimits,
  created_at: createdAt, created_type: event.type, created_revision: event.revision, shell: event.type !== 'user.registered',
  credential_count: 0, credential_at: null, credential_type: null, credential_revision: null,
  deleted_at: null, purge_after: null, purged_at: null,
  first_position: event.position, position: event.position, revision: event.revision, ...columns
})

const sanctioned = (sanctions: SanctionInRow[]): Partial<Row> =>
  ({ sanctions, ...noSanctions, ...Object.fromEntries(sanctions.map(({ code }) => [code, true])) })

const settings = ({ preferredLanguage, timeZone }: { preferredLanguage?: string, timeZone?: string }): Partial<Row> => ({
  ...preferredLanguage !== undefined && { preferred_language: preferredLanguage },
  ...timeZone !== undefined && { time_zone: timeZone }
})

export const users = defineProjector({
  name: 'users',
  version: 4,
  categories: ['user'],
  tables,
  on: {
    'user.created': (rows, event) => {
      const { testerId, createdAt } = event.data
      arrived(rows, event, createdAt, { tester_id: testerId })
      ceremony(rows, event, createdAt)
    },
    'user.imported': (rows, event) => {
      const { testerId, createdAt, passkeyPlaceholders } = event.data
      const proof = { credential_count: passkeyPlaceholders, credential_at: createdAt, credential_type: event.type, credential_revision: event.revision }
      arrived(rows, event, createdAt, { tester_id: testerId, ...passkeyPlaceholders > 0 && proof })
      ceremony(rows, event, createdAt)
    },
    'user.registered': (rows, event) => arrived(rows, event, event.data.registeredAt, settings(event.data)),
    'user.enrolment.options_issued': (rows, event) => step(rows, event, event.data.issuedAt),
    'user.enrolment.challenge_used': (rows, event) => step(rows, event, event.data.usedAt),
    'user.enrolment.verification_failed': (rows, event) => step(rows, event, event.data.failedAt),
    'user.passkey_registered': (rows, event) => {
      patch(rows, event, (user) => ({
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
    'user.profile_updated': (rows, event) => {
      const { userName, userNameHash, displayName, displayNameRemoved } = event.data
      patch(rows, event, () => ({
        ...userName !== undefined && { user_name: userName },
        ...userNameHash !== undefined && { user_name_hash: userNameHash },
        ...displayName !== undefined ? { display_name: displayName } : displayNameRemoved === true && { display_name: null }
      }))
    },
    'user.settings_updated': (rows, event) => patch(rows, event, () => settings(event.data)),
    'user.sanction_applied': (rows, event) => {
      const { sanctionId, code, scope, startsAt, expiresAt } = event.data
      const atOnce = beganAtOnce(event.data)
      const sanction: SanctionInRow = { sanction_id: sanctionId, code, scope, starts_at: startsAt, at_once: atOnce, expires_at: expiresAt ?? null }
      patch(rows, event, (row) => sanctioned([...row.sanctions as SanctionInRow[], sanction]))
    },
    'user.sanction_removed': (rows, event) => patch(rows, event, (row) =>
      sanctioned((row.sanctions as SanctionInRow[]).filter(({ sanction_id: id }) => id !== event.data.sanctionId))),
    'user.limit_set': (rows, event) => patch(rows, event, () => ({ [event.data.code]: event.data.value })),
    'user.limit_removed': (rows, event) => patch(rows, event, () => ({ [event.data.code]: null })),
    'user.tariff_set': (rows, event) => {
      const { code, since, until } = event.data
      patch(rows, event, () => ({ tariff: code, tariff_since: since, tariff_until: until ?? null }))
    },
    'user.deleted': (rows, event) => patch(rows, event, () => ({ deleted_at: event.data.deletedAt, purge_after: event.data.purgeAfter })),
    'account.purged': (rows, event) => patch(rows, event, () => ({ purged_at: event.data.purgedAt })),
    'user.user_name_claim_voided': (rows, event) => patch(rows, event),
    'user.lifecycle.permanent_blocked': (rows, event) => patch(rows, event),
    'user.lifecycle.deleted': (rows, event) => patch(rows, event),
    'user.record_opened': (rows, event) => patch(rows, event),
    'user.legal_hold_placed': (rows, event) => patch(rows, event),
    'user.legal_hold_lifted': (rows, event) => patch(rows, event),
    'user.erasure_started': (rows, event) => patch(rows, event)
  }
})

// The read ports of accounts: their list, their lifecycle entries, and the consumers that follow these.
import type { LimitCode, SanctionCode } from './domain/account/catalogues.ts'
import type { Instant } from './domain/event.ts'
import type { LifecycleType } from './domain/lifecycle/fields.ts'
import type { Sealed } from './domain/personal.ts'

// --- accounts (a list; whether a caller may, and what an account may do, is decided from the streams) ----------------

/** An account as the admin's list shows it; personal fields as the events have them. */
export interface UserRow {
  userId: string
  testerId: string | null
  email: Sealed
  userName: Sealed | null
  displayName: Sealed | null
  preferredLanguage: string | null
  timeZone: string | null
  tariff: string | null
  tariffSince: Instant | null
  tariffUntil: Instant | null
  /** Those that were not removed, in the order in which they were applied. */
  sanctions: Array<{ sanction_id: string, code: SanctionCode, scope: string, starts_at: Instant, at_once: boolean, expires_at: Instant | null }>
  /** Those that were set. */
  limits: Partial<Record<LimitCode, number>>
  createdAt: Instant
  credentialCount: number
  deletedAt: Instant | null
  purgeAfter: Instant | null
  purgedAt: Instant | null
  /** Of the account's first and last fact. */
  firstPosition: bigint
  position: bigint
  revision: bigint
}

export interface UserFilter {
  /** Keyed hash of the exact address; of the exact user name. */
  addressHash?: string
  userNameHash?: string
  testerId?: string
  /** Code of a sanction that counts at `now`. */
  sanction?: SanctionCode
  /** A limit that was set; to this value, if one is named. */
  limit?: { code: LimitCode, value?: number }
  /** Code of the tariff that holds at `now`. */
  tariff?: string
  /** From inclusive, to exclusive. */
  createdFrom?: Instant
  createdTo?: Instant
  includeDeleted: boolean
}

export interface UserQueries {
  /** By the order of arrival, or the newest first; `after` is the first position of the last row of the page before. */
  page (filter: UserFilter, page: { after?: bigint, limit: number, direction: 'forwards' | 'backwards', now: Date }): Promise<UserRow[]>
}

// --- the lifecycle entries, as the log has them ----------------------------------------------------------------------

/** A lifecycle event with all that its entry is made of, but its predecessor. */
export interface LifecycleRow {
  position: bigint
  eventId: string
  eventType: LifecycleType
  userId: string
  occurredAtMs: bigint
  source: string
  actorType: 'principal' | 'person' | 'system'
  actorId: string | null
  reasonCode: string
  traceId: string | null
}

export interface LifecycleQueries {
  /**
   * The last entry of each user who has one, oldest first, as of a position (default: all that is known here); `lifted`:
   * the block was removed since.
   */
  snapshot (page: { asOf?: bigint, after?: bigint, limit: number }): Promise<{ asOf: bigint, rows: Array<LifecycleRow & { lifted: boolean }> }>
  /** The entries of (after, to], oldest first. */
  entries (range: { after: bigint, to: bigint }, limit: number): Promise<LifecycleRow[]>
  /** Position of the last entry at or before `upTo`; 0 if there is none. */
  lastAt (upTo: bigint): Promise<bigint>
  /** Position of the last entry appended before a moment; 0 if there is none. */
  lastBefore (moment: Date): Promise<bigint>
}

// --- consumers of the lifecycle stream, and their receipts -----------------------------------------------------------

export interface ConsumerRow {
  name: string
  group: string
  overdueMs: bigint
  registeredAt: Instant
  /** What was appended before it, nobody waits for. */
  registeredPosition: bigint
  retiredAt: Instant | null
  firstPosition: bigint
  position: bigint
  revision: bigint
}

export interface ReceiptRow {
  consumer: string
  /** Of the entry that it is about. */
  eventPosition: bigint
  outcome: string
  items: number
  digest: string
  acknowledgedAt: Instant
  position: bigint
}

/** What a registered consumer owes at a moment. */
export interface OverdueConsumer {
  consumer: string
  /** Entries past their time without a receipt, as far as was looked. */
  count: bigint
  oldest: bigint | null
  /** Up to here nothing is owed: where the next look may begin. */
  settledTo: bigint | null
}

export interface ConsumerQueries {
  /** By the order in which they were first registered, retired ones too; `after` is the first position of the last row of the page before. */
  page (filter: { after?: bigint }, limit: number): Promise<ConsumerRow[]>
  /** All that were not retired. */
  registered (): Promise<ConsumerRow[]>
  /** All that were, and are not registered again. */
  retired (): Promise<ConsumerRow[]>
  receiptsOf (userId: string): Promise<ReceiptRow[]>
  /**
   * Also needs the read model `lifecycle`.
   * @param settledTo by consumer, what an earlier answer said
   * @param limit entries looked at for each consumer
   */
  overdue (now: Date, settledTo: ReadonlyMap<string, bigint>, limit: number): Promise<OverdueConsumer[]>
}

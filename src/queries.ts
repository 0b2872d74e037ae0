// The read ports: what routes and commands may ask of the read models; infra/postgres/queries and the engine answer.
import type { Instant } from './domain/event.ts'
import type { Sealed } from './domain/personal.ts'
import type { GhostCheckRequest, GhostVerdict } from './account-ports.ts'

// --- positions, and how far the read models are ------------------------------------------------------------------

export interface LaggingProjection {
  name: string
  /** Position of the last event it has applied; 0 when there is none. */
  readTo: bigint
  /** `filling`: it has not caught up with the log since it was made or its version rose, so it does not serve yet. */
  reason: 'behind' | 'filling'
  /** Time of append between the last event applied and the last of ours, as `ProjectionStatus` has it. */
  lagMs: number | undefined
}

export interface Positions {
  /**
   * Waits until every named read model serves and has applied the log up to `position` (0: until it serves).
   * @param timeoutMs default 2,000
   * @returns undefined, or those that are not there yet
   * @throws Refusal `read_models_unavailable`
   */
  waitFor (projections: readonly string[], position: bigint, timeoutMs?: number): Promise<readonly LaggingProjection[] | undefined>
}

// --- operations ----------------------------------------------------------------------------------------------------

/** What stopped a read model: names the event, holds no data of it. */
export interface ProjectionAlarm {
  projection: string
  reason: 'unreadable_event' | 'handler_failed' | 'log_forked'
  message: string
  hint: string
  stream?: string
  revision?: string
  position?: string
  type?: string
}

export interface ProjectionStatus {
  name: string
  version: number
  generation: number
  /** serving · filling (not served yet) · stopped (an alarm) · superseded (a newer version serves: this code is old). */
  state: 'serving' | 'filling' | 'stopped' | 'superseded'
  /** What this process does for it. */
  here: 'works' | 'stands_by' | 'retries' | 'stopped' | 'starting' | 'none'
  /** Position of the last event applied; 0 when there is none. */
  position: bigint
  /** Position of the last event of ours in the log; undefined if the log does not answer. */
  head: bigint | undefined
  /** Time of append between the last event applied and the last of ours; 0 when caught up. */
  lagMs: number | undefined
  alarm?: ProjectionAlarm
}

export interface ProjectionJob {
  projection: string
  /** Number of the generation that the job fills: its id. */
  generation: number
  kind: 'rebuild' | 'verify'
  /** `failed`: an alarm stopped it; the event it names is the reason. A restart tries again. */
  state: 'running' | 'done' | 'aborted' | 'failed'
  /** Positions: how far it is, and how far the log is. */
  done: bigint
  total: bigint
  /** Of a verification that is done. */
  result?: VerifyResult
  alarm?: ProjectionAlarm
}

export interface VerifyResult {
  /** Position up to which both were folded. */
  position: string
  rows: number
  /** Rows that the fold has and the read model has not; the other way round; in both with other bytes. */
  missing: number
  unexpected: number
  different: number
  /** At most 20 of them, by primary key. */
  samples: Array<{ table: string, kind: 'missing' | 'unexpected' | 'different', key: string }>
}

/** What operators do with read models. Unknown names: Refusal `subject_not_found`. */
export interface ProjectionOperations {
  list (): Promise<ProjectionStatus[]>
  jobs (projection?: string): Promise<ProjectionJob[]>
  /** Fills the next generation beside the serving one and switches; joins one that is under way. */
  rebuild (projection: string): Promise<ProjectionJob>
  /** Folds again and compares byte for byte; joins one that is under way. */
  verify (projection: string): Promise<ProjectionJob>
  job (projection: string, generation: number): Promise<ProjectionJob>
  /** Refuses with `conflict` what is not running. */
  abort (projection: string, generation: number): Promise<ProjectionJob>
}

// --- the auditor's index (decision 14) -----------------------------------------------------------------------------

/** Points to an event; its body is read from the log. */
export interface AuditPointer {
  position: bigint
  eventId: string
  stream: string
  revision: bigint
  type: string
  occurredAt: Instant
  /** The store's time of append. */
  created: Instant
  actorType: string
  actorId: string
  commandId: string
}

export interface AuditFilter {
  stream?: string
  type?: string
  /** The store's time of append: from inclusive, to exclusive. */
  from?: Instant
  to?: Instant
  commandId?: string
  actorId?: string
}

/** An intent without an outcome (src/domain/intents.ts). */
export interface OpenIntent {
  /** Event type of the intent. */
  intent: string
  /** What tells it from others of its kind: a reset id, a mail id, … */
  intentId: string
  stream: string
  revision: bigint
  position: bigint
  eventId: string
  occurredAt: Instant
  actorType: string
  actorId: string
  commandId: string
  /** Facts that were recorded on the way (`mail.attempted`), and when the last one was. */
  steps: number
  lastStepAt: Instant | null
}

export interface AuditIndex {
  /** Oldest first, or newest first; `after` is the position of the last pointer of the page before (exclusive in both directions). */
  search (filter: AuditFilter, page: { after?: bigint, limit: number, direction?: 'forwards' | 'backwards' }): Promise<AuditPointer[]>
  /** Oldest first. */
  openIntents (page: { after?: bigint, limit: number, intent?: string }): Promise<OpenIntent[]>
}

// --- testers, their links, and the ghost verdict that an operator sees ----------------------------------------------

/** A tester as the console's list shows it: the current link, its mail, and an open reset. */
export interface TesterRow {
  testerId: string
  origin: 'invited' | 'imported'
  email: Sealed
  name: Sealed | null
  addressHash: string
  invitedAt: Instant
  tokenId: string | null
  userId: string | null
  linkStatus: 'unused' | 'consumed' | null
  linkMintedAt: Instant | null
  linkExpiresAt: Instant | null
  linkOpenedAt: Instant | null
  /** Revision and type of the fact that says the link was opened. */
  linkOpenedRevision: bigint | null
  linkOpenedType: string | null
  mailStatus: 'requested' | 'attempted' | 'sent' | 'failed' | null
  openResetId: string | null
  completedResets: number
  /** Of the tester's first and last fact. */
  firstPosition: bigint
  position: bigint
  revision: bigint
}

/** Deleted testers are in none of the answers but `holders`. */
export interface TesterQueries {
  /** By the order of their arrival; `after` is the first position of the last row of the page before. */
  page (filter: { after?: bigint, usedLink?: boolean, addressHash?: string }, limit: number): Promise<{ rows: TesterRow[], readTo: bigint }>
  one (testerId: string): Promise<{ row: TesterRow | undefined, readTo: bigint }>
  /** Who has one of these addresses; a deleted tester has it still. */
  holders (addressHashes: readonly string[]): Promise<Array<{ addressHash: string, testerId: string, origin: string, deleted: boolean }>>
  /** Accounts of all links that the tester ever had, oldest first. */
  userIds (testerId: string): Promise<string[]>
}

export interface GhostQueries {
  /**
   * One verdict a request, in their order, all from one statement over the accounts side's own tables, as of `now`
   * (decision 21). `owner` is the account's tester, if there is an account; `nobody` where no enrolment made it. `exempt`
   * says why the verdict is not to be given out: the account is deleted, or holds more than an enrolment and no credential.
   */
  verdicts (requests: readonly GhostCheckRequest[], now: Date, graceMs: number): Promise<Array<GhostVerdict & { owner: string | null, exempt: 'deleted' | 'not_a_shell' | null }>>
}

// --- erasures ------------------------------------------------------------------------------------------------------

export interface DueErasure {
  /** `user-…` or `tester-…`: the stream, and whose key it is. */
  subject: string
  dueAt: Instant
}

export interface ErasureQueries {
  /** Due by `now` and by the database's own clock, the longest due first; what is due the stream decides. */
  due (now: Date, limit: number, after?: DueErasure): Promise<DueErasure[]>
  /** The last event that the read model knows; undefined while it does not serve, or knows none. */
  known (): Promise<{ position: bigint, eventId: string } | undefined>
  /** Ended erasures in the order of the log, each with all subjects whose keys it destroyed. */
  purged (limit: number, after?: bigint): Promise<Array<{ position: bigint, subjects: string[] }>>
}

// --- who may call (a list; whether a caller may is decided from the streams) ---------------------------------------

export interface PrincipalRow {
  principalId: string
  kind: 'operator' | 'service'
  name: Sealed
  roles: string[]
  /** Token id → expiry or null, of those that were not revoked. */
  tokens: Record<string, Instant | null>
  createdAt: Instant
  firstPosition: bigint
  position: bigint
  revision: bigint
}

export interface PrincipalQueries {
  /** By the order in which they were made known; `after` is the first position of the last row of the page before. */
  page (filter: { after?: bigint }, limit: number): Promise<PrincipalRow[]>
}

// A rotation as its facts say it is: the states of seed 004, each consumer's progress, and what a reader is shown.
import type { Exchange } from '../credential/fields.ts'
import type { Subscriber } from '../credential/manifest.ts'
import type { Actor, Instant } from '../event.ts'
import type { distributeStatuses, modes, proofOutcomes, purposes, ticketChecks, triggers, vainAsks } from './events.ts'

/** States that wait for a human. In `distribute_partial` a late acknowledgement may lead on as well. */
const waitingStates = ['opened', 'verified', 'verify_failed', 'mint_failed', 'distribute_partial', 'distributed', 'validation_failed', 'validated'] as const
/** States in which the service is at work, and nobody is asked for anything. */
const workingStates = [
  'verifying', 'minting', 'mint_outcome_unknown', 'distributing', 'validating', 'confirming', 'revoking', 'revoke_unconfirmed', 'abort_checking', 'aborting'
] as const
const endStates = ['done', 'aborted'] as const

/** Every state of a job. */
export const jobStates = [...waitingStates, ...workingStates, ...endStates] as const
export type JobState = (typeof jobStates)[number]

const working: ReadonlySet<JobState> = new Set(workingStates)
const ends: ReadonlySet<JobState> = new Set(endStates)

/** True while the service is at work: whoever asked waits for the next state that waits for a human, or is an end. */
export const isWorking = (state: JobState): boolean => working.has(state)
export const hasEnded = (state: JobState): boolean => ends.has(state)

/** What an operator may ask for: one POST each. */
export const stepNames = ['verify', 'distribute', 'retry', 'validate', 'waive', 'revoke', 'abort'] as const
export type StepName = (typeof stepNames)[number]

export type Mode = (typeof modes)[number]
export type TicketCheck = (typeof ticketChecks)[number]
export type Trigger = (typeof triggers)[number]
export type DistributeStatus = (typeof distributeStatuses)[number]
export type ProofOutcome = (typeof proofOutcomes)[number]
export type Purpose = (typeof purposes)[number]
export type VainAsk = (typeof vainAsks)[number]

/** What is known of one consumer within a job. */
export interface ConsumerProgress extends Subscriber {
  distributeStatus: DistributeStatus
  deliverySeq: number | undefined
  tries: number
  /** In one sentence of ours; never a secret. */
  lastError: string | undefined
  sentAt: Instant | undefined
  endedAt: Instant | undefined
  proof: Subscriber['proof']
  /** Of the new value; on the way back of the old one. */
  proofOutcome: ProofOutcome | undefined
  provedAt: Instant | undefined
  waived: { by: Actor, at: Instant, ticket: string | undefined } | undefined
}

/** What a reader is shown of a job: API, event stream, board and transcript are made of this. */
export interface JobView {
  credential: string
  rotationId: string
  mode: Mode
  trigger: Trigger
  state: JobState
  /** One sentence: what this state means, and what to do next. */
  meaning: string
  /** Number of the last stage transition: the job's ETag (decision 32). */
  transition: number
  manifestVersion: number
  openedAt: Instant
  openedBy: Actor
  changedAt: Instant
  endedAt: Instant | undefined
  /** What was done about the last ticket that was named; `format`: only its form was looked at, there is no ticket system. */
  ticketCheck: TicketCheck | undefined
  oldValue: { valueId: string, vendorTokenId: string | undefined }
  newValue: { valueId: string, vendorTokenId: string | undefined, fingerprint: string } | undefined
  /** The exchange that made a stage fail: the vendor's own status and body. */
  failure: Exchange | undefined
  consumers: ConsumerProgress[]
  /** The gate before revoking: open, or why not, naming the consumers. */
  gate: { open: boolean, closedBy: Array<{ consumer: string | undefined, why: string }> }
  /** What may be asked for now. */
  steps: StepName[]
  /** What abort would mean now, in one sentence; undefined where it is not offered. */
  abortMeans: string | undefined
  /** Ids of tokens at the vendor that are new since a minting whose outcome is unknown, at most one of them ours: none is revoked (ADR 0154). */
  unexplained: readonly string[]
  /** Something an operator should look at: how long it has waited already. */
  alarm: string | undefined
}

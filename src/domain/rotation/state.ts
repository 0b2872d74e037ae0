// What the facts of one rotation add up to: the fold's state, from which is derived what is due, offered and shown.
import type { Exchange } from '../credential/fields.ts'
import type { Subscriber } from '../credential/manifest.ts'
import type { Actor, Instant } from '../event.ts'
import type { DistributeStatus, JobState, Mode, ProofOutcome, Purpose, TicketCheck, Trigger, VainAsk } from './job.ts'

/** One consumer in one job: what it was given, what it proved. */
export interface ConsumerState {
  subscriber: Subscriber
  status: DistributeStatus
  /** The last delivery that was announced for it. */
  delivery: { seq: number, valueId: string, startedAt: Instant } | undefined
  /** False where a delivery is still to be announced: after a joining, a changed address, a retry, or at the beginning. */
  announced: boolean
  tries: number
  lastTryAt: Instant | undefined
  sentAt: Instant | undefined
  endedAt: Instant | undefined
  lastError: string | undefined
  /** True once something was sent to it, or it fetched the new value itself: it may hold it. */
  mayHoldNew: boolean
  /** Came while the rotation was open, or moved to another address: it may have no value at all from before. */
  joined: boolean
  /** Its last answer to a nonce: of the new value, on the way back of the old one. */
  probe: { round: number, tries: number, outcome: ProofOutcome, at: Instant } | undefined
  provedAt: Instant | undefined
  waived: { by: Actor, at: Instant, ticket: string | undefined } | undefined
}

/** A pasted value as a fact may know it. */
export interface Pasted { valueId: string, fingerprint: string, vendorTokenId?: string, expiresAt?: Instant }

/** A minting: asked for by an operator, claimed by a process, and what came of it. */
export interface Minting {
  attempt: number
  status: 'requested' | 'started' | 'minted' | 'failed' | 'unknown' | 'settled'
  valueId: string | undefined
  label: string | undefined
  /** Made by hand: in the vault already, and not tried yet. */
  pasted: Pasted | undefined
  /** When the status changed. */
  at: Instant
}

export interface NewValue { valueId: string, fingerprint: string, vendorTokenId: string | undefined, expiresAt: Instant | undefined }

/** One round of proofs; `manifestVersion` is the one it was begun at. */
export interface Round { number: number, purpose: Purpose, startedAt: Instant, manifestVersion: number }

/** Revoking at the vendor: of the old value, or on the way back of the new one. */
export interface Revoking {
  attempt: number
  firstStartedAt: Instant
  startedAt: Instant
  answer: 'revoked' | 'refused' | 'unknown' | undefined
  answeredAt: Instant | undefined
}

/** What the vendor was last asked for in vain, how often in a row, and what came back. */
export interface Vain { asked: VainAsk, tries: number, since: Instant, at: Instant, exchange: Exchange | undefined }

/** The way back. `giveBack`: who may have taken the new value. `failedRounds`: in how many rounds not all of them proved the old one, last at `unprovedAt`. */
export interface Abort {
  from: JobState
  requestedAt: Instant
  startedAt: Instant | undefined
  giveBack: readonly string[]
  checkedDead: boolean
  /** True where it is taken for dead because the vault does not hold it: it can neither be tried nor given back. */
  oldMissing: boolean
  failedRounds: number
  unprovedAt: Instant | undefined
}

export interface Job {
  rotationId: string
  mode: Mode
  trigger: Trigger
  state: JobState
  transition: number
  openedAt: Instant
  /** What was done about the last ticket that was named. */
  ticketCheck: TicketCheck | undefined
  openedBy: Actor
  changedAt: Instant
  endedAt: Instant | undefined
  oldValue: { valueId: string, vendorTokenId: string | undefined }
  newValue: NewValue | undefined
  failure: Exchange | undefined
  vain: Vain | undefined
  verifyAttempt: number
  minting: Minting | undefined
  /** True once the outcome of a minting was unknown: something of it may come late. */
  wasUnknown: boolean
  /** Where the vendor's list knows no labels: what it showed before the last minting. */
  listedBefore: readonly string[] | undefined
  /** Tokens that are new there since an unknown minting, and that nobody can tell from ours: told, and left alone. */
  unexplained: readonly string[]
  /** Announced, and not known to be gone. */
  orphan: { vendorTokenId: string, foundAt: Instant } | undefined
  /** The last time that an orphan was found or revoked, or that tokens were found that nobody can tell from one. */
  orphanAt: Instant | undefined
  distribution: { attempt: number, endedAt: Instant | undefined }
  consumers: ReadonlyMap<string, ConsumerState>
  /** Rounds of proofs so far. */
  rounds: number
  round: Round | undefined
  validatedAt: Instant | undefined
  /** True if the last gate that closed did because the vendor refuses the new value. */
  newRefused: boolean
  gateClosed: { why: string, consumers: readonly string[], at: Instant } | undefined
  revoking: Revoking | undefined
  refusals: { inARow: number, probes: number, probedAt: Instant | undefined }
  unconfirmedSince: Instant | undefined
  abort: Abort | undefined
  newRevoking: Revoking | undefined
  /** The process that appended the reactor's last fact, and when. */
  holder: { id: string, at: Instant } | undefined
}

/** What an ended job leaves behind. `vendorTokenId`: of the value that it brought into use. */
export interface PastRotation { rotationId: string, end: 'done' | 'aborted', endedAt: Instant, vendorTokenId: string | undefined }

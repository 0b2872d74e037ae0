// The read ports of credentials and their rotations; infra/postgres/queries/rotations.ts answers.
import type { Manifest, VendorKind } from './domain/credential/manifest.ts'
import type { Credential } from './domain/credential/state.ts'
import type { Actor, Instant } from './domain/event.ts'
import type { Sealed } from './domain/personal.ts'
import type { JobState, Mode, Trigger } from './domain/rotation/job.ts'

/** A credential as the inventory shows it. */
export interface CredentialRow {
  credential: string
  sensitivity: Manifest['sensitivity']
  vendor: VendorKind
  ownerName: Sealed
  valueSince: Instant | null
  expiresAt: Instant | null
  /** From here on a rotation is due; null: never. */
  dueAt: Instant | null
  lastCompletedAt: Instant | null
  openRotationId: string | null
  openState: JobState | null
  position: bigint
}

export interface RotationRow {
  rotationId: string
  mode: Mode
  trigger: Trigger
  state: JobState
  openedAt: Instant
  openedBy: Actor
  changedAt: Instant
  endedAt: Instant | null
  firstPosition: bigint
  position: bigint
}

/** Something that the schedule has to do: open a rotation, or go on with one that it opened. */
export interface DueRotation {
  credential: string
  /** Of the open rotation, which the schedule opened itself; null: none is open, and one is due. */
  rotationId: string | null
  dueAt: Instant
}

export interface RotationQueries {
  /** Due first, those that never are last. `after` is the place of the last row of the page before. */
  inventory (filter: { dueBy?: Date, after?: { dueAt: Instant | null, credential: string } }, limit: number): Promise<CredentialRow[]>
  /** The newest first; `before` is the first position of the last row of the page before. */
  rotationsOf (credential: string, page: { before?: bigint }, limit: number): Promise<RotationRow[]>
  /** The open ones, and ended ones that left somebody without a value, 10,000 at most, folded as far as the read model is: for figures, not for decisions. */
  open (): Promise<Credential[]>
  /** How many credentials are due by then, with no rotation open. */
  dueCount (by: Date): Promise<number>
  /**
   * What the schedule may have to do; what is to be done, the stream decides. A rotation that was given up since
   * `notAbortedSince` is not opened again.
   */
  due (now: Date, notAbortedSince: Date, limit: number, after?: string): Promise<DueRotation[]>
}

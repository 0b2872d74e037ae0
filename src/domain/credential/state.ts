// What the facts of a credential add up to.
import type { Instant } from '../event.ts'
import type { Job, PastRotation } from '../rotation/state.ts'
import type { Manifest } from './manifest.ts'

export interface CurrentValue {
  valueId: string
  fingerprint: string
  vendorTokenId: string | undefined
  expiresAt: Instant | undefined
  since: Instant
}

export interface KnownCredential {
  status: 'known'
  name: string
  /** Of the manifest. */
  version: number
  manifest: Manifest
  value: CurrentValue | undefined
  /** The open one, or the last. */
  job: Job | undefined
  past: ReadonlyMap<string, PastRotation>
  lastCompletedAt: Instant | undefined
  /** The highest `delivery_seq` that was ever announced. */
  deliverySeq: number
  /** What each consumer was given last, in whatever job. */
  held: ReadonlyMap<string, { valueId: string, seq: number }>
  /** To which credential which value was lent last, and for which stage of what rotation. */
  lent: ReadonlyMap<string, { valueId: string, rotationId: string | undefined, transition: number | undefined }>
  /** Values out of use that the vault still holds. */
  superseded: ReadonlyMap<string, { destroyAfter: Instant }>
}

export type Credential = { status: 'absent' } | KnownCredential

// What the console needs of the accounts side; src/commands/accounts provides it in process, infra/accounts over HTTP.
import type { Static } from '@sinclair/typebox'
import type { Instant } from './domain/event.ts'
import type { Evidence, GhostState } from './domain/user/events.ts'
import type { ResetState } from './domain/user/user.ts'

export interface GhostCheckRequest { testerId: string, userId: string, linkOpenedAt: Instant }

export interface GhostVerdict {
  state: Static<typeof GhostState>
  /** Only for `mid_enrollment`: when it will be a ghost. */
  becomesGhostAt?: Instant
  rule: string
  thresholdMs: number
  evidence: Array<Static<typeof Evidence>>
  evaluatedAtPosition: bigint
  /** Position of the account's last fact; 0 if it has none. */
  accountPosition: bigint
}

export interface GhostDeleteRequest extends GhostCheckRequest {
  resetId: string
  /** Of the tester's address: freed if the account claimed it and was never made. */
  addressHash?: string
  /** The moment as of which it is judged, so that everybody who joins a reset gets one verdict; never later than now. */
  initiatedAt: Instant
  /** Refused with `verdict_stale` if the account's stream moved past it. */
  evaluatedAtPosition?: bigint
  /** Free text of the operator, sealed under the account's subject. */
  reason?: string
  reasonCode?: string
  ticket?: string
  correlationId?: string
  /** The calling service, where the actor is somebody else. */
  source?: string
  requestId: string
  actor: { type: 'principal' | 'person' | 'system', id: string }
}

/**
 * The accounts side as the console sees it (seed 000: two services, two owners). Adapters: in process and HTTP.
 * Throws Refusal with the accounts side's codes, `accounts_unavailable` when it cannot be reached.
 */
export interface AccountsGateway {
  /**
   * The verdicts that an operator sees, from one query; in the order asked, at most 200.
   * @param proven the answer has to know all that the accounts' streams hold now; Refusal `projection_behind` after 2 s
   */
  ghostCheck (requests: readonly GhostCheckRequest[], proven?: boolean): Promise<Array<GhostVerdict | undefined>>
  ghostDelete (request: GhostDeleteRequest): Promise<{ position: bigint, state: ResetState, replayed: boolean }>
}

// What a command brings along besides its own data: who asks, when, and under which command id.
import type { Actor } from '../domain/event.ts'
import type { Clear } from '../domain/personal.ts'

export interface CommandContext {
  /** UUIDv5 of principal id and Idempotency-Key, or one made at the door (decision 4). */
  commandId: string
  /** HMAC of route and canonical body; absent for commands of a reactor. */
  fingerprint?: string
  /** The moment of the command: the only clock that a decision knows. */
  at: Date
  actor: Actor
  source?: string
  requestId: string
  /** Default: the command id. */
  correlationId?: string
  /** Default: the command id. */
  causationId?: string
  traceparent?: string
  reasonCode?: string
  ticket?: string
  reason?: Clear
  ip?: Clear
  userAgent?: Clear
}

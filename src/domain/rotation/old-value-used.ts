// Whether somebody goes on with the old value: what the vendor says of its last use (decision 34), but for uses of our own.
import type { KnownCredential } from '../credential/state.ts'
import type { Instant } from '../event.ts'
import type { Job } from './state.ts'

/**
 * True if it was used after all had proved the new one. A value that is lent may have been opened right before that for a request of another
 * rotation, which may take as long as the vendor's time limit (ADR 0196); twice that, as everywhere.
 */
export const oldValueUsed = ({ lent }: KnownCredential, { validatedAt }: Job, usedAt: Instant | undefined, { timeLimitMs }: { timeLimitMs: number }): boolean => {
  if (usedAt === undefined || validatedAt === undefined) return false
  return Date.parse(usedAt) > Date.parse(validatedAt) + (lent.size === 0 ? 0 : 2 * timeLimitMs)
}

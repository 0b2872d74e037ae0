// What an account's stream tells of its sanctions and limits over time: who decided what, why, and what became of it.
import type { RecordedOf } from '../catalogue.ts'
import type { Actor, EventMetadata, Instant } from '../event.ts'
import type { Personal } from '../personal.ts'
import { beganAtOnce } from './account.ts'
import type { LimitCode, SanctionCode } from './catalogues.ts'
import { timeStateAt, type Span, type TimeState } from './eligibility.ts'

/** Who did it, on whose behalf, and why; the reason is sealed. */
export interface Act {
  at: Instant
  actor: Actor
  source?: string
  reasonCode?: string
  ticket?: string
  reason?: Personal
}

export interface SanctionRecord {
  sanctionId: string
  code: SanctionCode
  scope: string
  startsAt: Instant
  atOnce: boolean
  expiresAt?: Instant
  publicNote?: Personal
  internalNote?: Personal
  evidence?: Personal
  applied: Act
  removed?: Act
}

export interface LimitRecord {
  code: LimitCode
  value: number
  set: Act
  /** When another value or the default took its place, and by whom. */
  ended?: Act
}

type UserEvents = ReadonlyArray<RecordedOf<'user'>>

/** Every sanction ever applied, in the order in which they were. */
export const sanctionHistory = (events: UserEvents): SanctionRecord[] => {
  const records = new Map<string, SanctionRecord>()
  for (const { type, data, metadata } of events) {
    if (type === 'user.sanction_applied') {
      const { userId: _, appliedAt, ...sanction } = data
      records.set(data.sanctionId, { ...sanction, atOnce: beganAtOnce(data), applied: actOf(metadata, appliedAt) })
    } else if (type === 'user.sanction_removed') {
      const record = records.get(data.sanctionId)
      if (record !== undefined) records.set(data.sanctionId, { ...record, removed: actOf(metadata, data.removedAt) })
    }
  }
  return [...records.values()]
}

/** Every limit that the account had of its own, in the order in which they were set. */
export const limitHistory = (events: UserEvents): LimitRecord[] => {
  const records: LimitRecord[] = []
  const end = (code: LimitCode, ended: Act): void => {
    const open = records.find((record) => record.code === code && record.ended === undefined)
    if (open !== undefined) open.ended = ended
  }
  for (const { type, data, metadata } of events) {
    if (type === 'user.limit_set') {
      end(data.code, actOf(metadata, data.setAt))
      records.push({ code: data.code, value: data.value, set: actOf(metadata, data.setAt) })
    } else if (type === 'user.limit_removed') end(data.code, actOf(metadata, data.removedAt))
  }
  return records
}

export type SanctionState = TimeState | 'removed'

/** What a sanction is at a moment. */
export const sanctionStateAt = (sanction: Span & { removed?: Act | undefined }, at: Date): SanctionState =>
  sanction.removed === undefined ? timeStateAt(sanction, at) : 'removed'

/** Who did what an event says, as its metadata has it. */
export const actOf = ({ actor, source, reasonCode, ticket, reason }: EventMetadata, at: Instant): Act => ({
  at,
  actor,
  ...source !== undefined && { source },
  ...reasonCode !== undefined && { reasonCode },
  ...ticket !== undefined && { ticket },
  ...reason !== undefined && { reason }
})

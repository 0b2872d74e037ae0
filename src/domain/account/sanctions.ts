// Applies and removes sanctions: what kinds there are, and when two are the same one (seed 003, decision 29).
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Instant } from '../event.ts'
import { announce, type Announcement } from '../lifecycle/announce.ts'
import type { Clear } from '../personal.ts'
import type { User } from '../user/user.ts'
import type { Sanction } from './account.ts'
import { sanctionCatalogue, type SanctionCode } from './catalogues.ts'
import { timeStateAt, type Span } from './eligibility.ts'
import { live } from './live.ts'

type Fact = EventOf<'user'>

export interface NewSanction extends Announcement {
  sanctionId: string
  code: SanctionCode
  /** `platform` or `game:{id}`. */
  scope: string
  /** Default: at once, which is from the fact on and by no clock. */
  startsAt?: Instant
  expiresAt?: Instant
  publicNote?: Clear
  internalNote?: Clear
  evidence?: Clear
}

/**
 * Applies a sanction; a permanent block is announced downstream in the same append. Refuses with `subject_not_found`,
 * `sanction_invalid` for a kind that there is not, and `conflict` (fields: `sanction_id`) if one of the same code and
 * scope counts at any moment of the new one's.
 */
export const applySanction = (user: User, sanction: NewSanction): Fact[] => {
  const { account } = live(user)
  const { userId, sanctionId, code, scope, at, startsAt = at.toISOString(), expiresAt, publicNote, internalNote, evidence } = sanction
  refuseKind(sanction, startsAt)
  const before = account.sanctions.find((other) => other.code === code && other.scope === scope && overlap(other, { startsAt, atOnce: false, expiresAt }))
  if (before !== undefined) return alreadyApplied(before)
  const applied: Fact = {
    type: 'user.sanction_applied',
    data: {
      userId, sanctionId, code, scope, appliedAt: at.toISOString(), startsAt,
      ...expiresAt !== undefined && { expiresAt },
      ...publicNote !== undefined && { publicNote },
      ...internalNote !== undefined && { internalNote },
      ...evidence !== undefined && { evidence }
    }
  }
  return code === 'permanent_block' ? [applied, announce('user.lifecycle.permanent_blocked', sanction)] : [applied]
}

const refuseKind = ({ code, scope, at, startsAt: wanted, expiresAt }: NewSanction, startsAt: Instant): void => {
  const kind = sanctionCatalogue[code]
  const invalid = (detail: string): never => refuse('sanction_invalid', detail)
  if (scope !== 'platform' && !kind.games) invalid(`${code} holds for the whole platform, not for one game.`)
  if (!kind.expires && expiresAt !== undefined) invalid(`${code} takes no expires_at: it stays until it is removed.`)
  if (!kind.expires && wanted !== undefined) invalid(`${code} takes no starts_at: it counts at once.`)
  if (Date.parse(startsAt) < at.getTime()) invalid('starts_at lies in the past. Leave it out to begin at once.')
  if (expiresAt !== undefined && Date.parse(expiresAt) <= Date.parse(startsAt)) invalid('expires_at has to lie after the beginning.')
}

/** True if there is a moment at which both count. One that counts from its fact on has begun, whatever a clock says. */
const overlap = (one: Span, other: Span): boolean => startsBeforeEnd(one, other) && startsBeforeEnd(other, one)
const startsBeforeEnd = ({ startsAt, atOnce }: Span, { expiresAt }: Span): boolean => atOnce || expiresAt === undefined || Date.parse(startsAt) < Date.parse(expiresAt)

const alreadyApplied = ({ sanctionId, code, scope, startsAt, expiresAt }: Sanction): never => refuse('conflict',
  'A sanction of this code and scope counts in that time already. Remove it first, or choose another time.',
  { sanction_id: sanctionId, sanction_code: code, scope, starts_at: startsAt, ...expiresAt !== undefined && { expires_at: expiresAt } })

/**
 * Removes a sanction that counts or is still to begin; downstream services hear nothing of it (seed 003, decision 5
 * there). One that was removed before is not found, as a second deletion is; one that has run out is a `conflict`.
 */
export const removeSanction = (user: User, { userId, sanctionId, at }: { userId: string, sanctionId: string, at: Date }): Fact[] => {
  const sanction = live(user).account.sanctions.find((candidate) => candidate.sanctionId === sanctionId)
  if (sanction === undefined) return refuse('subject_not_found', 'The account has no such sanction, or it was removed before.')
  if (timeStateAt(sanction, at) === 'expired') {
    return refuse('conflict', 'The sanction has run out by itself: there is nothing to remove.', { sanction_id: sanctionId, ...sanction.expiresAt !== undefined && { expires_at: sanction.expiresAt } })
  }
  const { code, scope } = sanction
  return [{ type: 'user.sanction_removed', data: { userId, sanctionId, code, scope, removedAt: at.toISOString() } }]
}

// What an account's stream says of its life: profile, sanctions, limits, tariff, holds, deletion and erasure (seed 003).
import type { EventOf, RecordedOf } from '../catalogue.ts'
import type { Instant } from '../event.ts'
import type { Personal } from '../personal.ts'
import type { LimitCode, SanctionCode } from './catalogues.ts'
import { accountEvents } from './events.ts'

/** The fact that made something so, as answers point back to it. */
export interface Cause { eventId: string, revision: bigint }

/** A sanction that was not removed; whether it counts now, the clock says. */
export interface Sanction {
  sanctionId: string
  code: SanctionCode
  scope: string
  startsAt: Instant
  /** It counts from its fact on, whatever the clock of whoever judges it says: no start was given. */
  atOnce: boolean
  expiresAt?: Instant
  publicNote?: Personal
  reasonCode?: string
  cause: Cause
}

export interface Limit { value: number, setAt: Instant, cause: Cause }
export interface Tariff { code: string, since: Instant, until?: Instant }
export interface LegalHold { holdId: string, matter: string, placedAt: Instant, until?: Instant }

/** `live`, then `deleted` until the cooling period is over, then `erasing` while keys are destroyed, then `purged`. */
export type Stage =
  | { stage: 'live' }
  | { stage: 'deleted', deletedAt: Instant, purgeAfter: Instant }
  | { stage: 'erasing', deletedAt: Instant, purgeAfter: Instant, erasureId: string }
  | { stage: 'purged', deletedAt: Instant, purgeAfter: Instant, erasureId: string, purgedAt: Instant }

/** True while keys are being destroyed and afterwards: nothing is sealed or opened about the person any more. */
export const isErased = (stage: Stage['stage']): boolean => stage === 'erasing' || stage === 'purged'

export interface Account {
  userName?: Personal
  userNameHash?: string
  /** The claim that gave the account its user name. */
  userNameClaim?: string
  /** Revision of the last fact about user names, a voided claim included: a claim counts only if it was made after it. */
  nameRevision?: bigint
  displayName?: Personal
  preferredLanguage?: string
  timeZone?: string
  sanctions: readonly Sanction[]
  limits: { readonly [C in LimitCode]?: Limit }
  tariff?: Tariff
  holds: readonly LegalHold[]
  /** Claims of user names that came to nothing. */
  voidedClaims: readonly string[]
  life: Stage
}

export const newAccount: Account = { sanctions: [], limits: {}, holds: [], voidedClaims: [], life: { stage: 'live' } }

export type AccountEvent = Extract<RecordedOf<'user'>, { type: keyof typeof accountEvents }>
export type AccountFact = EventOf<'user'>

export const isAccountEvent = (event: RecordedOf<'user'>): event is AccountEvent => Object.hasOwn(accountEvents, event.type)

/** Folds one fact. Never throws. */
export const evolveAccount = (account: Account, event: AccountEvent): Account => {
  switch (event.type) {
    case 'user.registered': {
      const { preferredLanguage, timeZone } = event.data
      return { ...account, ...preferredLanguage !== undefined && { preferredLanguage }, ...timeZone !== undefined && { timeZone } }
    }
    case 'user.profile_updated': {
      const { userName, userNameHash, claimId, displayName, displayNameRemoved } = event.data
      const { displayName: before, ...rest } = account
      const shown = displayName ?? (displayNameRemoved === true ? undefined : before)
      return {
        ...rest,
        ...shown !== undefined && { displayName: shown },
        ...userName !== undefined && { userName },
        ...userNameHash !== undefined && { userNameHash, nameRevision: event.revision },
        ...claimId !== undefined && { userNameClaim: claimId }
      }
    }
    case 'user.user_name_claim_voided':
      return { ...account, voidedClaims: [...account.voidedClaims, event.data.claimId], nameRevision: event.revision }
    case 'user.settings_updated': {
      const { preferredLanguage, timeZone } = event.data
      return { ...account, ...preferredLanguage !== undefined && { preferredLanguage }, ...timeZone !== undefined && { timeZone } }
    }
    case 'user.sanction_applied': return { ...account, sanctions: [...account.sanctions, sanctionOf(event)] }
    case 'user.sanction_removed': {
      const { sanctionId } = event.data
      return { ...account, sanctions: account.sanctions.filter((sanction) => sanction.sanctionId !== sanctionId) }
    }
    case 'user.limit_set': {
      const { code, value, setAt } = event.data
      return { ...account, limits: { ...account.limits, [code]: { value, setAt, cause: causeOf(event) } } }
    }
    case 'user.limit_removed': {
      const { [event.data.code]: _, ...limits } = account.limits
      return { ...account, limits }
    }
    case 'user.tariff_set': {
      const { code, since, until } = event.data
      return { ...account, tariff: { code, since, ...until !== undefined && { until } } }
    }
    case 'user.legal_hold_placed': {
      const { holdId, matter, placedAt, until } = event.data
      return { ...account, holds: [...account.holds, { holdId, matter, placedAt, ...until !== undefined && { until } }] }
    }
    case 'user.legal_hold_lifted': return { ...account, holds: account.holds.filter(({ holdId }) => holdId !== event.data.holdId) }
    case 'user.deleted': {
      const { deletedAt, purgeAfter } = event.data
      return { ...account, life: { stage: 'deleted', deletedAt, purgeAfter } }
    }
    case 'user.erasure_started': {
      const { life } = account
      return life.stage === 'live' ? account : { ...account, life: { ...life, stage: 'erasing', erasureId: event.data.erasureId } }
    }
    case 'account.purged': {
      const { life } = account
      const { erasureId, purgedAt } = event.data
      return life.stage === 'live' ? account : { ...account, life: { ...life, stage: 'purged', erasureId, purgedAt } }
    }
    // For others to read; they say nothing that the facts beside them do not.
    case 'user.lifecycle.permanent_blocked':
    case 'user.lifecycle.deleted':
    case 'user.record_opened': return account
  }
}

/** Clocks differ between processes and step back: only a start that somebody gave is left to them. */
export const beganAtOnce = ({ code, appliedAt, startsAt }: { code: SanctionCode, appliedAt: Instant, startsAt: Instant }): boolean =>
  code === 'permanent_block' || startsAt === appliedAt

const causeOf = ({ id, revision }: AccountEvent): Cause => ({ eventId: id, revision })

const sanctionOf = (event: AccountEvent & { type: 'user.sanction_applied' }): Sanction => {
  const { sanctionId, code, scope, startsAt, expiresAt, publicNote } = event.data
  const { reasonCode } = event.metadata
  return {
    sanctionId, code, scope, startsAt, atOnce: beganAtOnce(event.data), cause: causeOf(event),
    ...expiresAt !== undefined && { expiresAt },
    ...publicNote !== undefined && { publicNote },
    ...reasonCode !== undefined && { reasonCode }
  }
}

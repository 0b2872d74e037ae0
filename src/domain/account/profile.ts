// The person's own changes: profile and settings, and what became of claims of user names.
import type { EventOf } from '../catalogue.ts'
import type { Clear } from '../personal.ts'
import type { User } from '../user/user.ts'
import { live, refuseUnlessMay } from './live.ts'

type Fact = EventOf<'user'>

export interface SelfUpdate {
  userId: string
  /** `same`: it is spelt as the account has it. `claimId` only where the account does not have the name yet. */
  userName?: { text: Clear, hash: string, claimId?: string, same: boolean }
  /** null removes it. */
  displayName?: { text: Clear | null, same: boolean }
  preferredLanguage?: string
  timeZone?: string
  at: Date
}

/**
 * What of the wish is a change, in one append; nothing to record if all of it is so already. Refuses with
 * `subject_not_found`, and with `conflict` where a sanction takes `can_update_profile` away.
 */
export const updateSelf = (user: User, update: SelfUpdate): Fact[] => {
  const { account } = live(user)
  const { userId, at, userName, displayName, preferredLanguage, timeZone } = update
  refuseUnlessMay(account, 'can_update_profile', at)
  const updatedAt = at.toISOString()
  const profile = {
    ...userName !== undefined && !userName.same && {
      userName: userName.text, userNameHash: userName.hash, ...userName.claimId !== undefined && { claimId: userName.claimId }
    },
    ...displayName !== undefined && !displayName.same && (displayName.text === null
      ? account.displayName !== undefined && { displayNameRemoved: true as const }
      : { displayName: displayName.text })
  }
  const settings = {
    ...preferredLanguage !== undefined && preferredLanguage !== account.preferredLanguage && { preferredLanguage },
    ...timeZone !== undefined && timeZone !== account.timeZone && { timeZone }
  }
  const changed: Fact[] = []
  if (Object.keys(profile).length > 0) changed.push({ type: 'user.profile_updated', data: { userId, updatedAt, ...profile } })
  if (Object.keys(settings).length > 0) changed.push({ type: 'user.settings_updated', data: { userId, updatedAt, ...settings } })
  return changed
}

/** True if the account would have to claim the name first. */
export const lacksName = (user: User, hash: string): boolean => user.status !== 'present' || user.account.userNameHash !== hash

/** Says in the holder's own stream that a claim came to nothing; nothing to record if the account has the name, or it was said. */
export const voidClaim = (user: User, claim: { userId: string, claimId: string, hash: string, at: Date }): Fact[] => {
  if (user.status !== 'present' || !lacksName(user, claim.hash) || user.account.voidedClaims.includes(claim.claimId)) return []
  return [{
    type: 'user.user_name_claim_voided',
    data: { userId: claim.userId, claimId: claim.claimId, userNameHash: claim.hash, voidedAt: claim.at.toISOString() }
  }]
}

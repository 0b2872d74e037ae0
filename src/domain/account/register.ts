// Makes an account for an address (ensure-by-email), and says what an address is good for (resolve-by-email).
import type { EventOf } from '../catalogue.ts'
import type { Clear } from '../personal.ts'
import type { User } from '../user/user.ts'
import { eligibilityOf, permanentBlockOf } from './eligibility.ts'

export interface Registration {
  userId: string
  email: Clear
  addressHash: string
  preferredLanguage?: string
  timeZone?: string
  at: Date
}

/** Makes the account if it is absent; nothing to record if anything is known of it, a reset included. */
export const register = (user: User, { at, ...account }: Registration): Array<EventOf<'user'>> =>
  user.status === 'absent' ? [{ type: 'user.registered', data: { ...account, registeredAt: at.toISOString() } }] : []

export type BlockedReason = 'account_deleted' | 'permanent_block' | 'login_block'

/** `free`: the account that the address is claimed for says itself that it does not have it. */
export type Standing =
  | { outcome: 'existing', userId: string }
  | { outcome: 'blocked', reasonCode: BlockedReason }
  | { outcome: 'unmade' | 'free' }

/** What the account that holds an address makes of it (seed 003, decision 4 there; decisions 6 and 20). */
export const standingOf = (user: User, addressHash: string, at: Date): Standing => {
  if (user.status === 'absent') return { outcome: 'unmade' }
  if (user.status === 'reset' || user.addressHash !== addressHash) return { outcome: 'free' }
  const { account, userId } = user
  if (account.life.stage !== 'live') return { outcome: 'blocked', reasonCode: 'account_deleted' }
  if (permanentBlockOf(account, at) !== undefined) return { outcome: 'blocked', reasonCode: 'permanent_block' }
  return eligibilityOf(account, at).markers.can_login.allowed ? { outcome: 'existing', userId } : { outcome: 'blocked', reasonCode: 'login_block' }
}

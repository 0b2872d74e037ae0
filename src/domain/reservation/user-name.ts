// Who holds a user name: `userName-{hash}`. A claim counts once the account's profile has the name (decision 6).
import type { EventOf, RecordedOf } from '../catalogue.ts'

export type NameReservation = { status: 'free' } | { status: 'held', by: string, claimId: string }

const free: NameReservation = { status: 'free' }

export const userNameAggregate = {
  category: 'userName',
  initial: free,
  evolve: (_: NameReservation, { type, data }: RecordedOf<'userName'>): NameReservation =>
    type === 'user_name.claimed' ? { status: 'held', by: data.userId, claimId: data.claimId } : free
} as const

/**
 * Claims the name; nothing to record if it is held: the receipt's state says by whom.
 * @param claim.gone a claim that its holder's own stream says will never come to anything: it is taken over
 */
export const claimUserName = (
  state: NameReservation, claim: { userId: string, claimId: string, ruleVersion: number, at: Date, gone?: string }
): Array<EventOf<'userName'>> => {
  const { userId, claimId, ruleVersion, at, gone } = claim
  if (state.status === 'held' && state.claimId !== gone) return []
  return [
    ...releaseUserName(state, { claimId: gone, at, cause: 'voided' }),
    { type: 'user_name.claimed', data: { userId, claimId, ruleVersion, claimedAt: at.toISOString() } }
  ]
}

/** Frees the name if it is still held by this very claim. */
export const releaseUserName = (
  state: NameReservation, { claimId, at, cause }: { claimId: string | undefined, at: Date, cause: string }
): Array<EventOf<'userName'>> => state.status === 'held' && state.claimId === claimId
  ? [{ type: 'user_name.released', data: { userId: state.by, claimId: state.claimId, releasedAt: at.toISOString(), cause } }]
  : []

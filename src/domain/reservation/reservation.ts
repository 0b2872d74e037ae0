// Values that exist once, each a stream: a tester's address, an account's address, a passkey's credential id (decision 6).
import type { EventOf, RecordedOf } from '../catalogue.ts'
import type { Instant } from '../event.ts'

/** Who holds a value. Whether the holder still counts, its own stream says: a reset account holds nothing. */
export type Reservation = { status: 'free' } | { status: 'held', by: string, since: Instant }

const free: Reservation = { status: 'free' }

/** `testerEmail-{address hash}`: held by a tester, for good. */
export const testerEmailAggregate = {
  category: 'testerEmail',
  initial: free,
  evolve: (_: Reservation, { data }: RecordedOf<'testerEmail'>): Reservation => ({ status: 'held', by: data.testerId, since: data.reservedAt })
} as const

/** `email-{address hash}`: held by an account until a ghost reset. */
export const emailAggregate = {
  category: 'email',
  initial: free,
  evolve: (_: Reservation, event: RecordedOf<'email'>): Reservation => event.type === 'email.claimed'
    ? { status: 'held', by: event.data.userId, since: event.data.claimedAt }
    : free
} as const

/** `passkey-{SHA-256 of the credential id}`: held by an account, for good. */
export const passkeyAggregate = {
  category: 'passkey',
  initial: free,
  evolve: (_: Reservation, { data }: RecordedOf<'passkey'>): Reservation => ({ status: 'held', by: data.userId, since: data.reservedAt })
} as const

/**
 * Reserves the address for a tester; nothing to record if anybody holds it: the receipt's state says who.
 * @param gone the holder whose own stream says that it has another address: its reservation counts for nothing
 */
export const reserveTesterEmail = (
  state: Reservation, reservation: { testerId: string, ruleVersion: number, at: Instant, gone?: string }
): Array<EventOf<'testerEmail'>> => {
  const { testerId, ruleVersion, at, gone } = reservation
  if (state.status === 'held' && state.by !== gone) return []
  return [{ type: 'tester_email.reserved', data: { testerId, ruleVersion, reservedAt: at } }]
}

/**
 * Claims the address for an account; nothing to record if an account holds it: the receipt's state says which.
 * @param gone the holder whose own stream says that it was reset: its claim counts for nothing
 */
export const claimEmail = (
  state: Reservation, claim: { userId: string, ruleVersion: number, at: Instant, gone?: string }
): Array<EventOf<'email'>> => {
  const { userId, ruleVersion, at, gone } = claim
  const claimed: EventOf<'email'> = { type: 'email.claimed', data: { userId, ruleVersion, claimedAt: at } }
  if (state.status === 'free') return [claimed]
  if (state.by !== gone || state.by === userId) return []
  return [...releaseEmail(state, gone, at), claimed]
}

/** Frees the address if this account holds it; a claim of somebody else is left alone. */
export const releaseEmail = (state: Reservation, userId: string, at: Instant, cause = 'ghost_reset'): Array<EventOf<'email'>> =>
  state.status === 'held' && state.by === userId
    ? [{ type: 'email.released', data: { userId, releasedAt: at, cause } }]
    : []

/** Reserves a credential id for an account; nothing to record if anybody holds it. */
export const reservePasskey = (state: Reservation, userId: string, at: Instant): Array<EventOf<'passkey'>> =>
  state.status === 'held' ? [] : [{ type: 'passkey.reserved', data: { userId, reservedAt: at } }]

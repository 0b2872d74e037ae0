// The enrolment ceremony of one link, as decisions on its account: challenges, their use, and the passkey.
import { live, refusePermanentlyBlocked } from '../account/live.ts'
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Personal } from '../personal.ts'
import { supersededLink } from './enrolment-link.ts'
import { credentialCount, type User } from './user.ts'

type Fact = EventOf<'user'>
type Enrolling = Exclude<User, { status: 'reset' }>

/** How long a challenge may be answered (decision 22 has the other bounds). */
export const CHALLENGE_LIFE_MS = 300_000
/** Of each, a link (decision 22). */
const MAX_CHALLENGES = 10
const MAX_FAILED_VERIFICATIONS = 10

export interface IssueChallenge {
  userId: string
  testerId: string
  email: Personal
  addressHash: string
  challengeId: string
  at: Date
}

/**
 * Refuses what no ceremony can go on after: the reset, another tester's account, its deletion or permanent block, a
 * passkey, too many attempts.
 */
export const mayEnrol = (user: User, testerId: string, at: Date): Enrolling => {
  if (user.status === 'reset') return supersededLink()
  refuseForeign(user, testerId)
  refuseGone(user, at)
  if (credentialCount(user.credentials) > 0) refuse('account_healthy', 'A passkey was set up with this link. Sign in with it.')
  if (user.ceremony.failedVerifications >= MAX_FAILED_VERIFICATIONS) return tooMany()
  return user
}

/** Hands out a challenge; the first one makes the account. */
export const issueChallenge = (user: User, command: IssueChallenge): Fact[] => {
  const { userId, testerId, email, addressHash, challengeId, at } = command
  const enrolling = mayEnrol(user, testerId, at)
  if (enrolling.ceremony.challenges.length >= MAX_CHALLENGES) tooMany()
  const expiresAt = new Date(at.getTime() + CHALLENGE_LIFE_MS).toISOString()
  const issued: Fact = { type: 'user.enrolment.options_issued', data: { userId, challengeId, issuedAt: at.toISOString(), expiresAt } }
  return enrolling.status === 'present'
    ? [issued]
    : [{ type: 'user.created', data: { userId, testerId, email, addressHash, createdAt: at.toISOString() } }, issued]
}

/** Uses a challenge up, before its answer is looked at. `ceremony_failed` if it is not ours, used, or too old. */
export const useChallenge = (user: User, command: { userId: string, testerId: string, challengeId: string | undefined, at: Date }): Fact[] => {
  const { userId, testerId, challengeId, at } = command
  const challenge = mayEnrol(user, testerId, at).ceremony.challenges.find((candidate) => candidate.challengeId === challengeId)
  if (challenge === undefined || challenge.used || at.getTime() >= Date.parse(challenge.expiresAt)) return ceremonyFailed()
  return [{ type: 'user.enrolment.challenge_used', data: { userId, challengeId: challenge.challengeId, usedAt: at.toISOString() } }]
}

/** Records that the answer was not accepted, unless the account was reset or deleted meanwhile. `cause` is one word of our own. */
export const failVerification = (user: User, command: { userId: string, challengeId: string, cause: string, at: Date }): Fact[] => {
  const { userId, challengeId, cause, at } = command
  if (user.status === 'reset') return supersededLink()
  if (user.status === 'present') live(user)
  return [{ type: 'user.enrolment.verification_failed', data: { userId, challengeId, cause, failedAt: at.toISOString() } }]
}

export interface RegisterPasskey {
  userId: string
  testerId: string
  challengeId: string
  passkey: Omit<Extract<Fact, { type: 'user.passkey_registered' }>['data'], 'userId' | 'challengeId' | 'registeredAt'>
  at: Date
}

/** Gives the account its passkey; one link makes one at the most, whatever runs at the same time. */
export const registerPasskey = (user: User, { userId, testerId, challengeId, passkey, at }: RegisterPasskey): Fact[] => {
  if (user.status === 'reset') return supersededLink()
  refuseForeign(user, testerId)
  refuseGone(user, at)
  if (credentialCount(user.credentials) > 0) refuse('account_healthy', 'A passkey was set up with this link. Sign in with it.')
  return [{ type: 'user.passkey_registered', data: { userId, challengeId, ...passkey, registeredAt: at.toISOString() } }]
}

/** An account has one tester: whatever led another one's link here, it enrols nobody. */
const refuseForeign = (user: Enrolling, testerId: string): void => {
  if (user.status !== 'present' || user.testerId === testerId) return
  // Made by ensure-by-email while the ceremony had only claimed the address: it has a way in of its own.
  if (user.testerId === undefined) addressTaken()
  refuse('conflict', 'This link leads to an account of somebody else. Ask whoever invited you for a new one.')
}

/** Nobody sets up a passkey for an account that was deleted, or that a permanent block stands against (seed 003). */
const refuseGone = (user: Enrolling, at: Date): void => {
  if (user.status !== 'present') return
  live(user)
  refusePermanentlyBlocked(user.account, at)
}

/** The address belongs to an account that this link does not lead to. */
export const addressTaken = (): never =>
  refuse('conflict', 'An account with this address exists. Sign in with it, or ask whoever invited you.')

/** The address belonged to an account that was deleted: it stays with it for good (seed 003, decision 4 there). */
export const addressBlocked = (): never =>
  refuse('conflict', 'No account can be set up for this address any more. Ask whoever invited you.', { reason_code: 'account_deleted' })

/** One public error for whatever was wrong with an answer. */
export const ceremonyFailed = (): never =>
  refuse('ceremony_failed', 'The passkey was not accepted. Begin again: the link is still good.')

const tooMany = (): never =>
  refuse('too_many_attempts', 'This link was tried too often. Ask whoever invited you for a new one.')

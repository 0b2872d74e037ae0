// The account of one person as its stream tells it: enrolment ceremony, passkeys, and the ghost reset that ends it.
import { evolveAccount, isAccountEvent, newAccount, type Account } from '../account/account.ts'
import type { RecordedOf } from '../catalogue.ts'
import type { Instant } from '../event.ts'
import { later, type Mark } from '../mark.ts'
import type { Personal } from '../personal.ts'

/** A registration challenge of the ceremony; its bytes derive from the id and are stored nowhere. */
export interface Challenge {
  challengeId: string
  issuedAt: Instant
  expiresAt: Instant
  used: boolean
}

/** What happened so far at the ceremony of one link. */
export interface Ceremony {
  challenges: readonly Challenge[]
  failedVerifications: number
  /** The last event of the ceremony, from which the grace counts (decision 22); absent before the first. */
  last?: Mark
}

export interface Passkey {
  credentialId: string
  challengeId: string
  registeredAt: Instant
}

/** What is known of the credentials: the passkeys, imported placeholders, and the first fact that speaks of either. */
export interface Credentials {
  passkeys: readonly Passkey[]
  /** Passkeys of an imported account: they count for `healthy` and can never sign in (decision 41). */
  placeholders: number
  evidence?: Mark
}

interface Enrolling {
  ceremony: Ceremony
  credentials: Credentials
  /** True while the stream holds nothing but enrolment facts (decision 19). */
  shell: boolean
}

export type User =
  | Enrolling & { status: 'absent' }
  | Enrolling & {
    status: 'present'
    userId: string
    /** Whose enrolment made it; absent if ensure-by-email did. */
    testerId?: string
    email: Personal
    addressHash: string
    created: Mark
    account: Account
  }
  | { status: 'reset', userId: string, testerId: string, resetId: string, resetAt: Instant, state: ResetState, addressHash?: string }

export type ResetState = 'ghost_no_users_row' | 'ghost_empty_shell'

const noUser: User = {
  status: 'absent', shell: true, ceremony: { challenges: [], failedVerifications: 0 }, credentials: { passkeys: [], placeholders: 0 }
}

/** How many credentials stand against calling the account a shell. */
export const credentialCount = ({ passkeys, placeholders }: Credentials): number => passkeys.length + placeholders

const evolve = (user: User, event: RecordedOf<'user'>): User => {
  if (user.status === 'reset') return user
  if (event.type === 'user.registered') return registered(user, event)
  if (isAccountEvent(event)) {
    return user.status === 'present'
      ? { ...user, shell: false, account: evolveAccount(user.account, event) }
      : { ...user, shell: false }
  }
  switch (event.type) {
    case 'user.created':
    case 'user.imported': return created(user, event)
    case 'user.enrolment.options_issued': {
      const { challengeId, issuedAt, expiresAt } = event.data
      const challenges = [...user.ceremony.challenges, { challengeId, issuedAt, expiresAt, used: false }]
      return moved(user, { ...user.ceremony, challenges }, markOf(event, issuedAt))
    }
    case 'user.enrolment.challenge_used': {
      const challenges = user.ceremony.challenges.map((challenge) =>
        challenge.challengeId === event.data.challengeId ? { ...challenge, used: true } : challenge)
      return moved(user, { ...user.ceremony, challenges }, markOf(event, event.data.usedAt))
    }
    case 'user.enrolment.verification_failed': {
      const failedVerifications = user.ceremony.failedVerifications + 1
      return moved(user, { ...user.ceremony, failedVerifications }, markOf(event, event.data.failedAt))
    }
    case 'user.passkey_registered': {
      const { credentialId, challengeId, registeredAt } = event.data
      const passkeys = [...user.credentials.passkeys, { credentialId, challengeId, registeredAt }]
      return { ...user, credentials: { ...user.credentials, passkeys, evidence: user.credentials.evidence ?? markOf(event, registeredAt) } }
    }
    case 'account.ghost_reset': {
      const { userId, testerId, resetId, resetAt, state, addressHash } = event.data
      return { status: 'reset', userId, testerId, resetId, resetAt, state, ...(addressHash !== undefined && { addressHash }) }
    }
    // Whatever is no enrolment fact, known here or not: from then on the account is never a shell (decision 19).
    default: return moreThanShell(user, event)
  }
}

export const userAggregate = { category: 'user', initial: noUser, evolve } as const

const created = (
  user: Exclude<User, { status: 'reset' }>, event: RecordedOf<'user'> & { type: 'user.created' | 'user.imported' }
): User => {
  const { userId, testerId, email, addressHash, createdAt } = event.data
  const mark = markOf(event, createdAt)
  const placeholders = event.type === 'user.imported' ? event.data.passkeyPlaceholders : 0
  const credentials = placeholders === 0 ? user.credentials : { ...user.credentials, placeholders, evidence: mark }
  const { ceremony, shell } = user
  return {
    status: 'present', userId, testerId, email, addressHash, created: mark, shell, credentials, account: newAccount,
    ceremony: { ...ceremony, last: later(ceremony.last, mark) }
  }
}

const moved = (user: Exclude<User, { status: 'reset' }>, ceremony: Ceremony, mark: Mark): User =>
  ({ ...user, ceremony: { ...ceremony, last: later(user.ceremony.last, mark) } })

const registered = (user: Exclude<User, { status: 'reset' }>, event: RecordedOf<'user'> & { type: 'user.registered' }): User => {
  const { userId, email, addressHash, registeredAt } = event.data
  const { ceremony, credentials } = user
  return {
    status: 'present', userId, email, addressHash, created: markOf(event, registeredAt), ceremony, credentials,
    shell: false, account: evolveAccount(newAccount, event)
  }
}

/** The parameter's type is the proof that every fact was named. */
const moreThanShell = (user: Exclude<User, { status: 'reset' }>, _: never): User => ({ ...user, shell: false })

const markOf = (event: { type: string, revision: bigint }, at: Instant): Mark => ({ type: event.type, revision: event.revision, at })

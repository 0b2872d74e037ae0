// A beta tester as its stream tells it: the invitation, walkthrough tokens, mails and ghost resets.
import type { RecordedOf } from '../catalogue.ts'
import type { Actor, EventMetadata, Instant } from '../event.ts'
import type { Mark } from '../mark.ts'
import type { Personal } from '../personal.ts'
import { rules } from '../user/verdict.ts'
import { evolveLife, newLife, type TesterLife } from './life.ts'

interface TokenBase {
  tokenId: string
  /** The account that the link would make, fixed with the token (decision 18). */
  userId: string
  mintedAt: Instant
  /** Absent for an imported token: it opens nothing here. */
  expiresAt?: Instant
}

export type WalkthroughToken =
  | TokenBase & { status: 'unused' }
  | TokenBase & { status: 'consumed', consumed: Mark }
  | TokenBase & { status: 'revoked', revokedAt: Instant, consumed?: Mark }

/** A mail that was asked for, and how far it got. `failed` is final: nobody tries again. */
export interface TesterMail {
  mailId: string
  tokenId: string
  kind: 'invitation' | 'fresh_link'
  status: 'requested' | 'attempted' | 'sent' | 'failed'
  attempts: number
  /** When it last came a step further: a claim lapses and a pause ends from here on. */
  movedAt: Instant
}

interface ResetBase {
  resetId: string
  /** The used token that the reset replaces, and its account. */
  tokenId: string
  userId: string
  linkOpenedAt: Instant
  initiatedAt: Instant
  verdict: Verdict
  /** The position that the operator had seen: an account that moved past it is not reset. */
  presentedPosition?: bigint
  /** Who asked first, and why: they stand for everybody who joins (decision 23). */
  initiator: Initiator
}

export interface Verdict {
  state: 'ghost_no_users_row' | 'ghost_empty_shell' | 'mid_enrollment' | 'healthy'
  rule: string
  thresholdMs: number
  evidence: ReadonlyArray<{ stream: string, revision: string, type: string, occurredAt: Instant }>
  evaluatedAtPosition: string
}

export interface Initiator {
  actor: Actor
  commandId: string
  correlationId: string
  requestId: string
  reasonCode?: string
  ticket?: string
  reason?: Personal
}

/** The fresh link of a reset, once it stands in the stream. */
export interface FreshLink { tokenId: string, mailId: string }

export type GhostReset =
  | ResetBase & { status: 'open', fresh?: FreshLink }
  | ResetBase & { status: 'completed', completedAt: Instant, fresh: FreshLink }
  | ResetBase & { status: 'refused', refusedAt: Instant, code: string }

export interface PresentTester extends TesterLife {
  status: 'present'
  testerId: string
  origin: 'invited' | 'imported'
  email: Personal
  name?: Personal
  addressHash: string
  invitedAt: Instant
  /** Oldest first; the last one is the tester's current link. */
  tokens: readonly WalkthroughToken[]
  mails: readonly TesterMail[]
  /** Oldest first; at most the last one is open. */
  resets: readonly GhostReset[]
}

export type Tester = { status: 'absent' } | PresentTester

/** The tester whom commands may still act on: neither absent nor deleted. */
export const liveTester = (tester: Tester): PresentTester | undefined =>
  tester.status === 'present' && tester.life.stage === 'live' ? tester : undefined

/** The tester's current link, used or not; undefined before the first. */
export const currentToken = (tester: PresentTester): WalkthroughToken | undefined =>
  tester.tokens.findLast((token) => token.status !== 'revoked')

/** The reset that waits for its outcome, if there is one. */
export const openReset = (tester: PresentTester): GhostReset & { status: 'open' } | undefined => {
  const last = tester.resets.at(-1)
  return last?.status === 'open' ? last : undefined
}

const evolve = (tester: Tester, event: RecordedOf<'tester'>): Tester => {
  if (event.type === 'tester.invited' || event.type === 'tester.imported') return arrived(event)
  if (tester.status === 'absent') return tester
  switch (event.type) {
    case 'walkthrough_token.minted': {
      const { tokenId, userId, mintedAt, expiresAt } = event.data
      return withToken(tester, { status: 'unused', tokenId, userId, mintedAt, expiresAt })
    }
    case 'walkthrough_token.imported': {
      const { tokenId, userId, mintedAt, consumedAt } = event.data
      const token = { tokenId, userId, mintedAt }
      return withToken(tester, consumedAt === undefined
        ? { status: 'unused', ...token }
        : { status: 'consumed', ...token, consumed: markOf(event, consumedAt) })
    }
    case 'walkthrough_token.consumed':
      return changeToken(tester, event.data.tokenId, (token) => token.status === 'unused'
        ? { ...token, status: 'consumed', consumed: markOf(event, event.data.consumedAt) }
        : token)
    case 'walkthrough_token.revoked':
      return changeToken(tester, event.data.tokenId, (token) => ({ ...token, status: 'revoked', revokedAt: event.data.revokedAt }))
    case 'mail.requested': return requested(tester, event.data)
    case 'mail.attempted': return changeMail(tester, event.data.mailId, { status: 'attempted', attempts: event.data.attempt, movedAt: event.data.attemptedAt })
    case 'mail.sent': return changeMail(tester, event.data.mailId, { status: 'sent', movedAt: event.data.sentAt })
    case 'mail.failed':
      return changeMail(tester, event.data.mailId, { status: event.data.final ? 'failed' : 'requested', movedAt: event.data.failedAt })
    case 'console.beta.ghost_reset.initiated': return { ...tester, resets: [...tester.resets, initiated(tester, event)] }
    case 'console.beta.ghost_reset.refused': {
      const { resetId, refusedAt, code } = event.data
      return changeReset(tester, resetId, (reset) => ({ ...reset, status: 'refused', refusedAt, code }))
    }
    case 'console.beta.ghost_reset.completed': {
      const { resetId, completedAt, freshTokenId, mailId, state } = event.data
      return changeReset(tester, resetId, (reset) => ({
        ...reset, status: 'completed', completedAt, fresh: { tokenId: freshTokenId, mailId },
        ...(state !== undefined && { verdict: { ...reset.verdict, state, rule: rules[state] } })
      }))
    }
    case 'tester.deleted':
    case 'tester.legal_hold_placed':
    case 'tester.legal_hold_lifted':
    case 'tester.erasure_started':
    case 'tester.purged': return evolveLife(tester, event)
    default: return unchanged(tester, event)
  }
}

export const testerAggregate = { category: 'tester', initial: { status: 'absent' } satisfies Tester as Tester, evolve } as const

type EventNamed<T extends RecordedOf<'tester'>['type']> = Extract<RecordedOf<'tester'>, { type: T }>

const arrived = (event: EventNamed<'tester.invited' | 'tester.imported'>): Tester => {
  const { testerId, email, addressHash, invitedAt } = event.data
  const name = event.type === 'tester.invited' ? event.data.name : undefined
  return {
    status: 'present', testerId, origin: event.type === 'tester.invited' ? 'invited' : 'imported', email,
    ...(name !== undefined && { name }), addressHash, invitedAt, tokens: [], mails: [], resets: [], ...newLife
  }
}

const withToken = (tester: PresentTester, token: WalkthroughToken): Tester => ({ ...tester, tokens: [...tester.tokens, token] })

const changeToken = (tester: PresentTester, tokenId: string, change: (token: WalkthroughToken) => WalkthroughToken): Tester =>
  ({ ...tester, tokens: tester.tokens.map((token) => token.tokenId === tokenId ? change(token) : token) })

/** The first mail asked for during a reset carries its fresh link. */
const requested = (tester: PresentTester, { mailId, tokenId, kind, requestedAt }: EventNamed<'mail.requested'>['data']): Tester => {
  const mails = [...tester.mails, { mailId, tokenId, kind, status: 'requested' as const, attempts: 0, movedAt: requestedAt }]
  const open = openReset(tester)
  if (open === undefined || open.fresh !== undefined) return { ...tester, mails }
  return { ...tester, mails, resets: [...tester.resets.slice(0, -1), { ...open, fresh: { tokenId, mailId } }] }
}

const changeMail = (tester: PresentTester, mailId: string, change: Partial<TesterMail>): Tester =>
  ({ ...tester, mails: tester.mails.map((mail) => mail.mailId === mailId ? { ...mail, ...change } : mail) })

const initiated = (tester: PresentTester, { data, metadata }: EventNamed<'console.beta.ghost_reset.initiated'>): GhostReset => {
  const { resetId, tokenId, userId, initiatedAt, state, rule, thresholdMs, evidence, evaluatedAtPosition, presentedPosition } = data
  const token = tester.tokens.find((each) => each.tokenId === tokenId)
  const linkOpenedAt = token?.status === 'consumed' ? token.consumed.at : initiatedAt
  return {
    status: 'open', resetId, tokenId, userId, linkOpenedAt, initiatedAt, initiator: initiatorOf(metadata),
    verdict: { state, rule, thresholdMs, evidence, evaluatedAtPosition },
    ...(presentedPosition !== undefined && { presentedPosition: BigInt(presentedPosition) })
  }
}

const initiatorOf = ({ actor, commandId, $correlationId, requestId, reasonCode, ticket, reason }: EventMetadata): Initiator => ({
  actor, commandId, correlationId: $correlationId, requestId,
  ...(reasonCode !== undefined && { reasonCode }), ...(ticket !== undefined && { ticket }), ...(reason !== undefined && { reason })
})

const changeReset = (tester: PresentTester, resetId: string, change: (reset: ResetBase) => GhostReset): Tester =>
  ({ ...tester, resets: tester.resets.map((reset) => reset.resetId === resetId ? change(reset) : reset) })

/** The parameter's type is the proof that every fact was named; a fold never throws. */
const unchanged = (tester: Tester, _: never): Tester => tester

const markOf = (event: { type: string, revision: bigint }, at: Instant): Mark => ({ type: event.type, revision: event.revision, at })

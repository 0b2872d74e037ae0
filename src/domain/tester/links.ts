// Walkthrough links of a tester: invitation, resend and import, and when a fresh one is used again.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Instant } from '../event.ts'
import type { Clear } from '../personal.ts'
import { currentToken, liveTester, type PresentTester, type Tester, type WalkthroughToken } from './tester.ts'

/** A token younger than this is used again instead of minting another (seed 000). */
const REUSE_MS = 60_000

/** Ids for a link that may be minted; the account's id derives from the token's (decision 18). */
export interface NewLink {
  tokenId: string
  userId: string
  mailId: string
}

export interface Minting {
  link: NewLink
  ttlMs: number
  at: Date
}

export interface Invitation extends Minting {
  testerId: string
  email: Clear
  name?: Clear
  addressHash: string
}

/** Makes the tester with a first link and asks for its mail. */
export const invite = (tester: Tester, invitation: Invitation): Array<EventOf<'tester'>> => {
  if (tester.status === 'present') return refuseExisting()
  const { testerId, email, name, addressHash, at } = invitation
  return [
    { type: 'tester.invited', data: { testerId, email, ...(name !== undefined && { name }), addressHash, invitedAt: at.toISOString() } },
    ...mintAndMail(testerId, invitation, 'invitation')
  ]
}

/** Refuses another tester for the same address. */
export const refuseExisting = (): never =>
  refuse('tester_exists', 'A tester with this address exists. Look the tester up, and resend the link or ask for a ghost reset.')

export interface ImportedTester {
  testerId: string
  email: Clear
  addressHash: string
  invitedAt: Instant
  tokenId: string
  userId: string
  consumedAt?: Instant
}

/** Takes over a tester of an existing beta; nothing to record if that was done before. */
export const importTester = (tester: Tester, row: ImportedTester): Array<EventOf<'tester'>> => {
  if (tester.status === 'present') return tester.origin === 'imported' && liveTester(tester) !== undefined ? [] : refuseExisting()
  const { testerId, email, addressHash, invitedAt, tokenId, userId, consumedAt } = row
  return [
    { type: 'tester.imported', data: { testerId, email, addressHash, invitedAt } },
    { type: 'walkthrough_token.imported', data: { testerId, tokenId, userId, mintedAt: invitedAt, ...(consumedAt !== undefined && { consumedAt }) } }
  ]
}

/**
 * Mails the tester's unused link again; one that is expired, or opens nothing here, is replaced first.
 * Refuses with `token_used` once the link was used: then the ghost reset is the way.
 */
export const resend = (state: Tester, minting: Minting): Array<EventOf<'tester'>> => {
  const tester = liveTester(state)
  if (tester === undefined) return refuse('subject_not_found', 'There is no such tester.')
  const token = currentToken(tester)
  if (token?.status === 'consumed') {
    return refuse('token_used', 'The link was used. If the enrolment broke off, ask for a ghost reset of this tester.', { next: 'ghost-reset' })
  }
  if (token !== undefined && isLive(token, minting.at)) return [mailFor(tester.testerId, token.tokenId, minting, kindOf(tester))]
  return [...revokeAll(tester, 'replaced', minting.at), ...mintAndMail(tester.testerId, minting, kindOf(tester))]
}

/** True if the token may stand in for a fresh one: minted less than 60.000 s ago, neither consumed nor revoked. */
export const isReusable = (token: WalkthroughToken, at: Date): boolean =>
  token.status === 'unused' && token.expiresAt !== undefined && at.getTime() - Date.parse(token.mintedAt) < REUSE_MS

/** Replaces the tester's links by a fresh one, or by one just minted, and asks for its mail: one append of a reset. */
export const replaceLinks = (tester: PresentTester, minting: Minting): Array<EventOf<'tester'>> => {
  const { testerId } = tester
  const reusable = tester.tokens.findLast((token) => isReusable(token, minting.at))
  if (reusable === undefined) return [...revokeAll(tester, 'ghost_reset', minting.at), ...mintAndMail(testerId, minting, 'fresh_link')]
  return [...revokeAll(tester, 'ghost_reset', minting.at, reusable.tokenId), mailFor(testerId, reusable.tokenId, minting, 'fresh_link')]
}

/** An unused link that still opens something. */
const isLive = ({ status, expiresAt }: WalkthroughToken, at: Date): boolean =>
  status === 'unused' && expiresAt !== undefined && at.getTime() < Date.parse(expiresAt)

const kindOf = (tester: PresentTester) => tester.resets.length > 0 ? 'fresh_link' : 'invitation'

/** Every link that still counts opens nothing any more. */
export const revokeAll = (tester: PresentTester, cause: string, at: Date, except?: string): Array<EventOf<'tester'>> =>
  tester.tokens.filter(({ status, tokenId }) => status !== 'revoked' && tokenId !== except).map(({ tokenId }) => ({
    type: 'walkthrough_token.revoked', data: { testerId: tester.testerId, tokenId, revokedAt: at.toISOString(), cause }
  }))

const mintAndMail = (testerId: string, minting: Minting, kind: 'invitation' | 'fresh_link'): Array<EventOf<'tester'>> => {
  const { link: { tokenId, userId }, ttlMs, at } = minting
  return [
    { type: 'walkthrough_token.minted', data: { testerId, tokenId, userId, mintedAt: at.toISOString(), expiresAt: new Date(at.getTime() + ttlMs).toISOString() } },
    mailFor(testerId, tokenId, minting, kind)
  ]
}

const mailFor = (testerId: string, tokenId: string, { link, at }: Minting, kind: 'invitation' | 'fresh_link'): EventOf<'tester'> =>
  ({ type: 'mail.requested', data: { testerId, mailId: link.mailId, kind, tokenId, requestedAt: at.toISOString() } })

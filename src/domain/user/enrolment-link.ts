// What a walkthrough link is good for at a moment, and its opening: the console's half of an enrolment.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import { openReset, type Tester, type WalkthroughToken } from '../tester/tester.ts'

/** A link that may be opened or was opened, and has neither expired nor been replaced. */
export type LiveToken = Exclude<WalkthroughToken, { status: 'revoked' }> & { expiresAt: string }

export const unknownLink = (): never =>
  refuse('link_not_found', 'This link is not known. Open it exactly as it stands in the newest mail.')

export const supersededLink = (): never =>
  refuse('link_superseded', 'This link was replaced by a newer one. Open the newest mail.')

/** The token if it is good at this moment, else refuses with `link_not_found`, `link_superseded` or `link_expired`. */
export const liveToken = (tester: Tester, tokenId: string, at: Date): LiveToken => {
  const token = tester.status === 'present' ? tester.tokens.find((candidate) => candidate.tokenId === tokenId) : undefined
  // An imported token is known only by its times and opens nothing here.
  if (token?.expiresAt === undefined) return unknownLink()
  if (token.status === 'revoked') return supersededLink()
  if (at.getTime() >= Date.parse(token.expiresAt)) {
    return refuse('link_expired', 'This link has expired. Ask whoever invited you for a new one.', { expired_at: token.expiresAt })
  }
  return { ...token, expiresAt: token.expiresAt }
}

/** Marks the link used; nothing to record if it was opened before: until it expires the ceremony may be tried again. */
export const openLink = (tester: Tester, command: { testerId: string, tokenId: string, at: Date }): Array<EventOf<'tester'>> => {
  const { testerId, tokenId, at } = command
  const { status, userId } = liveToken(tester, tokenId, at)
  refuseDuringReset(tester, tokenId)
  return status === 'consumed'
    ? []
    : [{ type: 'walkthrough_token.consumed', data: { testerId, tokenId, userId, consumedAt: at.toISOString() } }]
}

/** The link if it is good and was opened: what a ceremony needs. */
export const openedToken = (tester: Tester, tokenId: string, at: Date): LiveToken => {
  const token = liveToken(tester, tokenId, at)
  return token.status === 'consumed' ? token : refuse('link_not_used', 'Open the link first, then set up the passkey.')
}

/** While a reset runs, its link begins nothing any more; a ceremony that was begun before may still finish, and then wins. */
export const refuseDuringReset = (tester: Tester, tokenId: string): void => {
  if (tester.status === 'present' && openReset(tester)?.tokenId === tokenId) supersededLink()
}

// The console's half of a ghost reset: intent, fresh link, outcome; and whom a call finds itself joining.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Instant } from '../event.ts'
import type { ResetState } from '../user/user.ts'
import { isReusable, replaceLinks, type Minting } from './links.ts'
import { currentToken, liveTester, openReset, type GhostReset, type PresentTester, type Tester, type Verdict, type WalkthroughToken } from './tester.ts'

/**
 * The reset that a call joins before any verdict is taken (decision 23): the open one, or one completed so short a
 * time ago that its fresh link would be used again instead of minting another.
 */
export const resetToJoin = (tester: PresentTester, at: Date): GhostReset | undefined => {
  const last = tester.resets.at(-1)
  if (last?.status === 'open') return last
  if (last?.status !== 'completed') return undefined
  const fresh = tester.tokens.find(({ tokenId }) => tokenId === last.fresh.tokenId)
  return fresh !== undefined && isReusable(fresh, at) ? last : undefined
}

/** The used link that a reset is about. Refuses with `subject_not_found`, `link_not_used`. */
export const usedLink = (state: Tester): WalkthroughToken & { status: 'consumed' } => {
  const tester = liveTester(state)
  if (tester === undefined) return refuse('subject_not_found', 'There is no such tester.')
  const token = currentToken(tester)
  if (token?.status !== 'consumed') {
    return refuse('link_not_used', "The tester's link was never used, so there is no ghost. Resend the link instead.", { next: 'resend' })
  }
  return token
}

export interface Initiation {
  testerId: string
  resetId: string
  /** The link that the verdict is about. */
  tokenId: string
  verdict: Verdict & { becomesGhostAt?: Instant, accountPosition: bigint }
  /** Where the tester's stream stands. */
  position: bigint
  presentedPosition?: bigint
  at: Date
}

/**
 * States the intent; nothing to record if the call joins another reset.
 * Refuses with `subject_not_found`, `link_not_used`, `verdict_stale`, `account_healthy`, `mid_enrollment`.
 */
export const initiate = (tester: Tester, initiation: Initiation): Array<EventOf<'tester'>> => {
  const { testerId, resetId, verdict, presentedPosition, at } = initiation
  if (tester.status === 'present' && resetToJoin(tester, at) !== undefined) return []
  const token = usedLink(tester)
  const moved = presentedPosition !== undefined && (initiation.position > presentedPosition || verdict.accountPosition > presentedPosition)
  if (moved || token.tokenId !== initiation.tokenId) {
    return refuse('verdict_stale', 'The account moved since the verdict was taken. Look at it again and decide anew.')
  }
  const { state, rule, thresholdMs, evidence, evaluatedAtPosition, becomesGhostAt } = verdict
  if (state === 'healthy') {
    return refuse('account_healthy', 'The account has a credential. Nothing was deleted; a ghost reset does not apply.')
  }
  if (state === 'mid_enrollment') {
    return refuse('mid_enrollment', 'The enrolment is under way. Ask again when it has become a ghost.', { becomes_ghost_at: becomesGhostAt })
  }
  return [{
    type: 'console.beta.ghost_reset.initiated',
    data: {
      testerId, resetId, tokenId: token.tokenId, userId: token.userId,
      initiatedAt: at.toISOString(), state, rule, thresholdMs, evidence: [...evidence], evaluatedAtPosition,
      ...(presentedPosition !== undefined && { presentedPosition: String(presentedPosition) })
    }
  }]
}

/** Closes the open reset without having deleted anything. */
export const refuseReset = (tester: Tester, resetId: string, code: string, at: Date): Array<EventOf<'tester'>> =>
  isOpen(tester, resetId)
    ? [{ type: 'console.beta.ghost_reset.refused', data: { testerId: tester.testerId, resetId, refusedAt: at.toISOString(), code } }]
    : []

/** After the deletion: old links revoked, a fresh one minted (or one just minted used again), its mail asked for. */
export const giveFreshLink = (tester: Tester, resetId: string, minting: Minting): Array<EventOf<'tester'>> =>
  isOpen(tester, resetId) && openReset(tester)?.fresh === undefined ? replaceLinks(tester, minting) : []

/** States the outcome, with what the account was when it was deleted; nothing to record if it stands already. */
export const complete = (tester: Tester, resetId: string, at: Date, state?: ResetState): Array<EventOf<'tester'>> => {
  if (!isOpen(tester, resetId)) return []
  const fresh = openReset(tester)?.fresh
  const token = tester.tokens.find(({ tokenId }) => tokenId === fresh?.tokenId)
  if (fresh === undefined || token === undefined) return []
  return [{
    type: 'console.beta.ghost_reset.completed',
    data: {
      testerId: tester.testerId, resetId, completedAt: at.toISOString(),
      freshTokenId: fresh.tokenId, freshUserId: token.userId, mailId: fresh.mailId,
      ...(state !== undefined && { state })
    }
  }]
}

const isOpen = (tester: Tester, resetId: string): tester is PresentTester =>
  tester.status === 'present' && openReset(tester)?.resetId === resetId

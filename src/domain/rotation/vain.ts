// What the vendor was asked for in vain: when it is asked again, and what an operator is told of it after a while (ADR 0189).
import { pauseAfter } from './rules.ts'
import type { VainAsk } from './job.ts'
import { at, type Due } from './actions.ts'
import type { Job } from './state.ts'

export const triesInVain = ({ vain }: Job, asked: VainAsk): number => vain?.asked === asked ? vain.tries : 0

/** In ms since 1970; 0 if it was not asked for in vain. */
export const askAgainAt = ({ vain }: Job, ...asked: readonly VainAsk[]): number =>
  vain !== undefined && asked.includes(vain.asked) ? Date.parse(vain.at) + pauseAfter(vain.tries) : 0

/** What is due, unless it was asked for in vain just now: later and later. */
export const notTooSoon = (job: Job, now: number, due: Due): Due => {
  const { actions: [action] } = due
  const until = action?.kind === job.vain?.asked && job.vain !== undefined ? askAgainAt(job, job.vain.asked) : 0
  return until > now ? at(until) : due
}

/** Where the state alone does not say what is waited for. */
const waitsFor: Readonly<Record<VainAsk, string>> = {
  mint: 'the vendor has not said whether it takes the value that was pasted. If that is how it refuses, put a manifest with that status among its refused_statuses',
  settle_mint: 'the vendor\'s list could not be read, so that nobody knows whether it minted',
  revoke_orphan: 'the vendor has not revoked a token that a minting left behind',
  check_old: 'the vendor has not said whether the old value works. If that is how it refuses, put a manifest with that status among its refused_statuses',
  revoke_new: 'the vendor has not said whether the old value still works, without which the new token is not revoked',
  finish: 'the vendor\'s list could not be read, which has to show that no token was left behind. The old token was seen refused, and the new value is in use; the rotation ends with the next list',
  end_abort: 'the vendor\'s list could not be read, which has to show that no token was left behind. The old value is in use; the rotation ends with the next list'
}

/** A sentence without its beginning: since when. */
export const inVain = (asked: VainAsk): string => `${waitsFor[asked]}. What it answered stands in the rotation: look at the vendor, and at the connection of the manifest.`

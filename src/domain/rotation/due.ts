// What a job asks of the outside world next: a pure function of its facts and the time.
import { openJob } from '../credential/credential.ts'
import type { Credential, KnownCredential } from '../credential/state.ts'
import { at, doNow, nothing, type Action, type Due } from './actions.ts'
import { backDue, newValueDue } from './due-deliveries.ts'
import { backProofsDue, roundDue } from './due-proofs.ts'
import { CONSUMER_LIMIT_MS, REFUSALS, REFUSAL_PAUSE_MS, pauseAfter, type DueRules } from './rules.ts'
import { mayHold, roundProved } from './standing.ts'
import type { Job, Revoking } from './state.ts'
import { notTooSoon } from './vain.ts'

/** The states in which the service has something to do; in `distribute_partial` a late acknowledgement may end it well. */
export const due = (credential: Credential, now: Date, rules: DueRules): Due => {
  const job = openJob(credential)
  if (job === undefined || credential.status === 'absent') return nothing
  const heldUntil = heldElsewhereUntil(job, rules)
  if (heldUntil > now.getTime() && works(job)) return at(heldUntil)
  return notTooSoon(job, now.getTime(), dueOf(credential, job, now.getTime(), rules))
}

/** Until when another process is taken to be at work; 0 where there can be none. */
export const heldElsewhereUntil = ({ holder }: Job, { holder: own, alone, timeLimitMs }: DueRules): number => {
  if (holder === undefined || holder.id === own) return 0
  return alone ? 0 : Date.parse(holder.at) + 2 * Math.max(timeLimitMs, CONSUMER_LIMIT_MS)
}

const waiting: ReadonlyArray<Job['state']> = ['opened', 'verified', 'verify_failed', 'mint_failed', 'distributed', 'validation_failed', 'validated']
const works = ({ state }: Job): boolean => !waiting.includes(state)

const dueOf = (credential: KnownCredential, job: Job, now: number, rules: DueRules): Due => {
  switch (job.state) {
    case 'verifying': return doNow({ kind: 'verify', attempt: job.verifyAttempt, valueId: job.oldValue.valueId, replace: job.mode === 'replace' })
    case 'minting':
    case 'mint_outcome_unknown': return mintDue(job) ?? nothing
    case 'distributing': return newValueDue(job, now, rules) ?? doNow({ kind: 'end_distribution', attempt: job.distribution.attempt })
    case 'distribute_partial': return requiredServed(job) ? doNow({ kind: 'end_distribution', attempt: job.distribution.attempt }) : nothing
    case 'validating': return roundDue(credential, job, 'validate', now) ?? doNow({ kind: 'end_validation', round: job.rounds, purpose: 'validate' })
    case 'confirming': return confirmDue(credential, job, now, rules)
    case 'revoking':
    case 'revoke_unconfirmed': return revokingDue(job, now, rules)
    case 'abort_checking': return abortDue(job, now, rules)
    case 'aborting': return abortingDue(job, now, rules)
    case 'opened': case 'verified': case 'verify_failed': case 'mint_failed': case 'distributed': case 'validation_failed': case 'validated':
    case 'done': case 'aborted': return nothing
  }
}

const requiredServed = ({ consumers }: Job): boolean => [...consumers.values()].every(({ subscriber, status }) => !subscriber.required || status === 'succeeded')

const mintDue = ({ minting, orphan }: Job): Due | undefined => {
  switch (minting?.status) {
    case 'requested': return doNow({ kind: 'mint', attempt: minting.attempt })
    case 'started': return doNow({ kind: 'give_up_mint', attempt: minting.attempt })
    case 'unknown': return doNow(orphan === undefined ? { kind: 'settle_mint', attempt: minting.attempt } : { kind: 'revoke_orphan', vendorTokenId: orphan.vendorTokenId })
    case 'minted': case 'failed': case 'settled': case undefined: return undefined
  }
}

const confirmDue = (credential: KnownCredential, job: Job, now: number, { proofMaxAgeMs }: DueRules): Due => {
  const open = roundDue(credential, job, 'revoke', now)
  if (open !== undefined) return open
  if (!roundProved(credential, job)) return doNow({ kind: 'end_validation', round: job.rounds, purpose: 'revoke' })
  if (job.orphan !== undefined) return doNow({ kind: 'revoke_orphan', vendorTokenId: job.orphan.vendorTokenId })
  // What came between took long: the proofs are to be of now.
  if (job.round !== undefined && now - Date.parse(job.round.startedAt) > proofMaxAgeMs) {
    return doNow({ kind: 'start_validation', purpose: 'revoke', round: job.rounds + 1, valueId: job.newValue?.valueId ?? '' })
  }
  return doNow({ kind: 'check_before_revoke' })
}

const revokingDue = (job: Job, now: number, rules: DueRules): Due => besideRevoking(newValueDue(job, now, rules), notTooSoon(job, now, oldRevokeDue(job, now)))

/** The old value is given back and proved first. */
const abortingDue = (job: Job, now: number, rules: DueRules): Due => {
  const back = backDue(job, now, rules)
  return job.newRevoking !== undefined ? besideRevoking(back, notTooSoon(job, now, newRevokeDue(job, now))) : back ?? backProofsDue(job, now) ?? newRevokeDue(job, now)
}

/**
 * Who joins while a token is being revoked is given the other value on the way, and the vendor does not wait for that. The end waits until
 * they are served, or tried often enough: nobody delivers after it.
 */
const besideRevoking = (joiners: Due | undefined, revoking: Due): Due => {
  if (joiners === undefined || joiners.actions.length > 0) return joiners ?? revoking
  const [action] = revoking.actions
  if ((action?.kind === 'finish' || action?.kind === 'end_abort') && joiners.again !== undefined) return joiners
  return revoking.again !== undefined && joiners.again !== undefined && joiners.again < revoking.again ? { ...revoking, again: joiners.again } : revoking
}

/** The old token; a vendor that still takes it after it was told is an alarm to come. */
const oldRevokeDue = (job: Job, now: number): Due => {
  const tell: Due | undefined = job.state === 'revoking' ? doNow({ kind: 'tell_unconfirmed' }) : undefined
  return revokeDue(job, now, { revoking: job.revoking, valueId: job.oldValue.valueId, tell, revoke: (attempt) => ({ kind: 'revoke', attempt }) }) ?? doNow({ kind: 'finish' })
}

interface ToRevoke { revoking: Revoking | undefined, valueId: string, tell: Due | undefined, revoke: (attempt: number) => Action }

/**
 * Revoke, try the value, again until it was refused three times in a row and the vendor confirmed; a vendor that does neither is
 * told again, later and later. Undefined once both is so. Refused now is not yet gone for good: Redis may not have written it down, a
 * role of Postgres may have sessions; only the vendor can say so. And where a human revokes, only the probes can.
 */
const revokeDue = (job: Job, now: number, { revoking, valueId, tell, revoke }: ToRevoke): Due | undefined => {
  const { refusals, orphan } = job
  if (revoking === undefined || revoking.answer === undefined) return doNow(revoke((revoking?.attempt ?? 0) + 1))
  const next = revoke(revoking.attempt + 1)
  if (refusals.inARow >= REFUSALS) {
    if (revoking.answer !== 'revoked') return tell ?? retryAt(revoking, now, next)
    return orphan === undefined ? undefined : doNow({ kind: 'revoke_orphan', vendorTokenId: orphan.vendorTokenId })
  }
  if (refusals.inARow > 0 || refusals.probedAt === undefined) {
    const probeAt = refusals.probedAt === undefined ? 0 : Date.parse(refusals.probedAt) + REFUSAL_PAUSE_MS
    return probeAt <= now ? doNow({ kind: 'probe_refused', valueId }) : at(probeAt)
  }
  return tell ?? retryAt(revoking, now, next)
}

/** Before there is a way back: what is being minted comes to its end, attempts of a process that is gone are waited out, the old value is tried. */
const abortDue = (job: Job, now: number, rules: DueRules): Due => {
  const minting = job.minting?.status === 'requested' ? undefined : mintDue(job)
  if (minting !== undefined) return minting
  if (job.newValue === undefined) return newRevokeDue(job, now)
  const underWay = waitedOutAt(job, rules)
  if (underWay > now) return at(underWay)
  // Nobody has taken what replaces a dead value: there is nothing to give back, and nothing to try.
  const untaken = job.mode === 'replace' && ![...job.consumers.values()].some((consumer) => mayHold(job, consumer))
  return untaken ? newRevokeDue(job, now) : doNow({ kind: 'check_old', valueId: job.oldValue.valueId })
}

const waitedOutAt = (job: Job, { holder: own }: DueRules): number => {
  const { holder, consumers } = job
  if (holder === undefined || holder.id === own || ![...consumers.values()].some((consumer) => mayHold(job, consumer))) return 0
  return Date.parse(holder.at) + CONSUMER_LIMIT_MS
}

/** The new token, in the same way; where nothing was minted, there is only the list to look at. */
const newRevokeDue = (job: Job, now: number): Due => {
  const { newValue, newRevoking, orphan } = job
  if (newValue === undefined) return doNow(orphan === undefined ? { kind: 'end_abort' } : { kind: 'revoke_orphan', vendorTokenId: orphan.vendorTokenId })
  return revokeDue(job, now, { revoking: newRevoking, valueId: newValue.valueId, tell: undefined, revoke: (attempt) => ({ kind: 'revoke_new', attempt }) }) ?? doNow({ kind: 'end_abort' })
}

const retryAt = ({ attempt, answeredAt, startedAt }: Revoking, now: number, action: Action): Due => {
  const next = Date.parse(answeredAt ?? startedAt) + pauseAfter(attempt)
  return next <= now ? doNow(action) : at(next)
}

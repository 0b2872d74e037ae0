// What the reactor records before and after it asks a vendor: nothing where the job has moved on meanwhile.
import type { EventOf } from '../catalogue.ts'
import { openJob } from '../credential/credential.ts'
import { holdsUp, type Exchange } from '../credential/fields.ts'
import type { Credential, KnownCredential } from '../credential/state.ts'
import { superseded } from '../credential/superseded.ts'
import { orphansAmong, type Listed } from './orphans.ts'
import { REFUSALS } from './rules.ts'
import { mayHold, namesOf, needsOld, notBack, roundProved } from './standing.ts'
import type { VainAsk } from './job.ts'
import type { Job } from './state.ts'
import { triesInVain } from './vain.ts'

export type Facts = Array<EventOf<'credential'>>
export interface Open { credential: KnownCredential, job: Job, of: { credential: string, rotationId: string }, at: string }
/** A decision of the reactor on a job that is still open. */
export type Outcome = (open: Open) => Facts

/** Runs a decision if the job is still open. */
export const onJob = (state: Credential, rotationId: string, at: Date, decide: Outcome): Facts => {
  const job = openJob(state)
  return state.status === 'known' && job?.rotationId === rotationId ? decide({ credential: state, job, of: { credential: state.name, rotationId }, at: at.toISOString() }) : []
}

/** At most what a fact holds. */
const few = (exchanges: readonly Exchange[]): Exchange[] => exchanges.slice(-8)
const seen = (exchanges: readonly Exchange[]) => exchanges.length === 0 ? {} : { exchanges: few(exchanges) }

export const verified = (attempt: number, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) => {
  if (job.state !== 'verifying' || job.verifyAttempt !== attempt) return []
  return exchanges.length > 0 && exchanges.every(holdsUp)
    ? [{ type: 'rotation.verified', data: { ...of, attempt, exchanges: few(exchanges), verifiedAt: at } }]
    : [{ type: 'rotation.verify_failed', data: { ...of, attempt, exchanges: few(exchanges), failedAt: at } }]
}

export const mintStarted = (
  attempt: number, minting: { valueId: string, label: string, knownTokenIds?: string[] }, exchanges: readonly Exchange[]
): Outcome => ({ job, of, at }) => job.state === 'minting' && job.minting?.attempt === attempt && job.minting.status === 'requested'
  ? [{ type: 'rotation.mint_started', data: { ...of, attempt, ...minting, exchanges: few(exchanges), startedAt: at } }]
  : []

/** Before a process has claimed it: the vendor was not asked at all. */
export const mintNotAsked = (attempt: number, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) =>
  job.state === 'minting' && job.minting?.attempt === attempt && job.minting.status === 'requested'
    ? [{ type: 'rotation.mint_failed', data: { ...of, attempt, exchanges: few(exchanges), failedAt: at } }]
    : []

export const mintRefused = (attempt: number, valueId: string, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) => isClaimed(job, attempt, valueId)
  ? [{ type: 'rotation.mint_failed', data: { ...of, attempt, exchanges: few(exchanges), failedAt: at } }]
  : []

/** `valueId` undefined: of whatever process. */
export const mintUnknown = (attempt: number, valueId: string | undefined, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) => isClaimed(job, attempt, valueId)
  ? [{ type: 'rotation.mint_outcome_unknown', data: { ...of, attempt, exchanges: few(exchanges), unknownAt: at } }]
  : []

/** Only by the process whose claim still holds: given up by another, the token is an orphan, however the vendor answered since. */
export const minted = (
  attempt: number, value: { valueId: string, fingerprint: string, vendorTokenId?: string, expiresAt?: string }, exchanges: readonly Exchange[]
): Outcome => ({ job, of, at }) => isClaimed(job, attempt, value.valueId)
  ? [{ type: 'rotation.minted', data: { ...of, attempt, ...value, exchanges: few(exchanges), mintedAt: at } }]
  : []

/** A value made by hand, once the vendor has accepted it. */
export const pastedTaken = (attempt: number, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) =>
  job.state === 'minting' && job.minting?.attempt === attempt && job.minting.status === 'requested' && job.minting.pasted !== undefined
    ? [{ type: 'rotation.minted', data: { ...of, attempt, ...job.minting.pasted, exchanges: few(exchanges), mintedAt: at } }]
    : []

/** One that the vendor does not accept: out of use before it ever was in use. */
export const pastedRefused = (attempt: number, exchanges: readonly Exchange[], graceMs: number): Outcome => (open) => {
  const facts = mintNotAsked(attempt, exchanges)(open)
  const valueId = open.job.minting?.pasted?.valueId
  return facts.length === 0 || valueId === undefined ? facts : [...facts, superseded(open.credential.name, valueId, new Date(open.at), graceMs)]
}

/** True as long as the minting is the one that this process began, and nobody has given it up. */
export const isClaimed = ({ minting }: Job, attempt: number, valueId: string | undefined): boolean =>
  minting?.status === 'started' && minting.attempt === attempt && (valueId === undefined || minting.valueId === valueId)

/** What a list showed counts only as long as nothing was minted or found since it was asked for: `then` is the job as it was. */
const unmoved = (then: Job, now: Job): boolean =>
  then.minting?.attempt === now.minting?.attempt && then.minting?.status === now.minting?.status && then.orphanAt === now.orphanAt

export const mintSettled = (then: Job, exchanges: readonly Exchange[], graceMs: number): Outcome => ({ credential, job, of, at }) =>
  job.minting?.status === 'unknown' && job.orphan === undefined && unmoved(then, job)
    ? [
        { type: 'rotation.mint_settled', data: { ...of, attempt: job.minting.attempt, exchanges: few(exchanges), settledAt: at } },
        // A process that died may have put it into the vault before.
        ...unused(credential, job.minting.valueId, at, graceMs)
      ]
    : []

const unused = (credential: KnownCredential, valueId: string | undefined, at: string, graceMs: number): Facts =>
  valueId === undefined || credential.superseded.has(valueId) ? [] : [superseded(credential.name, valueId, new Date(at), graceMs)]

export const orphanFound = (then: Job, token: Listed, exchanges: readonly Exchange[]): Outcome => ({ credential, job, of, at }) =>
  job.orphan === undefined && unmoved(then, job) && orphansAmong(job, credential.past, [token]).ours.length > 0
    ? [{ type: 'rotation.orphan_found', data: { ...of, vendorTokenId: token.tokenId, exchanges: few(exchanges), foundAt: at } }]
    : []

/** As many as a fact holds; the others are found when the list is looked at again. */
export const unexplainedFound = (then: Job, tokens: readonly Listed[], exchanges: readonly Exchange[]): Outcome => ({ credential, job, of, at }) => {
  const vendorTokenIds = unmoved(then, job) ? orphansAmong(job, credential.past, tokens).unexplained.map(({ tokenId }) => tokenId).slice(0, 100) : []
  return vendorTokenIds.length === 0 ? [] : [{ type: 'rotation.unexplained_found', data: { ...of, vendorTokenIds, exchanges: few(exchanges), foundAt: at } }]
}

/** Minted by a process that had been given up meanwhile: it tells what it made. Nothing while another minting is under way, whose token it could be taken for. */
export const orphanMade = (vendorTokenId: string, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) =>
  job.orphan === undefined && job.minting?.status !== 'started' && vendorTokenId !== job.newValue?.vendorTokenId && vendorTokenId !== job.oldValue.vendorTokenId
    ? [{ type: 'rotation.orphan_found', data: { ...of, vendorTokenId, exchanges: few(exchanges), foundAt: at } }]
    : []

export const orphanRevoked = (vendorTokenId: string, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) => job.orphan?.vendorTokenId === vendorTokenId
  ? [{ type: 'rotation.orphan_revoked', data: { ...of, vendorTokenId, exchanges: few(exchanges), revokedAt: at } }]
  : []

export const gateClosed = (why: string, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) => job.state === 'confirming'
  ? [{ type: 'rotation.gate_closed', data: { ...of, why, consumers: [], exchanges: few(exchanges), closedAt: at } }]
  : []

/** Nothing else came of it, and nothing else has happened since: the vendor is asked again, later and later. */
export const askedInVain = (then: Job, asked: VainAsk, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) =>
  job.transition === then.transition && job.vain?.at === then.vain?.at
    ? [{ type: 'rotation.asked_in_vain', data: { ...of, asked, tries: triesInVain(job, asked) + 1, exchanges: few(exchanges), askedAt: at } }]
    : []

/** The first time only with the round of proofs just done, complete, and of the manifest that holds now. `exchanges`: what else it rests on. */
export const revokeStarted = (attempt: number, proofMaxAgeMs: number, exchanges: readonly Exchange[] = []): Outcome => ({ credential, job, of, at }) => {
  // A process may have stood still since the last proof came.
  const young = job.round !== undefined && Date.parse(at) - Date.parse(job.round.startedAt) <= proofMaxAgeMs
  const first = job.state === 'confirming' && attempt === 1 && job.orphan === undefined && young && roundProved(credential, job)
  const next = (job.state === 'revoking' || job.state === 'revoke_unconfirmed') && job.revoking?.attempt === attempt - 1
  return first || next ? [{ type: 'rotation.revoke_started', data: { ...of, ...token(job.oldValue), attempt, ...seen(exchanges), startedAt: at } }] : []
}

export const revokeAnswered = (attempt: number, outcome: 'revoked' | 'refused' | 'unknown', exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) =>
  job.revoking?.attempt === attempt && job.revoking.answer === undefined
    ? [{ type: 'rotation.revoke_answered', data: { ...of, attempt, outcome, exchanges: few(exchanges), answeredAt: at } }]
    : []

/** `before`: how many probes there were when this one was made; of two at once, one counts. */
export const refusalProbed = (before: number, refused: boolean, exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) =>
  (job.revoking !== undefined || job.newRevoking !== undefined) && job.refusals.probes === before
    ? [{ type: 'rotation.refusals_probed', data: { ...of, refusedInARow: refused ? job.refusals.inARow + 1 : 0, exchanges: few(exchanges), probedAt: at } }]
    : []

export const unconfirmed: Outcome = ({ job, of }) => job.state === 'revoking' && job.revoking !== undefined
  ? [{ type: 'rotation.revoke_unconfirmed', data: { ...of, since: job.revoking.firstStartedAt } }]
  : []

export const done = (graceMs: number, exchanges: readonly Exchange[]): Outcome => ({ credential, job, of, at }) => {
  if (job.refusals.inARow < REFUSALS || job.revoking?.answer !== 'revoked' || job.orphan !== undefined || job.newValue === undefined) return []
  // Somebody has joined since it was looked at.
  if ([...job.consumers.values()].some(({ announced }) => !announced)) return []
  const { oldValue, newValue } = job
  return [
    { type: 'rotation.done', data: { ...of, oldValueId: oldValue.valueId, newValueId: newValue.valueId, ...seen(exchanges), doneAt: at } },
    superseded(credential.name, oldValue.valueId, new Date(at), graceMs)
  ]
}

export const oldDead = (exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) => job.state === 'abort_checking' || (job.state === 'aborting' && job.newRevoking === undefined)
  ? [{ type: 'rotation.abort_refused', data: { ...of, exchanges: few(exchanges), refusedAt: at } }]
  : []

/**
 * With it, in one append, the deliveries that give the old value back: nobody can fetch the new one in between. `bothDead`: the vendor
 * refuses the new value as well as the old one, so there is nothing to go forward with, and nothing to give back.
 */
export const abortStarted = (exchanges: readonly Exchange[], bothDead = false): Outcome => ({ credential, job, of, at }) => {
  if (job.state !== 'abort_checking') return []
  const consumers = bothDead ? [] : namesOf([...job.consumers.values()].filter((consumer) => needsOld(job, consumer)))
  const deliverySeq = credential.deliverySeq + 1
  return [
    { type: 'rotation.abort_started', data: { ...of, consumers, exchanges: few(exchanges), startedAt: at } },
    ...consumers.length === 0
      ? []
      : [{
          type: 'rotation.deliveries_started' as const,
          data: {
            ...of, attempt: job.distribution.attempt, valueId: job.oldValue.valueId, startedAt: at,
            deliveries: consumers.map((consumer) => ({ consumer, deliverySeq }))
          }
        }]
  ]
}

/**
 * The first time only once whoever is required has proved that it uses the old value again; without a way back, only if nobody has taken
 * the new one. `exchanges`: what else it rests on.
 */
export const newRevokeStarted = (attempt: number, exchanges: readonly Exchange[] = []): Outcome => ({ job, of, at }) => {
  if (job.newValue === undefined || (job.newRevoking?.attempt ?? 0) !== attempt - 1) return []
  const nobody = job.state === 'abort_checking' && ![...job.consumers.values()].some((consumer) => mayHold(job, consumer))
  const back = job.state === 'aborting' && (attempt > 1 || notBack(job).length === 0)
  return nobody || back ? [{ type: 'rotation.new_revoke_started', data: { ...of, ...token(job.newValue), attempt, ...seen(exchanges), startedAt: at } }] : []
}

export const newRevokeAnswered = (attempt: number, outcome: 'revoked' | 'refused' | 'unknown', exchanges: readonly Exchange[]): Outcome => ({ job, of, at }) =>
  job.newRevoking?.attempt === attempt && job.newRevoking.answer === undefined
    ? [{ type: 'rotation.new_revoke_answered', data: { ...of, attempt, outcome, exchanges: few(exchanges), answeredAt: at } }]
    : []

/** `untried`: the vault does not hold the new value, so it could not be tried whether the vendor refuses it. */
export const aborted = (graceMs: number, untried: boolean, exchanges: readonly Exchange[]): Outcome => ({ credential, job, of, at }) => {
  const gone = job.newValue === undefined || (job.newRevoking?.answer === 'revoked' && (untried || job.refusals.inARow >= REFUSALS))
  if ((job.state !== 'abort_checking' && job.state !== 'aborting') || !gone || job.orphan !== undefined || notBack(job).length > 0) return []
  return [
    { type: 'rotation.aborted', data: { ...of, ...seen(exchanges), abortedAt: at } },
    ...unused(credential, job.newValue?.valueId ?? (job.minting?.status === 'requested' ? job.minting.pasted?.valueId : undefined), at, graceMs)
  ]
}

const token = ({ vendorTokenId }: { vendorTokenId: string | undefined }) => vendorTokenId === undefined ? {} : { vendorTokenId }

// A job as readers are shown it: API, event stream, board and transcript are made of this.
import type { Credential } from '../credential/state.ts'
import { abortTable } from './abort-table.ts'
import type { ConsumerProgress, JobView } from './job.ts'
import { leftUnproved, leftWithout } from './left-without.ts'
import { abortable, meaningOf, offered } from './offered.ts'
import { ALARM_MS, REFUSALS, type RotationRules } from './rules.ts'
import { unexplainedTokens } from './sentences.ts'
import { gate, notBack } from './standing.ts'
import type { ConsumerState, Job } from './state.ts'
import { inVain } from './vain.ts'

/** The open job or the last one, by its id; older ones are folded from the stream up to their end (`readJob`). */
export const jobView = (credential: Credential, rotationId: string, now: Date, rules: Pick<RotationRules, 'proofMaxAgeMs'>): JobView | undefined => {
  if (credential.status === 'absent' || credential.job?.rotationId !== rotationId) return undefined
  const { job, name, version } = credential
  const { mode, trigger, state, transition, openedAt, openedBy, changedAt, endedAt, ticketCheck, oldValue, newValue } = job
  const closedBy = beforeRevoking(job) ? gate(job, now, rules) : []
  const meaning = state === 'validated' && closedBy.length > 0 ? CLOSED_SINCE : sentences(meaningOf(job), leftUnproved(credential, job)) ?? ''
  return {
    credential: name, rotationId, mode, trigger, state, meaning, transition, manifestVersion: version,
    openedAt, openedBy, changedAt, endedAt, ticketCheck, oldValue,
    newValue: newValue && { valueId: newValue.valueId, vendorTokenId: newValue.vendorTokenId, fingerprint: newValue.fingerprint },
    failure: job.vain?.exchange ?? job.failure,
    consumers: [...job.consumers.values()].map(progress),
    gate: { open: state === 'validated' && closedBy.length === 0, closedBy },
    steps: offered(job),
    abortMeans: abortable(job) ? abortTable[state].means : undefined,
    unexplained: job.unexplained,
    alarm: sentences(alarm(job, now), leftWithout(credential, job))
  }
}

const CLOSED_SINCE = 'All consumers had proved the new value, and the gate has closed since. Validate again to open it.'

const sentences = (...told: Array<string | undefined>): string | undefined => told.filter((sentence) => sentence !== undefined).join(' ') || undefined

const beforeRevoking = ({ newValue, revoking, abort, endedAt }: Job): boolean =>
  newValue !== undefined && revoking === undefined && abort?.startedAt === undefined && endedAt === undefined

const progress = ({ subscriber, status, delivery, tries, lastError, sentAt, endedAt, probe, provedAt, waived }: ConsumerState): ConsumerProgress => ({
  ...subscriber, distributeStatus: status, deliverySeq: delivery?.seq, tries, lastError, sentAt, endedAt, proofOutcome: probe?.outcome, provedAt, waived
})

/** What has taken longer than an operator should let it, in a sentence. */
const alarm = (job: Job, now: Date): string | undefined => {
  const since = (at: string | undefined): number => at === undefined ? 0 : now.getTime() - Date.parse(at)
  const minutes = (at: string | undefined): string => `${Math.floor(since(at) / 60_000)} minutes`
  const { state, revoking, abort, minting, orphan, changedAt, vain, refusals } = job
  if (orphan !== undefined && vain?.asked === 'revoke_orphan' && since(orphan.foundAt) >= ALARM_MS) {
    return `For ${minutes(orphan.foundAt)} the vendor has not revoked the token ${orphan.vendorTokenId}, which a minting left behind. Revoke it by hand at the vendor: then the rotation goes on.`
  }
  if (vain !== undefined && since(vain.since) >= ALARM_MS) return `For ${minutes(vain.since)} ${inVain(vain.asked)}`
  if ((state === 'revoking' || state === 'revoke_unconfirmed') && since(revoking?.firstStartedAt) >= ALARM_MS) {
    return refusals.inARow < REFUSALS
      ? `For ${minutes(revoking?.firstStartedAt)} the old token has not been seen refused three times in a row. Look at the vendor.`
      : `For ${minutes(revoking?.firstStartedAt)} the rotation has not come to its end, though the old token is refused. Look at the vendor.`
  }
  if (state === 'abort_checking' && since(abort?.requestedAt) >= ALARM_MS) return `For ${minutes(abort?.requestedAt)} the vendor has not said whether the old value works.`
  if (state === 'aborting' && since(abort?.startedAt ?? changedAt) >= ALARM_MS) return `For ${minutes(abort?.startedAt ?? changedAt)} the way back has not come to its end. ${waitingFor(job)}`
  if (state === 'mint_outcome_unknown' && since(minting?.at) >= ALARM_MS) return `For ${minutes(minting?.at)} the vendor's list could not settle whether it minted.`
  return job.unexplained.length === 0 ? undefined : unexplainedTokens(job.unexplained)
}

const waitingFor = (job: Job): string => {
  const names = notBack(job)
  return names.length === 0
    ? 'Look at the vendor, which has to revoke the new token.'
    : `The old value is not proved by ${names.slice(0, 10).join(', ')}${names.length > 10 ? ' and others' : ''}. One that has vanished leaves by a version of the manifest without it.`
}

// Folds the facts of a rotation into its credential. Never throws.
import type { RecordedOf } from '../catalogue.ts'
import { holdsUp, type Exchange } from '../credential/fields.ts'
import type { KnownCredential } from '../credential/state.ts'
import type { Instant } from '../event.ts'
import type { RotationFact } from './fact.ts'
import { acknowledged, anew, backUnproved, deliveriesRecorded, deliveriesStarted, fresh, move, proofsRecorded, settled, waived, withConsumers } from './fold-consumers.ts'
import type { JobState } from './job.ts'
import { SYSTEM } from './rules.ts'
import { VALUE_MISSING } from './sentences.ts'
import { isBehind } from './standing.ts'
import type { Job, Minting, Revoking } from './state.ts'

export const isRotationFact = (event: RecordedOf<'credential'>): event is RotationFact => event.type.startsWith('rotation.')

export const foldRotation = (credential: KnownCredential, event: RotationFact): KnownCredential => {
  if (event.type === 'rotation.opened') return { ...credential, job: opened(credential, event) }
  const { job } = credential
  if (job === undefined || job.rotationId !== event.data.rotationId || job.endedAt !== undefined) return credential
  const { actor, requestId, occurredAt } = event.metadata
  const holder = actor.type === 'system' && actor.id === SYSTEM ? { id: requestId, at: occurredAt } : job.holder
  const next = foldJob({ ...job, holder, vain: besideTheVendor.has(event.type) ? job.vain : undefined }, event, credential)
  if (event.type === 'rotation.done') return done({ ...credential, job: next }, next, occurredAt)
  if (event.type === 'rotation.aborted') return ended({ ...credential, job: next }, next, 'aborted', occurredAt)
  if (event.type !== 'rotation.deliveries_started') return { ...credential, job: next }
  const { deliveries, valueId } = event.data
  const held = new Map(credential.held)
  for (const { consumer, deliverySeq } of deliveries) held.set(consumer, { valueId, seq: deliverySeq })
  return { ...credential, job: next, held, deliverySeq: Math.max(credential.deliverySeq, ...deliveries.map(({ deliverySeq }) => deliverySeq)) }
}

/** Facts after which the vendor still owes the answer that it was asked for in vain. */
const besideTheVendor: ReadonlySet<RotationFact['type']> = new Set<RotationFact['type']>([
  'rotation.asked_in_vain', 'rotation.deliveries_started', 'rotation.deliveries_recorded', 'rotation.delivery_acknowledged', 'rotation.consumer_waived',
  'rotation.owner_mail_requested', 'rotation.owner_mail_attempted', 'rotation.owner_mail_sent', 'rotation.owner_mail_failed'
])

const opened = ({ manifest, value }: KnownCredential, { data, metadata }: Extract<RotationFact, { type: 'rotation.opened' }>): Job => ({
  rotationId: data.rotationId, mode: data.mode, trigger: data.trigger, state: 'opened', transition: 1,
  openedAt: data.openedAt, ticketCheck: data.ticketCheck, openedBy: metadata.actor, changedAt: data.openedAt, endedAt: undefined,
  oldValue: { valueId: data.oldValueId, vendorTokenId: value?.vendorTokenId }, newValue: undefined, failure: undefined, vain: undefined, verifyAttempt: 0,
  minting: undefined, wasUnknown: false, listedBefore: undefined, unexplained: [], orphan: undefined, orphanAt: undefined, distribution: { attempt: 0, endedAt: undefined },
  consumers: new Map(manifest.consumers.map((subscriber) => [subscriber.consumer, fresh(subscriber)])),
  rounds: 0, round: undefined, validatedAt: undefined, newRefused: false, gateClosed: undefined, revoking: undefined, refusals: { inARow: 0, probes: 0, probedAt: undefined },
  unconfirmedSince: undefined, abort: undefined, newRevoking: undefined, holder: undefined
})

const ended = (credential: KnownCredential, { rotationId, newValue }: Job, end: 'done' | 'aborted', endedAt: Instant): KnownCredential =>
  ({ ...credential, past: new Map(credential.past).set(rotationId, { rotationId, end, endedAt, vendorTokenId: end === 'done' ? newValue?.vendorTokenId : undefined }) })

const done = (credential: KnownCredential, job: Job, at: Instant): KnownCredential => ({
  ...ended(credential, job, 'done', at), lastCompletedAt: at, value: job.newValue === undefined ? credential.value : { ...job.newValue, since: at }
})

const foldJob = (job: Job, event: Exclude<RotationFact, { type: 'rotation.opened' }>, { version }: KnownCredential): Job => {
  const at = event.metadata.occurredAt
  const to = (state: JobState, change: Partial<Job> = {}): Job => move({ ...job, ...change }, state, at)
  switch (event.type) {
    case 'rotation.verify_started': return to('verifying', { verifyAttempt: event.data.attempt, failure: undefined })
    case 'rotation.verified': return to('verified')
    case 'rotation.verify_failed': return to('verify_failed', { failure: failing(event.data.exchanges) })

    case 'rotation.distribute_requested': return to('minting', { failure: undefined, minting: { ...minting(event.data.attempt, 'requested', at), pasted: event.data.pasted } })
    case 'rotation.mint_started': {
      const { attempt, valueId, label, knownTokenIds } = event.data
      const late = job.wasUnknown ? knownTokenIds?.filter((tokenId) => job.listedBefore?.includes(tokenId) === false) ?? [] : []
      return { ...job, listedBefore: knownTokenIds, unexplained: [...new Set([...job.unexplained, ...late])], minting: { ...minting(attempt, 'started', at), valueId, label } }
    }
    case 'rotation.minted': {
      const { valueId, fingerprint, vendorTokenId, expiresAt } = event.data
      const change = { minting: minted(job, 'minted', at), newValue: { valueId, fingerprint, vendorTokenId, expiresAt }, distribution: { attempt: 1, endedAt: undefined } }
      return job.state === 'minting' ? to('distributing', change) : { ...job, ...change }
    }
    case 'rotation.mint_failed': return whileMinting(job, to, 'mint_failed', { minting: minted(job, 'failed', at), failure: failing(event.data.exchanges) })
    case 'rotation.mint_outcome_unknown': return whileMinting(job, to, 'mint_outcome_unknown', { minting: minted(job, 'unknown', at), wasUnknown: true, failure: failing(event.data.exchanges) })
    case 'rotation.orphan_found': return { ...job, orphan: { vendorTokenId: event.data.vendorTokenId, foundAt: at }, orphanAt: at }
    case 'rotation.orphan_revoked': return { ...job, orphan: undefined, orphanAt: at }
    case 'rotation.unexplained_found': return { ...job, unexplained: [...job.unexplained, ...event.data.vendorTokenIds], orphanAt: at }
    // Why a new value was not taken is what the next minting has to be mended by.
    case 'rotation.mint_settled': return whileMinting(job, to, 'verified', { minting: minted(job, 'settled', at), failure: job.failure?.probe === 'authenticate' ? job.failure : undefined })

    case 'rotation.deliveries_started': return deliveriesStarted(job, event.data)
    case 'rotation.deliveries_recorded': return deliveriesRecorded(job, event.data)
    case 'rotation.delivery_acknowledged': return acknowledged(job, event.data)
    case 'rotation.distributed': return to('distributed', { distribution: { ...job.distribution, endedAt: at } })
    case 'rotation.distribute_partial': return to('distribute_partial', { distribution: { ...job.distribution, endedAt: at } })
    case 'rotation.retry_requested': {
      const behind = [...job.consumers].filter(([, consumer]) => isBehind(consumer))
      const change = { distribution: { attempt: event.data.attempt, endedAt: undefined }, round: undefined }
      return move(withConsumers({ ...job, ...change }, behind.map(([name]) => name), anew), 'distributing', at)
    }

    case 'rotation.validation_started': {
      const { round: number, purpose, startedAt } = event.data
      const change = { rounds: number, round: { number, purpose, startedAt, manifestVersion: version }, gateClosed: undefined, failure: undefined }
      return purpose === 'validate' ? to('validating', change) : { ...job, ...change }
    }
    case 'rotation.proofs_recorded': return proofsRecorded(job, event.data)
    case 'rotation.validated': return to('validated', { round: undefined, validatedAt: at })
    case 'rotation.validation_failed': return job.state === 'aborting' ? backUnproved(job, event.data) : to('validation_failed', { round: undefined })
    case 'rotation.consumer_waived': return waived({ ...job, ticketCheck: event.data.ticketCheck ?? job.ticketCheck }, event.data.consumer, event.metadata.actor, at, event.metadata.ticket)
    case 'rotation.revoke_requested': return to('confirming', { round: undefined, gateClosed: undefined, ticketCheck: event.data.ticketCheck })
    case 'rotation.gate_closed': {
      const { why, consumers, exchanges } = event.data
      return to('validation_failed', { round: undefined, gateClosed: { why, consumers, at }, newRefused: why === 'new_value_refused' || why === 'new_value_missing', failure: exchanges.at(-1) })
    }
    case 'rotation.revoke_started': return to(job.state === 'confirming' ? 'revoking' : job.state, { round: undefined, revoking: started(job.revoking, event.data.attempt, at), refusals: untried(job) })
    case 'rotation.revoke_answered': {
      const { outcome, exchanges } = event.data
      return { ...job, revoking: answered(job.revoking, outcome, at), refusals: untried(job), failure: outcome === 'revoked' ? undefined : exchanges.at(-1) }
    }
    case 'rotation.refusals_probed': {
      const { refusedInARow: inARow, exchanges } = event.data
      const change = { refusals: { inARow, probes: job.refusals.probes + 1, probedAt: at } }
      // What the vendor said to being told to revoke explains more than that the token is refused.
      const told = (job.revoking ?? job.newRevoking)?.answer
      return { ...job, ...change, failure: inARow === 0 ? exchanges.at(-1) ?? job.failure : told === 'revoked' ? undefined : job.failure }
    }
    case 'rotation.revoke_unconfirmed': return to('revoke_unconfirmed', { unconfirmedSince: at })
    case 'rotation.done': return to('done', { endedAt: at, failure: undefined })

    case 'rotation.abort_requested': return to('abort_checking', { abort: { from: job.state, requestedAt: at, startedAt: undefined, giveBack: [], checkedDead: false, oldMissing: false, failedRounds: 0, unprovedAt: undefined } })
    case 'rotation.abort_refused': {
      const failure = event.data.exchanges.at(-1)
      const change = { failure, abort: job.abort && { ...job.abort, startedAt: undefined, giveBack: [], checkedDead: true, oldMissing: failure?.failure === VALUE_MISSING } }
      if (job.abort?.startedAt === undefined) return settled(to(returnFrom(job), change), at)
      // They hold a dead value: the new one is theirs again.
      const forward = { ...change, round: undefined, distribution: { attempt: job.distribution.attempt + 1, endedAt: undefined } }
      return move(withConsumers({ ...job, ...forward }, job.abort.giveBack, anew), 'distributing', at)
    }
    case 'rotation.abort_started': {
      const { consumers: giveBack } = event.data
      const change = { abort: job.abort && { ...job.abort, startedAt: at, giveBack }, round: undefined, failure: undefined }
      return move(withConsumers({ ...job, ...change }, giveBack, anew), 'aborting', at)
    }
    case 'rotation.new_revoke_started': return to('aborting', { newRevoking: started(job.newRevoking, event.data.attempt, at), refusals: untried(job) })
    case 'rotation.new_revoke_answered': {
      const { outcome, exchanges } = event.data
      return { ...job, newRevoking: answered(job.newRevoking, outcome, at), refusals: untried(job), failure: outcome === 'revoked' ? undefined : exchanges.at(-1) }
    }
    case 'rotation.aborted': return to('aborted', { endedAt: at, failure: undefined })

    case 'rotation.asked_in_vain': {
      const { asked, tries, exchanges } = event.data
      return { ...job, vain: { asked, tries, since: job.vain?.asked === asked ? job.vain.since : at, at, exchange: failing(exchanges) } }
    }

    // Beside the job: what becomes of the mail, its reactor knows by the ids of its own commands.
    case 'rotation.owner_mail_requested':
    case 'rotation.owner_mail_attempted':
    case 'rotation.owner_mail_sent':
    case 'rotation.owner_mail_failed': return job
  }
}

const failing = (exchanges: readonly Exchange[]): Exchange | undefined => exchanges.find((exchange) => !holdsUp(exchange)) ?? exchanges.at(-1)

const minting = (attempt: number, status: Minting['status'], at: Instant): Minting => ({ attempt, status, valueId: undefined, label: undefined, pasted: undefined, at })
const minted = ({ minting: known }: Job, status: Minting['status'], at: Instant): Minting => ({ ...known ?? minting(1, status, at), status, at })

/** Where the way back was asked for meanwhile, the outcome of a minting moves nothing. */
const whileMinting = (job: Job, to: (state: JobState, change: Partial<Job>) => Job, state: JobState, change: Partial<Job>): Job =>
  job.state === 'minting' || job.state === 'mint_outcome_unknown' ? to(state, change) : { ...job, ...change }

const started = (before: Revoking | undefined, attempt: number, at: Instant): Revoking =>
  ({ attempt, firstStartedAt: before?.firstStartedAt ?? at, startedAt: at, answer: undefined, answeredAt: undefined })
const answered = (before: Revoking | undefined, answer: Revoking['answer'], at: Instant): Revoking | undefined => before && { ...before, answer, answeredAt: at }

/** Only what is refused after the vendor's last answer was refused because of it. */
const untried = ({ refusals }: Job): Job['refusals'] => ({ ...refusals, inARow: 0, probedAt: undefined })

/** Where an abort that was refused leaves the job: where it was, but never on its way to revoking without being asked again. */
const returnFrom = ({ abort, newValue }: Job): JobState => {
  const from = abort?.from ?? 'distributed'
  if (from === 'minting' || from === 'mint_outcome_unknown') return newValue === undefined ? 'verified' : 'distributing'
  return from === 'confirming' ? 'validated' : from
}

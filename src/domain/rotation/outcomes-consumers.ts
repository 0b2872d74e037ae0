// What the reactor records before and after it turns to consumers: nothing where the job has moved on meanwhile.
import type { Exchange } from '../credential/fields.ts'
import type { ProofOutcome, Purpose } from './job.ts'
import type { Outcome } from './outcomes.ts'
import type { Job } from './state.ts'
import { notBack, requiredMissing, unproved } from './standing.ts'

export interface DeliveryResult { consumer: string, deliverySeq: number, status: 'sent' | 'succeeded' | 'failed' | 'unreachable', tries: number, exchange?: Exchange, at: string }
/** `tries`: how often it was asked in this round before. */
export interface ProofResult { consumer: string, outcome: ProofOutcome, exchange?: Exchange, at: string, tries: number }

/**
 * One append with all intents of a fan-out. Another value gets a higher number than there ever was, the same one keeps its own where it is
 * pushed. Who pulls and has acknowledged it would be told nothing under its own (ADR 0167), and be waited for in vain.
 */
export const deliveriesStarted = (valueId: string, names: readonly string[]): Outcome => ({ credential, job, of, at }) => {
  const back = valueId === job.oldValue.valueId
  const fits = back ? job.state === 'aborting' : valueId === job.newValue?.valueId && (job.state === 'distributing' || job.revoking !== undefined)
  if (!fits) return []
  const deliveries = names.flatMap((consumer) => {
    const known = job.consumers.get(consumer)
    if (known === undefined || (known.announced && known.status === 'succeeded')) return []
    const given = known.delivery
    const keeps = given?.valueId === valueId && known.subscriber.delivery.kind === 'push'
    return [{ consumer, deliverySeq: keeps ? given.seq : credential.deliverySeq + 1 }]
  })
  return deliveries.length === 0 ? [] : [{ type: 'rotation.deliveries_started', data: { ...of, attempt: job.distribution.attempt, valueId, deliveries, startedAt: at } }]
}

/** What an older delivery came to, or one that succeeded meanwhile, is left out. */
export const deliveriesRecorded = (results: readonly DeliveryResult[]): Outcome => ({ job, of }) => {
  const outcomes = results.filter(({ consumer, deliverySeq }) => {
    const known = job.consumers.get(consumer)
    return known?.delivery?.seq === deliverySeq && known.status !== 'succeeded'
  })
  return outcomes.length === 0 ? [] : [{ type: 'rotation.deliveries_recorded', data: { ...of, attempt: job.distribution.attempt, outcomes } }]
}

export const distributionEnded: Outcome = ({ job, of, at }) => {
  if (job.state !== 'distributing' && job.state !== 'distribute_partial') return []
  if ([...job.consumers.values()].some(({ announced }) => !announced)) return []
  const { attempt } = job.distribution
  const missing = requiredMissing(job)
  if (missing.length === 0) return [{ type: 'rotation.distributed', data: { ...of, attempt, distributedAt: at } }]
  return job.state === 'distributing' ? [{ type: 'rotation.distribute_partial', data: { ...of, attempt, missing, endedAt: at } }] : []
}

const asking: Readonly<Record<Purpose, Job['state']>> = { validate: 'validating', revoke: 'confirming', abort: 'aborting' }

export const validationStarted = (purpose: Purpose, round: number): Outcome => ({ job, of, at }) => {
  const { oldValue, newValue, rounds, state } = job
  if (newValue === undefined || round !== rounds + 1 || state !== asking[purpose]) return []
  const { valueId } = purpose === 'abort' ? oldValue : newValue
  return [{ type: 'rotation.validation_started', data: { ...of, round, purpose, valueId, startedAt: at } }]
}

/** Of two processes that asked at once, the first one's answer counts. */
export const proofsRecorded = (round: number, results: readonly ProofResult[]): Outcome => ({ job, of }) => {
  if (job.round?.number !== round || job.state !== asking[job.round.purpose]) return []
  const outcomes = results.flatMap(({ tries, ...answer }) => {
    const known = job.consumers.get(answer.consumer)
    const asked = known?.probe?.round === round ? known.probe.tries : 0
    return known !== undefined && asked === tries ? [answer] : []
  })
  return outcomes.length === 0 ? [] : [{ type: 'rotation.proofs_recorded', data: { ...of, round, outcomes } }]
}

export const validationEnded = (round: number, purpose: Purpose): Outcome => ({ credential, job, of, at }) => {
  if (job.round?.number !== round || job.round.purpose !== purpose || job.state !== asking[purpose]) return []
  if (purpose !== 'abort' && job.round.manifestVersion !== credential.version) return []
  const missing = purpose === 'abort' ? notBack(job) : unproved(job)
  if (missing.length > 0) return [{ type: 'rotation.validation_failed', data: { ...of, round, unproved: missing, failedAt: at } }]
  return purpose === 'validate' ? [{ type: 'rotation.validated', data: { ...of, round, validatedAt: at } }] : []
}

// Folds what becomes of each consumer: joining and changing, deliveries, acknowledgements, proofs and waivers.
import { canonical } from '../credential/canonical.ts'
import type { Subscriber } from '../credential/manifest.ts'
import type { KnownCredential } from '../credential/state.ts'
import type { Actor, Instant } from '../event.ts'
import { VALUE_MISSING, deliveryError, proofError } from './sentences.ts'
import type { JobState } from './job.ts'
import type { RotationFact } from './fact.ts'
import type { Abort, ConsumerState, Job } from './state.ts'

type DataOf<T extends RotationFact['type']> = Extract<RotationFact, { type: T }>['data']

export const fresh = (subscriber: Subscriber): ConsumerState => ({
  subscriber, status: 'pending', delivery: undefined, announced: false, tries: 0, lastTryAt: undefined, sentAt: undefined, endedAt: undefined,
  lastError: undefined, mayHoldNew: false, joined: false, probe: undefined, provedAt: undefined, waived: undefined
})

/** To be delivered once more. */
const again = (consumer: ConsumerState): ConsumerState =>
  ({ ...consumer, status: 'pending', announced: false, tries: 0, lastTryAt: undefined, sentAt: undefined, endedAt: undefined, lastError: undefined })

/** To be given a value that it has to prove then: what it answered before counts no longer. */
export const anew = (consumer: ConsumerState): ConsumerState => ({ ...again(consumer), probe: undefined, provedAt: undefined })

/** On the way back: who did not prove the old value is given it once more, which a consumer that had stopped in between takes now. */
export const backUnproved = (job: Job, { unproved, failedAt }: DataOf<'rotation.validation_failed'>): Job => withConsumers(
  { ...job, round: undefined, abort: job.abort && { ...job.abort, failedRounds: job.abort.failedRounds + 1, unprovedAt: failedAt } },
  unproved, (consumer) => ({ ...again(consumer), lastError: consumer.lastError })
)

/** Changes the consumers that `change` has something to say about. */
export const withConsumers = (job: Job, names: Iterable<string>, change: (consumer: ConsumerState, name: string) => ConsumerState): Job => {
  const consumers = new Map(job.consumers)
  for (const name of names) {
    const consumer = consumers.get(name)
    if (consumer !== undefined) consumers.set(name, change(consumer, name))
  }
  return { ...job, consumers }
}

/** Moves to another state: a stage transition, counted (decision 32). */
export const move = (job: Job, state: JobState, at: Instant): Job =>
  state === job.state ? job : { ...job, state, transition: job.transition + 1, changedAt: at }

export const satisfied = ({ provedAt, waived }: ConsumerState): boolean => provedAt !== undefined || waived !== undefined

const undecided: readonly JobState[] = ['distribute_partial', 'distributed', 'validation_failed', 'validated', 'validating', 'confirming']

/**
 * A version of the manifest in an open job: joiners are new, a changed address voids what was delivered, proved and waived
 * for it, who left is forgotten. Between minting and revoking the job goes back as far as that takes it.
 */
export const withManifest = (job: Job, subscribers: readonly Subscriber[], held: KnownCredential['held'], at: Instant): Job => {
  // One that was left out for a while may hold what it was given before.
  const joined = (subscriber: Subscriber): ConsumerState =>
    ({ ...fresh(subscriber), joined: true, mayHoldNew: job.newValue !== undefined && held.get(subscriber.consumer)?.valueId === job.newValue.valueId })
  const consumers = new Map(subscribers.map((subscriber) => {
    const before = job.consumers.get(subscriber.consumer)
    return [subscriber.consumer, before === undefined ? joined(subscriber) : changed(before, subscriber)] as const
  }))
  return settled({ ...job, consumers, abort: job.state === 'aborting' && job.abort !== undefined ? withJoiners(job.abort, consumers) : job.abort }, at)
}

/** On the way back the old value is the right one: who joins, or comes back, is given it like the others, and has to prove it (ADR 0195). */
const withJoiners = (abort: Abort, consumers: Job['consumers']): Abort => {
  const joiners = [...consumers].filter(([, { joined, announced }]) => joined && !announced).map(([name]) => name)
  return { ...abort, giveBack: [...new Set([...abort.giveBack, ...joiners])] }
}

const changed = (before: ConsumerState, subscriber: Subscriber): ConsumerState => {
  const { delivery, healthcheck, proof } = before.subscriber
  const same = canonical([delivery, healthcheck, proof]) === canonical([subscriber.delivery, subscriber.healthcheck, subscriber.proof])
  if (!same) return { ...fresh(subscriber), joined: true, mayHoldNew: before.mayHoldNew || before.delivery !== undefined }
  return { ...before, subscriber, waived: subscriber.required ? undefined : before.waived }
}

/** Between minting and revoking: who is still to be given the new value brings the job back to distributing, who lost their proof to validating, who is required now and was not served to partial. */
export const settled = (job: Job, at: Instant): Job => {
  if (job.newValue === undefined || !undecided.includes(job.state)) return job
  const consumers = [...job.consumers.values()]
  if (consumers.some(({ announced }) => !announced)) return move({ ...job, round: undefined }, 'distributing', at)
  if ((job.state === 'validated' || job.state === 'confirming') && !consumers.every(satisfied)) return move({ ...job, round: undefined }, 'distributed', at)
  if (job.state === 'distributed' && consumers.some(({ subscriber, status }) => subscriber.required && status !== 'succeeded')) return move(job, 'distribute_partial', at)
  return job
}

export const deliveriesStarted = (job: Job, { deliveries, valueId, startedAt }: DataOf<'rotation.deliveries_started'>): Job => {
  const seqs = new Map(deliveries.map(({ consumer, deliverySeq }) => [consumer, deliverySeq]))
  return withConsumers(job, seqs.keys(), (consumer, name) => {
    const seq = seqs.get(name) ?? 0
    const known = consumer.delivery?.seq === seq && consumer.delivery.valueId === valueId
    return { ...known ? consumer : again(consumer), announced: true, delivery: { seq, valueId, startedAt } }
  })
}

/** What an older delivery came to changes nothing, nor does what comes after a success. */
export const deliveriesRecorded = (job: Job, { outcomes }: DataOf<'rotation.deliveries_recorded'>): Job => {
  const byName = new Map(outcomes.map((outcome) => [outcome.consumer, outcome]))
  return withConsumers(job, byName.keys(), (consumer, name) => {
    const outcome = byName.get(name)
    if (outcome === undefined || consumer.delivery?.seq !== outcome.deliverySeq || consumer.status === 'succeeded') return consumer
    const { status, tries, exchange, at } = outcome
    const nothingSent = status === 'failed' && (exchange === undefined || exchange.failure === VALUE_MISSING)
    return {
      ...consumer, status, tries, lastTryAt: at,
      sentAt: status === 'sent' ? at : consumer.sentAt,
      endedAt: status === 'sent' ? undefined : at,
      lastError: status === 'sent' || status === 'succeeded' ? undefined : deliveryError(consumer.subscriber, status, exchange),
      mayHoldNew: consumer.mayHoldNew || (!nothingSent && consumer.delivery.valueId === job.newValue?.valueId)
    }
  })
}

export const acknowledged = (job: Job, { consumer: name, deliverySeq, acknowledgedAt }: DataOf<'rotation.delivery_acknowledged'>): Job =>
  withConsumers(job, [name], (consumer) => consumer.delivery?.seq !== deliverySeq
    ? consumer
    : {
        ...consumer, status: 'succeeded', announced: true, endedAt: acknowledgedAt, lastError: undefined,
        mayHoldNew: consumer.mayHoldNew || consumer.delivery.valueId === job.newValue?.valueId
      })

/** After the end nobody acknowledges anything: that the value in use was fetched is all that will be known of who was left without (ADR 0195). */
export const fetched = (job: Job, name: string, valueId: string, at: Instant): Job => {
  if (valueId !== job.newValue?.valueId) return job
  if (job.endedAt === undefined) return withConsumers(job, [name], (consumer) => ({ ...consumer, mayHoldNew: true }))
  return job.state !== 'done' ? job : withConsumers(job, [name], (consumer) => ({ ...consumer, status: 'succeeded', endedAt: at, lastError: undefined }))
}

export const proofsRecorded = (job: Job, { round, outcomes }: DataOf<'rotation.proofs_recorded'>): Job => {
  if (job.round?.number !== round) return job
  const byName = new Map(outcomes.map((outcome) => [outcome.consumer, outcome]))
  return withConsumers(job, byName.keys(), (consumer, name) => {
    const answer = byName.get(name)
    if (answer === undefined) return consumer
    const { outcome, exchange, at } = answer
    const tries = (consumer.probe?.round === round ? consumer.probe.tries : 0) + 1
    const proved = outcome === 'proved'
    return {
      ...consumer, probe: { round, tries, outcome, at }, provedAt: proved ? at : undefined,
      lastError: proved ? undefined : proofError(outcome, exchange, job.state === 'aborting' ? 'old' : 'new')
    }
  })
}

export const waived = (job: Job, name: string, by: Actor, at: Instant, ticket: string | undefined): Job =>
  withConsumers(job, [name], (consumer) => ({ ...consumer, waived: { by, at, ticket } }))

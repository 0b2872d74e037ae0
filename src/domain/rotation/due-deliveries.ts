// Which deliveries are due: of the new value on the way forward, of the old one on the way back.
import { at, doNow, type Due } from './actions.ts'
import { ACKNOWLEDGE_MS, DELIVERY_TRIES, pauseAfter, type DueRules } from './rules.ts'
import { givenBack } from './standing.ts'
import type { ConsumerState, Job } from './state.ts'

/** Undefined once nobody is left to be tried. */
export const newValueDue = (job: Job, now: number, rules: DueRules): Due | undefined =>
  deliveriesDue(job, job.newValue?.valueId ?? '', [...job.consumers.values()], now, rules, () => DELIVERY_TRIES)

/**
 * Undefined once everybody who may have taken the new value has the old one again. Of those that are not required only the
 * usual tries are made: a manifest that makes one optional, or leaves it out, is the way on where it has vanished (decision 33).
 */
export const backDue = (job: Job, now: number, rules: DueRules): Due | undefined =>
  deliveriesDue(job, job.oldValue.valueId, givenBack(job), now, rules, ({ subscriber }) => subscriber.required ? Infinity : DELIVERY_TRIES)

const deliveriesDue = (
  job: Job, valueId: string, consumers: readonly ConsumerState[], now: number, { holder }: DueRules, triesOf: (consumer: ConsumerState) => number
): Due | undefined => {
  const { attempt } = job.distribution
  const unannounced = consumers.filter(({ announced }) => !announced)
  const open = consumers.filter((consumer) => consumer.announced && !ended(consumer, triesOf(consumer)))
  // Of a process that is gone: announced anew, under the same numbers, which is the claim.
  const taken = job.holder?.id === holder ? [] : open.filter(({ status }) => status !== 'sent')
  if (unannounced.length + taken.length > 0) {
    return doNow({ kind: 'start_deliveries', attempt, valueId, consumers: [...unannounced, ...taken].map(({ subscriber }) => subscriber.consumer) })
  }
  const late = open.filter((consumer) => consumer.status === 'sent' && nextAt(consumer) <= now)
  if (late.length > 0) return doNow({ kind: 'expire_deliveries', attempt, consumers: late.map(({ subscriber }) => subscriber.consumer) })
  const ready = open.filter((consumer) => consumer.status !== 'sent' && nextAt(consumer) <= now)
  if (ready.length > 0) {
    return doNow({
      kind: 'deliver', attempt, valueId,
      deliveries: ready.map(({ subscriber, delivery, tries }) => ({ subscriber, deliverySeq: delivery?.seq ?? 0, tries: tries + 1 }))
    })
  }
  return open.length === 0 ? undefined : at(Math.min(...open.map(nextAt)))
}

/** A pull that was not acknowledged is over where tries are counted; where they are not, it is announced again. */
const ended = ({ status, tries, subscriber }: ConsumerState, limit: number): boolean => status === 'succeeded' ||
  (status !== 'sent' && tries >= limit) || (status === 'unreachable' && subscriber.delivery.kind === 'pull' && limit !== Infinity)

/** It did not take the value in the usual tries. */
export const isGivenUp = (consumer: ConsumerState): boolean => consumer.status !== 'succeeded' && ended(consumer, DELIVERY_TRIES)

const nextAt = ({ status, sentAt, lastTryAt, tries }: ConsumerState): number => {
  if (status === 'sent') return Date.parse(sentAt ?? '') + ACKNOWLEDGE_MS
  return lastTryAt === undefined ? 0 : Date.parse(lastTryAt) + pauseAfter(tries)
}

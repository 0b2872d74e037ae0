// How the consumers of a job stand: who may hold the new value, who keeps the gate before revoking closed.
import type { KnownCredential } from '../credential/state.ts'
import { satisfied } from './fold-consumers.ts'
import { DELIVERY_TRIES, type RotationRules } from './rules.ts'
import type { ConsumerState, Job } from './state.ts'

/** It may hold the new value: something was sent to it, or may be on its way. */
export const mayHold = ({ newValue }: Job, { mayHoldNew, delivery, announced, status, tries }: ConsumerState): boolean =>
  mayHoldNew || (delivery !== undefined && delivery.valueId === newValue?.valueId && (!announced || status !== 'failed' || tries < DELIVERY_TRIES))

/** Who is given the old value on the way back: it may hold the new one, or none at all (ADR 0195). */
export const needsOld = (job: Job, consumer: ConsumerState): boolean => consumer.joined || mayHold(job, consumer)

export const requiredMissing = ({ consumers }: Job): string[] => namesOf([...consumers.values()].filter(({ subscriber, status }) => subscriber.required && status !== 'succeeded'))

/** Neither proved nor waived. A waiver of one that has become required is none. */
export const unproved = ({ consumers }: Job): string[] => namesOf([...consumers.values()].filter((consumer) => !satisfied(consumer)))

/** Of the manifest that holds: who is given the old value back. */
export const givenBack = ({ abort, consumers }: Job): ConsumerState[] => (abort?.giveBack ?? []).flatMap((name) => consumers.get(name) ?? [])

/**
 * Whom the way back waits for: required, and not proved to use the old value again. Who joins once the new token is being revoked only has
 * to take it.
 */
export const notBack = (job: Job): string[] => namesOf(givenBack(job).filter(({ subscriber, status, provedAt }) =>
  subscriber.required && (status !== 'succeeded' || (provedAt === undefined && job.newRevoking === undefined))))

/** Worth a retry: it was not delivered, or its last answer did not prove the value. Who is waived is waited for no more. */
export const isBehind = ({ status, probe, provedAt, waived }: ConsumerState): boolean =>
  waived === undefined && (status !== 'succeeded' || (probe !== undefined && provedAt === undefined))

export const namesOf = (consumers: readonly ConsumerState[]): string[] => consumers.map(({ subscriber }) => subscriber.consumer)

/** True if the round of proofs before revoking is one of the manifest that holds, and each consumer proved in it or is waived. */
export const roundProved = ({ version }: KnownCredential, job: Job): boolean => {
  const { round } = job
  return round?.purpose === 'revoke' && round.manifestVersion === version && [...job.consumers.values()].every(({ subscriber, waived, probe, provedAt }) =>
    (waived !== undefined && !subscriber.required) || (probe?.round === round.number && probe.outcome === 'proved' && provedAt !== undefined))
}

/** What keeps an operator from revoking, with the consumers named; empty: the gate is open. */
export const gate = (job: Job, now: Date, { proofMaxAgeMs }: Pick<RotationRules, 'proofMaxAgeMs'>): Array<{ consumer: string | undefined, why: string }> => {
  const closed: Array<{ consumer: string | undefined, why: string }> = []
  if (job.gateClosed !== undefined && job.gateClosed.consumers.length === 0) closed.push({ consumer: undefined, why: job.gateClosed.why })
  for (const consumer of job.consumers.values()) {
    const { subscriber, waived, provedAt, probe } = consumer
    if (waived !== undefined && !subscriber.required) continue
    if (provedAt === undefined) closed.push({ consumer: subscriber.consumer, why: probe?.outcome === undefined || probe.outcome === 'proved' ? 'not_proved' : probe.outcome })
    else if (now.getTime() - Date.parse(provedAt) > proofMaxAgeMs) closed.push({ consumer: subscriber.consumer, why: 'proof_too_old' })
  }
  return closed
}

// Which proofs are due: of the new value on the way forward, of the old one on the way back.
import type { KnownCredential } from '../credential/state.ts'
import { at, doNow, type Due } from './actions.ts'
import { PROBE_TRIES, pauseAfter } from './rules.ts'
import { givenBack } from './standing.ts'
import type { ConsumerState, Job, Round } from './state.ts'

/** A round of proofs at the manifest that holds; undefined once everybody has answered to it. */
export const roundDue = ({ version }: KnownCredential, job: Job, purpose: 'validate' | 'revoke', now: number): Due | undefined => {
  const { round } = job
  const valueId = job.newValue?.valueId ?? ''
  if (round === undefined || round.purpose !== purpose || round.manifestVersion !== version) {
    return doNow({ kind: 'start_validation', purpose, round: job.rounds + 1, valueId })
  }
  return probesDue(round, [...job.consumers.values()].filter(({ waived }) => waived === undefined), valueId, now)
}

/**
 * Undefined once each required consumer that was given the old value back has proved that it uses it. Who is not required is asked
 * as well, and not waited for. A round in which somebody fails ends, those are given the value once more, and another round follows,
 * later and later.
 */
export const backProofsDue = (job: Job, now: number): Due | undefined => {
  const { round, rounds, abort, newRevoking, oldValue: { valueId } } = job
  const unproved = givenBack(job).filter(({ status, provedAt }) => status === 'succeeded' && provedAt === undefined)
  if (newRevoking !== undefined || unproved.every(({ subscriber }) => !subscriber.required)) return undefined
  if (round === undefined) {
    const from = abort?.unprovedAt === undefined ? 0 : Date.parse(abort.unprovedAt) + pauseAfter(abort.failedRounds)
    return from <= now ? doNow({ kind: 'start_validation', purpose: 'abort', round: rounds + 1, valueId }) : at(from)
  }
  return probesDue(round, unproved, valueId, now) ?? doNow({ kind: 'end_validation', round: round.number, purpose: 'abort' })
}

/** Undefined once each of them has proved it in this round, or was asked often enough. */
const probesDue = ({ number }: Round, consumers: readonly ConsumerState[], valueId: string, now: number): Due | undefined => {
  const open = consumers.filter(({ probe }) => probe?.round !== number || (probe.outcome !== 'proved' && probe.tries < PROBE_TRIES))
  if (open.length === 0) return undefined
  const ready = open.filter((consumer) => probeAt(consumer, number) <= now)
  return ready.length > 0
    ? doNow({ kind: 'probe', round: number, valueId, subscribers: ready.map(({ subscriber }) => subscriber) })
    : at(Math.min(...open.map((consumer) => probeAt(consumer, number))))
}

const probeAt = ({ probe }: ConsumerState, round: number): number => probe?.round === round ? Date.parse(probe.at) + pauseAfter(probe.tries) : 0

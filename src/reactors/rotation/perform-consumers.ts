// What is done with consumers: values delivered, acknowledgements waited for, proofs asked for; many at a time, recorded in batches.
import { setTimeout } from 'node:timers/promises'
import type { Secret } from '../../domain/credential/secret.ts'
import type { Action } from '../../domain/rotation/actions.ts'
import {
  deliveriesRecorded, deliveriesStarted, distributionEnded, proofsRecorded, validationEnded, validationStarted, type DeliveryResult, type ProofResult
} from '../../domain/rotation/outcomes-consumers.ts'
import type { Outcome } from '../../domain/rotation/outcomes.ts'
import { DELIVERY_TRIES } from '../../domain/rotation/rules.ts'
import { valueMissing } from '../../domain/rotation/sentences.ts'
import { eachOf, gather, inFacts } from './fan-out.ts'
import type { Performed, Recorded, Turn } from './turn.ts'

type Of<K extends Action['kind']> = Extract<Action, { kind: K }>
type OneDelivery = Of<'deliver'>['deliveries'][number]

export const startDeliveries = async ({ claim }: Turn, { valueId, consumers }: Of<'start_deliveries'>): Performed => {
  await claim(deliveriesStarted(valueId, consumers))
  return undefined
}

export const deliver = async (turn: Turn, { valueId, deliveries }: Of<'deliver'>): Performed => {
  const { job, deps } = turn
  const value = await deps.values.open(valueId)
  const secrets = await secretsOf(turn, valueId, value)
  const moved = watch(turn)
  const results = gather<DeliveryResult>(async (batch) => moved.note(await turn.record(together(inFacts(batch).map(deliveriesRecorded)))), turn.deps.pause ?? setTimeout)
  const told = (one: OneDelivery, outcome: Pick<DeliveryResult, 'status' | 'exchange'>, tries = one.tries): void => {
    results.add({ consumer: one.subscriber.consumer, deliverySeq: one.deliverySeq, tries, at: deps.clock.now().toISOString(), ...outcome })
  }
  const pulls = deliveries.filter(({ subscriber }) => subscriber.delivery.kind === 'pull')
  const pushes = deliveries.filter(({ subscriber }) => subscriber.delivery.kind === 'push')
  if (pulls.length > 0) {
    const announced = await announce(turn, pulls)
    for (const pull of pulls) told(pull, { status: announced ? 'sent' : 'failed' })
  }
  await eachOf(pushes, async (push) => {
    if (moved.has()) return
    // Nothing can be sent before somebody has seen to it, so it is not tried again.
    if (value === undefined) return told(push, { status: 'failed', exchange: valueMissing(deps.clock.now()) }, DELIVERY_TRIES)
    const jwe = await sealed(turn, value, valueId, push)
    if (jwe === undefined) return told(push, { status: 'failed' }, DELIVERY_TRIES)
    const { subscriber, deliverySeq } = push
    const { status, exchange } = await deps.deliveries.push({ subscriber, credential: turn.credential.name, rotationId: job.rotationId, deliverySeq, jwe, secrets })
    told(push, { status, ...exchange !== undefined && { exchange } })
  }).finally(results.end)
  return undefined
}

const announce = async ({ deps, credential, job }: Turn, pulls: readonly OneDelivery[]): Promise<boolean> => {
  try {
    await deps.deliveries.announce(pulls.map(({ subscriber, deliverySeq }) => ({ credential: credential.name, rotationId: job.rotationId, consumer: subscriber.consumer, deliverySeq })))
    return true
  } catch {
    // Redis is away: tried again like any other delivery.
    return false
  }
}

/** Undefined if the consumer has no key, or none that can be sealed to. */
const sealed = async ({ deps, credential, job }: Turn, value: Secret, valueId: string, { subscriber, deliverySeq }: OneDelivery): Promise<string | undefined> => {
  const key = await deps.keys.keyOf(subscriber.consumer)
  return key && deps.deliveries.seal({ credential: credential.name, value, valueId, deliverySeq, rotationId: job.rotationId }, key)
}

/** What must show in no exchange: the value, and the other one of the job. */
const secretsOf = async ({ deps, job }: Turn, valueId: string, value: Secret | undefined): Promise<Secret[]> => {
  const other = valueId === job.oldValue.valueId ? job.newValue?.valueId : job.oldValue.valueId
  const opened = other === undefined ? undefined : await deps.values.open(other)
  return [value, opened].filter((secret) => secret !== undefined)
}

export const expire = async ({ deps, job, record }: Turn, { consumers }: Of<'expire_deliveries'>): Performed => {
  const at = deps.clock.now().toISOString()
  const results = consumers.flatMap((consumer): DeliveryResult[] => {
    const known = job.consumers.get(consumer)
    return known?.delivery === undefined ? [] : [{ consumer, deliverySeq: known.delivery.seq, status: 'unreachable', tries: known.tries, at }]
  })
  await record(together(inFacts(results).map(deliveriesRecorded)))
  return undefined
}

export const endDistribution = async ({ record }: Turn): Performed => {
  await record(distributionEnded)
  return undefined
}

export const startValidation = async ({ claim }: Turn, { purpose, round }: Of<'start_validation'>): Performed => {
  await claim(validationStarted(purpose, round))
  return undefined
}

export const probe = async (turn: Turn, { round, valueId, subscribers }: Of<'probe'>): Performed => {
  const { deps, job, credential } = turn
  const value = await deps.values.open(valueId)
  const secrets = await secretsOf(turn, valueId, undefined)
  const moved = watch(turn)
  const results = gather<ProofResult>(async (batch) => moved.note(await turn.record(together(inFacts(batch).map((part) => proofsRecorded(round, part))))), turn.deps.pause ?? setTimeout)
  await eachOf(subscribers, async (subscriber) => {
    if (moved.has()) return
    const { consumer } = subscriber
    const before = job.consumers.get(consumer)?.probe
    const tries = before?.round === round ? before.tries : 0
    const { outcome, exchange } = value === undefined
      ? { outcome: 'unreachable' as const, exchange: undefined }
      : await deps.deliveries.probe({ subscriber, credential: credential.name, value, secrets })
    results.add({ consumer, outcome, ...exchange !== undefined && { exchange }, at: deps.clock.now().toISOString(), tries })
  }).finally(results.end)
  return undefined
}

export const endValidation = async ({ record }: Turn, { round, purpose }: Of<'end_validation'>): Performed => {
  await record(validationEnded(round, purpose))
  return undefined
}

/** Of different consumers each, so that none of them changes what another one decides. */
const together = (outcomes: readonly Outcome[]): Outcome => (open) => outcomes.flatMap((outcome) => outcome(open))

/** True once the job or the manifest has moved on: of a fan-out to consumers that may have left, or moved, nothing more is begun. */
const watch = ({ job, credential: { version } }: Turn) => {
  let moved = false
  return {
    has: (): boolean => moved,
    note: ({ job: now, version: newest }: Recorded): void => { moved ||= now?.rotationId !== job.rotationId || now.transition !== job.transition || newest !== version }
  }
}

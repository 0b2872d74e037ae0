// What a consumer does itself: it fetches the value that it is to use, and reports that it uses it.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import { openJob, valueInUse } from '../credential/credential.ts'
import type { Credential, KnownCredential } from '../credential/state.ts'
import type { Job } from './state.ts'

type Facts = Array<EventOf<'credential'>>

/** Refuses with `subject_not_found` who does not stand in the manifest. */
const consuming = (credential: Credential, consumer: string): KnownCredential =>
  credential.status === 'known' && credential.manifest.consumers.some((subscriber) => subscriber.consumer === consumer)
    ? credential
    : refuse('subject_not_found', 'The manifest of this credential does not name this consumer. Whoever operates the credential puts it there.')

/**
 * Which value a consumer is to use now, and under which number. In a rotation: what was announced to it; on the way back the old
 * one; the new one to who has it already, and while the old one is dead (ADR 0197); else what is in use. Refuses with `value_missing`.
 */
export const valueFor = (state: Credential, consumer: string): { valueId: string, deliverySeq: number, rotationId?: string } => {
  const credential = consuming(state, consumer)
  const job = openJob(credential)
  const delivery = job?.consumers.get(consumer)?.delivery
  const of = job === undefined ? {} : { rotationId: job.rotationId }
  if (delivery !== undefined && (job?.state !== 'aborting' || delivery.valueId === job.oldValue.valueId)) return { valueId: delivery.valueId, deliverySeq: delivery.seq, ...of }
  const valueId = (job === undefined ? undefined : newFor(job, consumer)) ?? valueInUse(credential) ?? refuse('value_missing', 'Chancery does not have a value of this credential yet.')
  const held = credential.held.get(consumer)
  // Another value than it was given last goes under a number that is higher than any before, or it would refuse it.
  return { valueId, deliverySeq: held?.valueId === valueId ? held.seq : credential.deliverySeq + 1, ...of }
}

/** Its delivery may still have to be announced anew. */
const newFor = ({ consumers, newValue, mode, abort, state }: Job, consumer: string): string | undefined =>
  newValue !== undefined && state !== 'aborting' && (consumers.get(consumer)?.mayHoldNew === true || mode === 'replace' || abort?.checkedDead === true) ? newValue.valueId : undefined

/** The fetch as a fact, before the value is opened. */
export const fetchOn = (state: Credential, consumer: string, at: Date): Facts => {
  const { valueId, deliverySeq } = valueFor(state, consumer)
  return [{ type: 'credential.value_fetched', data: { credential: consuming(state, consumer).name, consumer, valueId, deliverySeq, fetchedAt: at.toISOString() } }]
}

/**
 * Nothing to record for what is known already, and outside a rotation. Refuses with `subject_not_found`,
 * `delivery_superseded` for an older delivery, `conflict` for one that there never was.
 */
export const acknowledgeOn = (state: Credential, consumer: string, deliverySeq: number, at: Date): Facts => {
  const credential = consuming(state, consumer)
  const held = credential.held.get(consumer)
  if (held === undefined || deliverySeq > held.seq) return refuse('conflict', 'No such delivery was announced to this consumer. Fetch the credential, and acknowledge what came with it.')
  if (deliverySeq < held.seq) return refuse('delivery_superseded', 'A newer delivery took the place of this one. Fetch the credential again, and acknowledge that.', { delivery_seq: held.seq })
  const job = openJob(credential)
  const known = job?.consumers.get(consumer)
  if (job === undefined || known?.delivery?.seq !== deliverySeq || known.status === 'succeeded') return []
  return [{ type: 'rotation.delivery_acknowledged', data: { credential: credential.name, rotationId: job.rotationId, consumer, deliverySeq, acknowledgedAt: at.toISOString() } }]
}

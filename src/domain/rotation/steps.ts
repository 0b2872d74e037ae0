// What an operator may ask of a job, and the facts that each step is: the decisions behind the POSTs.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Secret } from '../credential/secret.ts'
import type { Credential, KnownCredential } from '../credential/state.ts'
import type { Instant } from '../event.ts'
import { abortTable } from './abort-table.ts'
import { confirmed } from './confirmed.ts'
import type { StepName } from './job.ts'
import { offered, replacedAlready } from './offered.ts'
import type { RotationRules } from './rules.ts'
import { gate } from './standing.ts'
import type { Job, Pasted } from './state.ts'

export type Step =
  | { kind: 'verify' }
  /** `pasted`: for a vendor of the kind `manual`, and only for that. */
  | { kind: 'distribute', pasted?: { value: Secret, vendorTokenId?: string, expiresAt?: Instant } }
  | { kind: 'retry' }
  | { kind: 'validate' }
  | { kind: 'waive', consumer: string }
  | { kind: 'revoke', confirm: string }
  | { kind: 'abort' }

export interface StepCommand {
  rotationId: string
  /** `If-Match`: the last stage transition that the caller knows of. */
  transition: number | undefined
  step: Exclude<Step, { kind: 'distribute' }> | { kind: 'distribute', pasted?: Pasted }
  /** What the ticket system said; undefined where none was named. */
  ticket: 'open' | 'format' | undefined
  at: Date
}

type Facts = Array<EventOf<'credential'>>
interface Asked { credential: KnownCredential, job: Job, of: { credential: string, rotationId: string }, at: Instant }

/** Refuses with the codes of `takeStep`. */
export const takeStepOn = (credential: Credential, command: StepCommand, rules: RotationRules): Facts => {
  const { rotationId, transition, step } = command
  const job = credential.status === 'known' && credential.job?.rotationId === rotationId ? credential.job : undefined
  if (credential.status === 'absent' || job === undefined) return elsewhere(credential, rotationId, step.kind)
  if (transition === undefined) {
    return refuse('precondition_required', 'Send If-Match with the ETag of the rotation as you read it, so that two operators do not act on each other\'s view.', { transition: job.transition })
  }
  if (transition !== job.transition) {
    return refuse('precondition_failed', 'The rotation has moved since it was read. Read it again and decide on what it is now.', { transition: job.transition, state: job.state })
  }
  notOffered(job, step.kind)
  const asked: Asked = { credential, job, of: { credential: credential.name, rotationId }, at: command.at.toISOString() }
  switch (step.kind) {
    case 'verify': return [{ type: 'rotation.verify_started', data: { ...asked.of, attempt: job.verifyAttempt + 1, valueId: job.oldValue.valueId, startedAt: asked.at } }]
    case 'distribute': return distribute(asked, step.pasted)
    case 'retry': return [{ type: 'rotation.retry_requested', data: { ...asked.of, attempt: job.distribution.attempt + 1, requestedAt: asked.at } }]
    case 'validate': return [{
      type: 'rotation.validation_started', data: { ...asked.of, round: job.rounds + 1, purpose: 'validate', valueId: job.newValue?.valueId ?? '', startedAt: asked.at }
    }]
    case 'waive': return waive(asked, step.consumer, command.ticket)
    case 'revoke': return revoke(asked, step.confirm, command, rules)
    case 'abort': return abort(asked)
  }
}

/** A job that is not the last one: it has ended, or there never was one. */
const elsewhere = (credential: Credential, rotationId: string, step: StepName): never => {
  if (credential.status === 'absent') return refuse('subject_not_found', 'There is no such credential. Put its manifest first.')
  if (!credential.past.has(rotationId)) return refuse('subject_not_found', 'This credential has no such rotation.')
  return step === 'abort'
    ? refuse('not_abortable', 'This rotation has ended.', { rotation_id: rotationId })
    : refuse('step_not_offered', 'This rotation has ended. Open a new one.', { rotation_id: rotationId, offered: [] })
}

const notOffered = (job: Job, step: StepName): void => {
  const { state } = job
  const steps = offered(job)
  if (steps.includes(step)) return
  if (step === 'abort' && abortTable[state].kind === 'forward') refuse('not_abortable', abortTable[state].means, { state, offered: steps })
  if (step === 'abort' && replacedAlready(job)) {
    refuse('old_credential_dead', 'The old value is dead, and a consumer may have taken the new one: there is nothing to give back. Go on to validate and revoke.', { state, offered: steps })
  }
  const ways = steps.length > 0 ? `It offers: ${steps.join(', ')}.` : state === 'done' || state === 'aborted' ? 'It has ended: open a new one.' : 'It offers no step now: wait until it has moved.'
  refuse('step_not_offered', `The rotation is in the state ${state}, which does not offer ${step}. ${ways}`, { state, offered: steps })
}

const distribute = ({ credential, job, of, at }: Asked, pasted: Pasted | undefined): Facts => {
  const manual = credential.manifest.vendor.kind === 'manual'
  if (manual && pasted === undefined) refuse('invalid_request', 'At this vendor a person mints: make the new value by hand, and send it along as value.')
  if (!manual && pasted !== undefined) refuse('invalid_request', 'The vendor mints the new value itself. Send none.')
  const { value } = credential
  if (pasted !== undefined && (pasted.fingerprint === value?.fingerprint || (pasted.vendorTokenId !== undefined && pasted.vendorTokenId === value?.vendorTokenId))) refuse('invalid_request', 'This is the value that is in use already. Send the new one.')
  const attempt = (job.minting?.attempt ?? 0) + 1
  return [{ type: 'rotation.distribute_requested', data: { ...of, attempt, ...pasted !== undefined && { pasted }, requestedAt: at } }]
}

const waive = ({ job, of, at }: Asked, name: string, ticket: StepCommand['ticket']): Facts => {
  const consumer = job.consumers.get(name)
  if (consumer === undefined) return refuse('subject_not_found', 'The manifest names no such consumer.', { consumer: name })
  if (consumer.subscriber.required) {
    return refuse('gate_closed', `The consumer ${name} is required: its proof cannot be waived. If it has vanished, put a manifest without it, with a ticket.`, { consumers: [name] })
  }
  if (ticket === undefined) return refuse('ticket_invalid', 'A waiver needs a ticket.')
  return consumer.waived === undefined ? [{ type: 'rotation.consumer_waived', data: { ...of, consumer: name, ticketCheck: ticket, waivedAt: at } }] : []
}

const revoke = ({ credential, job, of, at }: Asked, confirm: string, { ticket, at: now }: StepCommand, rules: RotationRules): Facts => {
  confirmed(credential.name, confirm)
  if (ticket === undefined) return refuse('ticket_invalid', 'Revoking needs a ticket.')
  const closed = gate(job, now, rules)
  if (closed.length > 0) {
    const names = closed.flatMap(({ consumer }) => consumer ?? [])
    return refuse('gate_closed', `The gate is closed${names.length > 0 ? ` by ${names.join(', ')}` : ''}. Validate again; then revoke.`, { consumers: names, closed_by: closed })
  }
  return [{ type: 'rotation.revoke_requested', data: { ...of, ticketCheck: ticket, requestedAt: at } }]
}

/** After a minting whose outcome was unknown the vendor's list is looked at before the end, whatever the state. */
const abort = ({ job, of, at }: Asked): Facts => abortTable[job.state].kind === 'at_once' && !job.wasUnknown
  ? [{ type: 'rotation.aborted', data: { ...of, abortedAt: at } }]
  : [{ type: 'rotation.abort_requested', data: { ...of, from: job.state, requestedAt: at } }]

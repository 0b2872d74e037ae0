// What the routes of rotations take and give.
import { Type } from '@sinclair/typebox'
import { CredentialName, exchangeOutcomes, Fingerprint, SubscriberName, VendorTokenId } from '../../domain/credential/fields.ts'
import { distributeStatuses, modes, proofOutcomes, ticketChecks, triggers } from '../../domain/rotation/events.ts'
import { jobStates, stepNames } from '../../domain/rotation/job.ts'
import { Accepted, closed, DecimalString, Id, Nullable, OneOf, Reason, Ticket, Time } from './shared.ts'

export const Name = () => Type.String({ ...CredentialName(), description: 'The credential' })
const Consumer = () => Type.String({ ...SubscriberName(), description: 'The consumer' })
const Sentence = (description?: string) => Type.String({ maxLength: 2000, ...description !== undefined && { description } })
const Word = () => Type.String({ maxLength: 64 })
/** A secret: it goes into the vault, and nowhere else. */
export const Value = () => Type.String({ minLength: 1, maxLength: 8192, description: 'The value itself; it goes into the vault, and nowhere else' })
/**
 * As it was typed: whatever it is, the decision compares it byte for byte and answers 422 confirmation_mismatch, also to
 * characters that only look like those of a name.
 */
const Confirm = () => Type.String({ maxLength: 256, description: 'The name of the credential, typed' })
const TypedTicket = () => Type.String({ maxLength: 256, description: 'Of the ticket system; 422 ticket_invalid or ticket_not_open says what is wrong with it' })

export const RotationParams = Type.Object({ name: Name(), rotation_id: Id() }, closed)

export const OpenBody = Type.Object({
  mode: Type.Optional(OneOf(modes)), reason: Reason(), ticket: Type.Optional(TypedTicket()), confirm: Type.Optional(Confirm())
}, closed)
const why = { reason: Reason(), ticket: Type.Optional(Ticket()) }
export const StepBody = Type.Object(why, closed)
export const DistributeBody = Type.Object({
  ...why,
  value: Type.Optional(Value()),
  vendor_token_id: Type.Optional(VendorTokenId()),
  expires_at: Type.Optional(Type.Unsafe<string>({ ...Time(), description: 'Of the pasted value' }))
}, closed)
export const WaiveBody = Type.Object({ reason: Reason(), ticket: Type.Optional(TypedTicket()), consumer: Consumer() }, closed)
export const RevokeBody = Type.Object({ reason: Reason(), ticket: Type.Optional(TypedTicket()), confirm: Confirm() }, closed)

const Actor = Type.Object({ type: Type.String({ maxLength: 16 }), id: Type.String({ maxLength: 128 }) }, closed)
const OperatorId = () => Type.String({ maxLength: 128 })
const Opener = () => Nullable(OperatorId(), 'The operator who opened it; null where the schedule did (`trigger`)')
const Headers = Type.Record(Type.String({ maxLength: 128 }), Type.String({ maxLength: 2048 }), { maxProperties: 200 })

/** A request and its answer, scrubbed of secrets; `status` is the other side's own word. */
const Exchange = Type.Object({
  probe: Word(),
  outcome: OneOf(exchangeOutcomes, { description: 'by_hand: nothing was asked, it is left to the operator' }),
  request: Type.Object({ method: Type.String({ maxLength: 32 }), target: Type.String({ maxLength: 2048 }), headers: Type.Optional(Headers), body: Type.Optional(Type.String({ maxLength: 4096 })) }, closed),
  answer: Nullable(Type.Object({ status: Type.String({ maxLength: 64 }), headers: Type.Optional(Headers), body: Type.Optional(Type.String({ maxLength: 4096 })) }, closed)),
  failure: Nullable(Word(), 'Why there is no answer'),
  at: Time(),
  took_ms: Type.Integer({ minimum: 0 })
}, closed)

const Progress = Type.Object({
  consumer: Consumer(),
  required: Type.Boolean(),
  delivery: Type.Object({ kind: OneOf(['push', 'pull'] as const), url: Type.Optional(Type.String({ maxLength: 1024 })) }, closed),
  healthcheck: Type.String({ maxLength: 1024 }),
  proof: Type.Object({ kind: OneOf(['possession', 'none'] as const), reason: Type.Optional(Type.String({ maxLength: 256 })) }, closed),
  distribute_status: OneOf(distributeStatuses),
  delivery_seq: Nullable(Type.Integer({ minimum: 0 })),
  attempts: Type.Integer({ minimum: 0, description: 'How often it was tried to give it the value' }),
  last_error: Nullable(Sentence()),
  sent_at: Nullable(Time()),
  ended_at: Nullable(Time()),
  proof_outcome: Nullable(OneOf(proofOutcomes)),
  proved_at: Nullable(Time()),
  waived: Nullable(Type.Object({ operator_id: OperatorId(), at: Time(), ticket: Nullable(Type.String({ maxLength: 64 })) }, closed))
}, closed)

export const TicketChecked = (what: string) => Nullable(OneOf(ticketChecks, { description: `${what}. open: the ticket system says that it is; format: there is no ticket system, only its form was looked at` }))

const jobFields = {
  credential: Name(),
  rotation_id: Id(),
  mode: OneOf(modes),
  trigger: OneOf(triggers),
  state: OneOf(jobStates),
  meaning: Sentence('What the state means, and what to do next'),
  transition: Type.Integer({ minimum: 0, description: 'Number of the last stage transition: the ETag' }),
  manifest_version: Type.Integer({ minimum: 0 }),
  opened_at: Time(),
  operator_id: Opener(),
  changed_at: Time(),
  ended_at: Nullable(Time()),
  ticket_check: TicketChecked('What was done about the last ticket'),
  old_value: Type.Object({ value_id: Id(), vendor_token_id: Nullable(VendorTokenId()) }, closed),
  new_value: Nullable(Type.Object({ value_id: Id(), vendor_token_id: Nullable(VendorTokenId()), fingerprint: Fingerprint() }, closed)),
  failure: Nullable(Exchange, 'The exchange that made a stage fail'),
  consumers: Type.Array(Progress, { maxItems: 1000 }),
  gate: Type.Object({
    open: Type.Boolean(),
    closed_by: Type.Array(Type.Object({ consumer: Nullable(Consumer()), why: Sentence() }, closed), { maxItems: 2000 })
  }, { ...closed, description: 'The gate before revoking' }),
  steps: Type.Array(OneOf(stepNames), { maxItems: 7, description: 'What may be asked for now' }),
  abort_means: Nullable(Sentence(), 'What abort would mean now; null where it is not offered'),
  unexplained_tokens: Type.Array(VendorTokenId(), { maxItems: 10_000, description: 'Tokens at the vendor that are new since a minting whose outcome is unknown, at most one of them ours: none is revoked' }),
  alarm: Nullable(Sentence(), 'Something to look at')
}
/** A job, with the log's position; `ETag` is its transition. */
export const JobAnswer = Accepted(jobFields)

const rotation = {
  rotation_id: Id(), mode: OneOf(modes), trigger: OneOf(triggers), state: OneOf(jobStates), opened_at: Time(), operator_id: Opener(), changed_at: Time(), ended_at: Nullable(Time()), position: DecimalString()
}
export const RotationList = Type.Object({
  items: Type.Array(Type.Object(rotation, closed), { maxItems: 1000 }), next_cursor: Nullable(DecimalString())
}, closed)

/** One step of a transcript. `exchanges` are those of the fact, in order. */
export const Transcript = Type.Object({
  credential: Name(),
  rotation_id: Id(),
  items: Type.Array(Type.Object({
    revision: DecimalString(),
    position: DecimalString(),
    fact: Word(),
    at: Time(),
    actor: Actor,
    operator_id: Nullable(OperatorId(), 'The operator who did it; null where the service did, or a consumer by itself'),
    reason: Nullable(Type.String({ maxLength: 2000 }), 'null without the right `persons.read`'),
    ticket: Nullable(Type.String({ maxLength: 64 })),
    state: OneOf(jobStates),
    data: Type.Record(Type.String({ maxLength: 64 }), Type.Unknown(), { maxProperties: 32, description: 'What the fact says, as the log has it' }),
    exchanges: Type.Array(Exchange, { maxItems: 200 })
  }, closed), { maxItems: 10_000 }),
  next_cursor: Nullable(DecimalString(), 'Revision to go on after; null at the end')
}, closed)

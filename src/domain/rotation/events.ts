// Facts of rotations, in the stream of their credential: each step before it acts, and what came of it (seed 004).
import { Type } from '@sinclair/typebox'
import { CredentialName, ExchangeField, Fingerprint, SubscriberName, VendorTokenId } from '../credential/fields.ts'
import { defineEvent } from '../event.ts'
import { Count, InstantField, Uuid, Word, closed } from '../fields.ts'

export const modes = ['rotate', 'replace'] as const
export const triggers = ['operator', 'expiry'] as const
/** Of one consumer and the value that it is to get: seed 004 and issue. */
export const distributeStatuses = ['pending', 'sent', 'succeeded', 'failed', 'unreachable'] as const
/** What a round of proofs is for: `abort` asks for the old value, once it was given back. */
export const purposes = ['validate', 'revoke', 'abort'] as const
/** Of one consumer and the value that is to be proved. `proved`: its answer was keyed by that value. */
export const proofOutcomes = ['proved', 'unproved', 'unhealthy', 'unreachable', 'not_possessing'] as const

/** What a vendor was asked for, in vain so far: the actions that wait for its answer, and ask again. */
export const vainAsks = ['mint', 'settle_mint', 'revoke_orphan', 'check_old', 'revoke_new', 'finish', 'end_abort'] as const

const oneOf = <T extends string>(words: readonly T[]) => Type.Union(words.map((word) => Type.Literal(word)))
/** What was done about a ticket: it was found open, or, without a ticket system, only its form was looked at. */
export const ticketChecks = ['open', 'format'] as const
export const TicketCheck = () => oneOf(ticketChecks)
const of = () => ({ credential: CredentialName(), rotationId: Uuid() })
/** Of a mail to the owner, which may be about no rotation (ADR 0194). */
const ofMail = () => ({ credential: CredentialName(), rotationId: Type.Optional(Uuid()) })
const Consumers = () => Type.Array(SubscriberName(), { maxItems: 500 })
const Exchanges = () => Type.Array(ExchangeField(), { maxItems: 8 })
/** Facts of earlier versions do not have it. */
const PerhapsExchanges = () => Type.Optional(Exchanges())
/** One consumer's delivery: `deliverySeq` rises with each value that a consumer of this credential is to take. */
const Delivery = () => Type.Object({ consumer: SubscriberName(), deliverySeq: Count() }, closed)

export const rotationEvents = {
  'rotation.opened': defineEvent(1, 'A job was opened; nothing was asked of the vendor yet.', Type.Object({
    ...of(), mode: oneOf(modes), trigger: oneOf(triggers), manifestVersion: Count(), oldValueId: Uuid(), ticketCheck: Type.Optional(TicketCheck()), openedAt: InstantField()
  }, closed)),

  // Stage 1
  'rotation.verify_started': defineEvent(1, 'Stage 1: the current value is about to be opened for the three probes. They change nothing.', Type.Object({
    ...of(), attempt: Count(), valueId: Uuid(), startedAt: InstantField()
  }, closed)),
  'rotation.verified': defineEvent(1, 'Stage 1 passed.', Type.Object({ ...of(), attempt: Count(), exchanges: Exchanges(), verifiedAt: InstantField() }, closed)),
  'rotation.verify_failed': defineEvent(1, 'Stage 1 failed; nothing was touched.', Type.Object({
    ...of(), attempt: Count(), exchanges: Exchanges(), failedAt: InstantField()
  }, closed)),

  // Stage 2
  'rotation.distribute_requested': defineEvent(1, 'Stage 2 was asked for: a new value is to be minted and given to all consumers.', Type.Object({
    ...of(), attempt: Count(),
    /** Only for a vendor of the kind `manual`: the pasted value, in the vault already. */
    pasted: Type.Optional(Type.Object({ valueId: Uuid(), fingerprint: Fingerprint(), vendorTokenId: Type.Optional(VendorTokenId()), expiresAt: Type.Optional(InstantField()) }, closed)),
    requestedAt: InstantField()
  }, closed)),
  'rotation.mint_started': defineEvent(1, 'The vendor is about to be asked for a new token, under a label that its list shows.', Type.Object({
    ...of(), attempt: Count(), valueId: Uuid(), label: Type.String({ maxLength: 128 }),
    /** What the vendor listed before, where its list knows no labels: a token beyond these is ours. */
    knownTokenIds: Type.Optional(Type.Array(VendorTokenId(), { maxItems: 1000 })), exchanges: Exchanges(), startedAt: InstantField()
  }, closed)),
  'rotation.minted': defineEvent(1, 'The vendor gave a new token, and the vault holds its value.', Type.Object({
    ...of(), attempt: Count(), valueId: Uuid(), fingerprint: Fingerprint(), vendorTokenId: Type.Optional(VendorTokenId()), expiresAt: Type.Optional(InstantField()),
    exchanges: Exchanges(), mintedAt: InstantField()
  }, closed)),
  'rotation.mint_failed': defineEvent(1, 'The vendor refused to mint; nothing was made, and it may be asked again.', Type.Object({
    ...of(), attempt: Count(), exchanges: Exchanges(), failedAt: InstantField()
  }, closed)),
  'rotation.mint_outcome_unknown': defineEvent(1, 'Whether the vendor minted is not known; its list will say so. It is not asked again blindly.', Type.Object({
    ...of(), attempt: Count(), exchanges: Exchanges(), unknownAt: InstantField()
  }, closed)),
  'rotation.orphan_found': defineEvent(1, 'The vendor lists a token that we minted and whose value nobody holds; it is about to be revoked.', Type.Object({
    ...of(), vendorTokenId: VendorTokenId(), exchanges: Exchanges(), foundAt: InstantField()
  }, closed)),
  'rotation.orphan_revoked': defineEvent(1, 'The orphan is gone from the vendor\'s list.', Type.Object({
    ...of(), vendorTokenId: VendorTokenId(), exchanges: Exchanges(), revokedAt: InstantField()
  }, closed)),
  'rotation.unexplained_found': defineEvent(1, 'The vendor\'s list knows no labels, and shows tokens that are new since a minting whose outcome is unknown: at most one of them is ours. None is revoked; a human has to look.', Type.Object({
    ...of(), vendorTokenIds: Type.Array(VendorTokenId(), { minItems: 1, maxItems: 100 }), exchanges: Exchanges(), foundAt: InstantField()
  }, closed)),
  'rotation.mint_settled': defineEvent(1, 'The vendor\'s list stayed the same long enough: nothing of the unknown minting is left, and it may be asked again.', Type.Object({
    ...of(), attempt: Count(), exchanges: Exchanges(), settledAt: InstantField()
  }, closed)),
  'rotation.deliveries_started': defineEvent(1, 'A value is about to be opened and given to these consumers, all at once; the other one of the job too, so that no exchange shows it.', Type.Object({
    ...of(), attempt: Count(), valueId: Uuid(), deliveries: Type.Array(Delivery(), { maxItems: 500 }), startedAt: InstantField()
  }, closed)),
  'rotation.deliveries_recorded': defineEvent(1, 'What became of some deliveries.', Type.Object({
    ...of(), attempt: Count(), outcomes: Type.Array(Type.Object({
      consumer: SubscriberName(), deliverySeq: Count(), status: oneOf(['sent', 'succeeded', 'failed', 'unreachable'] as const),
      /** How often it was tried so far. */
      tries: Count(), exchange: Type.Optional(ExchangeField()), at: InstantField()
    }, closed), { maxItems: 100 })
  }, closed)),
  'rotation.delivery_acknowledged': defineEvent(1, 'A consumer reported that it uses what it was given.', Type.Object({
    ...of(), consumer: SubscriberName(), deliverySeq: Count(), acknowledgedAt: InstantField()
  }, closed)),
  'rotation.distributed': defineEvent(1, 'Every required consumer has the new value.', Type.Object({ ...of(), attempt: Count(), distributedAt: InstantField() }, closed)),
  'rotation.distribute_partial': defineEvent(1, 'Not every required consumer has the new value. The old one works on; retry or abort.', Type.Object({
    ...of(), attempt: Count(), missing: Consumers(), endedAt: InstantField()
  }, closed)),
  'rotation.retry_requested': defineEvent(1, 'The failed deliveries are to be tried again, with the same new value.', Type.Object({ ...of(), attempt: Count(), requestedAt: InstantField() }, closed)),

  // Stage 3
  'rotation.validation_started': defineEvent(1, 'Every consumer is about to be asked to prove a value, with a nonce each: the new one, or, on the way back, the old one.', Type.Object({
    ...of(), round: Count(), purpose: oneOf(purposes), valueId: Uuid(), startedAt: InstantField()
  }, closed)),
  'rotation.proofs_recorded': defineEvent(1, 'What some consumers answered to their nonce.', Type.Object({
    ...of(), round: Count(), outcomes: Type.Array(Type.Object({
      consumer: SubscriberName(), outcome: oneOf(proofOutcomes), exchange: Type.Optional(ExchangeField()), at: InstantField()
    }, closed), { maxItems: 100 })
  }, closed)),
  'rotation.validated': defineEvent(1, 'All consumers proved the new value, or were waived: the old one may be revoked.', Type.Object({ ...of(), round: Count(), validatedAt: InstantField() }, closed)),
  'rotation.validation_failed': defineEvent(1, 'Not all consumers proved the value that they were asked for. On the way back it is given to those once more.', Type.Object({
    ...of(), round: Count(), unproved: Consumers(), failedAt: InstantField()
  }, closed)),
  'rotation.consumer_waived': defineEvent(1, 'An operator does without the proof of a consumer that is not required.', Type.Object({
    ...of(), consumer: SubscriberName(), ticketCheck: Type.Optional(TicketCheck()), waivedAt: InstantField()
  }, closed)),
  'rotation.revoke_requested': defineEvent(1, 'An operator typed the name and gave a ticket: after one more round of proofs the old value is revoked.', Type.Object({
    ...of(), ticketCheck: TicketCheck(), requestedAt: InstantField()
  }, closed)),
  'rotation.gate_closed': defineEvent(1, 'Something seen since closed the gate: the old value was used, or a proof grew old.', Type.Object({
    ...of(), why: Word(), consumers: Consumers(), exchanges: Exchanges(), closedAt: InstantField()
  }, closed)),
  'rotation.revoke_started': defineEvent(1, 'The vendor is about to be told to revoke the old token. From here the way is forward.', Type.Object({
    ...of(), vendorTokenId: Type.Optional(VendorTokenId()), attempt: Count(),
    /** The first time: the vendor's list, and the try of the new value, on which it rests. */
    exchanges: PerhapsExchanges(), startedAt: InstantField()
  }, closed)),
  'rotation.revoke_answered': defineEvent(1, 'What the vendor said to it.', Type.Object({
    ...of(), attempt: Count(), outcome: oneOf(['revoked', 'refused', 'unknown'] as const), exchanges: Exchanges(), answeredAt: InstantField()
  }, closed)),
  'rotation.refusals_probed': defineEvent(1, 'The token that was revoked (the old one; on the way back the new one) was tried: how often in a row it was refused by now.', Type.Object({
    ...of(), refusedInARow: Count(), exchanges: Exchanges(), probedAt: InstantField()
  }, closed)),
  'rotation.revoke_unconfirmed': defineEvent(1, 'The old token is not seen refused yet; it is tried again.', Type.Object({ ...of(), since: InstantField() }, closed)),
  'rotation.done': defineEvent(1, 'The old token was seen refused three times in a row, and no orphan is left.', Type.Object({
    ...of(), oldValueId: Uuid(), newValueId: Uuid(), exchanges: PerhapsExchanges(), doneAt: InstantField()
  }, closed)),

  // The way back
  'rotation.abort_requested': defineEvent(1, 'An operator wants to go back; what was minted makes it necessary to verify the old value first.', Type.Object({
    ...of(), from: Word(), requestedAt: InstantField()
  }, closed)),
  'rotation.abort_refused': defineEvent(1, 'The old value is dead: there is nothing to go back to, the way is forward. Whoever was given it back gets the new one again.', Type.Object({
    ...of(), exchanges: Exchanges(), refusedAt: InstantField()
  }, closed)),
  'rotation.abort_started': defineEvent(1, 'The old value works: these consumers are given it back.', Type.Object({
    ...of(), consumers: Consumers(), exchanges: Exchanges(), startedAt: InstantField()
  }, closed)),
  'rotation.new_revoke_started': defineEvent(1, 'All required consumers that may have taken the new value have proved that they use the old one again; the new token is about to be revoked.', Type.Object({
    ...of(), vendorTokenId: Type.Optional(VendorTokenId()), attempt: Count(),
    /** The first time: the try of the old value, on which it rests. */
    exchanges: PerhapsExchanges(), startedAt: InstantField()
  }, closed)),
  'rotation.new_revoke_answered': defineEvent(1, 'What the vendor said to it.', Type.Object({
    ...of(), attempt: Count(), outcome: oneOf(['revoked', 'refused', 'unknown'] as const), exchanges: Exchanges(), answeredAt: InstantField()
  }, closed)),
  'rotation.aborted': defineEvent(1, 'The job ended as if it had not been: the old value holds.', Type.Object({ ...of(), exchanges: PerhapsExchanges(), abortedAt: InstantField() }, closed)),

  'rotation.asked_in_vain': defineEvent(1, 'What the vendor answered, or failed to answer, brought the rotation no further: it is asked again, later and later.', Type.Object({
    ...of(), asked: oneOf(vainAsks), tries: Count(), exchanges: Exchanges(), askedAt: InstantField()
  }, closed)),

  // Told to the owner, where a rotation that opened itself could not be verified, or none could be opened
  'rotation.owner_mail_requested': defineEvent(1, 'The credential\'s owner is to be told by mail: stage 1 of a rotation that the schedule opened failed, or it could open none; then no rotation is named.', Type.Object({
    ...ofMail(), mailId: Uuid(), requestedAt: InstantField()
  }, closed)),
  'rotation.owner_mail_attempted': defineEvent(1, 'A process is about to hand the mail over.', Type.Object({ ...ofMail(), mailId: Uuid(), attempt: Count(), attemptedAt: InstantField() }, closed)),
  'rotation.owner_mail_sent': defineEvent(1, 'The mail to the owner was handed over.', Type.Object({
    ...ofMail(), mailId: Uuid(), attempt: Count(), replyCode: Type.Optional(Type.Integer({ minimum: 100, maximum: 999 })), sentAt: InstantField()
  }, closed)),
  'rotation.owner_mail_failed': defineEvent(1, 'The mail to the owner was not handed over; `final`: nobody tries again.', Type.Object({
    ...ofMail(), mailId: Uuid(), attempt: Count(), final: Type.Boolean(), replyCode: Type.Optional(Type.Integer({ minimum: 100, maximum: 999 })), failedAt: InstantField()
  }, closed))
}

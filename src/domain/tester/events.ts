// Facts of a beta tester (`tester-{tester_id}`): invitation, walkthrough tokens, mail, and the console's half of a ghost reset.
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../event.ts'
import { Count, Hash, InstantField, Position, Uuid, Word, closed } from '../fields.ts'
import { PersonalField } from '../personal.ts'
import { Evidence, GhostState } from '../user/events.ts'

export const testerEvents = {
  'tester.invited': defineEvent(1, 'A tester was invited to the beta.', Type.Object({
    testerId: Uuid(), email: PersonalField(), name: Type.Optional(PersonalField()), addressHash: Hash(), invitedAt: InstantField()
  }, closed)),
  'tester.imported': defineEvent(1, 'A tester of an existing beta was taken over.', Type.Object({
    testerId: Uuid(), email: PersonalField(), addressHash: Hash(), invitedAt: InstantField()
  }, closed)),
  'walkthrough_token.minted': defineEvent(1, 'A walkthrough token was minted; the token itself is derived, never stored.', Type.Object({
    testerId: Uuid(), tokenId: Uuid(), userId: Uuid(), mintedAt: InstantField(), expiresAt: InstantField()
  }, closed)),
  'walkthrough_token.imported': defineEvent(1, 'A walkthrough token of an existing beta, known only by its times; it opens nothing here.', Type.Object({
    testerId: Uuid(), tokenId: Uuid(), userId: Uuid(), mintedAt: InstantField(), consumedAt: Type.Optional(InstantField())
  }, closed)),
  'walkthrough_token.consumed': defineEvent(1, 'The person opened the link (seed 000: the token is marked used).', Type.Object({
    testerId: Uuid(), tokenId: Uuid(), userId: Uuid(), consumedAt: InstantField()
  }, closed)),
  'walkthrough_token.revoked': defineEvent(1, 'A walkthrough token opens nothing any more.', Type.Object({
    testerId: Uuid(), tokenId: Uuid(), revokedAt: InstantField(), cause: Word()
  }, closed)),
  'mail.requested': defineEvent(1, 'A mail is to be sent: the intent. Its Message-ID derives from mailId.', Type.Object({
    testerId: Uuid(), mailId: Uuid(), kind: Type.Union([Type.Literal('invitation'), Type.Literal('fresh_link')]),
    tokenId: Uuid(), requestedAt: InstantField()
  }, closed)),
  'mail.attempted': defineEvent(1, 'A reactor claimed the mail and is about to hand it over.', Type.Object({
    testerId: Uuid(), mailId: Uuid(), attempt: Count(100), attemptedAt: InstantField()
  }, closed)),
  'mail.sent': defineEvent(1, 'The mail was handed over: the outcome.', Type.Object({
    testerId: Uuid(), mailId: Uuid(), attempt: Count(100), sentAt: InstantField(), replyCode: Type.Optional(Type.Integer({ minimum: 100, maximum: 999 }))
  }, closed)),
  'mail.failed': defineEvent(1, 'The mail could not be handed over: the outcome of one attempt.', Type.Object({
    testerId: Uuid(), mailId: Uuid(), attempt: Count(100), failedAt: InstantField(), final: Type.Boolean(),
    replyCode: Type.Optional(Type.Integer({ minimum: 100, maximum: 999 }))
  }, closed)),
  'console.beta.ghost_reset.initiated': defineEvent(1, 'An operator asked for the reset of a ghost: the intent (seed 000).', Type.Object({
    testerId: Uuid(), resetId: Uuid(), tokenId: Uuid(), userId: Uuid(), initiatedAt: InstantField(),
    state: GhostState, rule: Word(), thresholdMs: Count(86_400_000), evidence: Type.Array(Evidence, { maxItems: 50 }), evaluatedAtPosition: Position(),
    presentedPosition: Type.Optional(Position())
  }, closed)),
  'console.beta.ghost_reset.refused': defineEvent(1, 'An initiated reset was not carried out; nothing was deleted.', Type.Object({
    testerId: Uuid(), resetId: Uuid(), refusedAt: InstantField(), code: Word()
  }, closed)),
  'console.beta.ghost_reset.completed': defineEvent(1, 'The ghost is gone and a fresh link is on its way: the outcome (seed 000).', Type.Object({
    testerId: Uuid(), resetId: Uuid(), completedAt: InstantField(), freshTokenId: Uuid(), freshUserId: Uuid(),
    mailId: Uuid(),
    /** What the account was when it was deleted, where that is known: the verdict that counts is the deletion's. */
    state: Type.Optional(Type.Union([Type.Literal('ghost_no_users_row'), Type.Literal('ghost_empty_shell')]))
  }, closed)),
  'tester.deleted': defineEvent(1, 'The tester left the beta; the record stays until it is purged.', Type.Object({
    testerId: Uuid(), deletedAt: InstantField(), purgeAfter: InstantField()
  }, closed)),
  'tester.legal_hold_placed': defineEvent(1, 'A legal hold keeps the record from being erased.', Type.Object({
    testerId: Uuid(), holdId: Uuid(), matter: Type.String({ pattern: '^[A-Za-z0-9#/_.:-]+$', maxLength: 64 }), placedAt: InstantField(), until: Type.Optional(InstantField())
  }, closed)),
  'tester.legal_hold_lifted': defineEvent(1, 'A legal hold was lifted.', Type.Object({
    testerId: Uuid(), holdId: Uuid(), liftedAt: InstantField()
  }, closed)),
  'tester.erasure_started': defineEvent(1, 'The tester\'s key is about to be destroyed, and what is left of the links\' accounts to be settled: the intent.', Type.Object({
    testerId: Uuid(), erasureId: Uuid(), startedAt: InstantField(), userIds: Type.Array(Uuid(), { maxItems: 1000 })
  }, closed)),
  'tester.purged': defineEvent(1, 'The keys are destroyed: nobody can read the person any more.', Type.Object({
    testerId: Uuid(), erasureId: Uuid(), purgedAt: InstantField(),
    /** Accounts whose keys went along. */
    userIds: Type.Array(Uuid(), { maxItems: 1000 })
  }, closed))
}

// Facts of an account's life after it was made, in the account's own stream `user-{user_id}` (seed 003).
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../event.ts'
import { Hash, InstantField, Uuid, Word, closed } from '../fields.ts'
import { lifecycleFields } from '../lifecycle/fields.ts'
import { PersonalField } from '../personal.ts'
import { LanguageTag, LimitCode, SanctionCode, SanctionScope, TimeZone } from './catalogues.ts'

export const accountEvents = {
  'user.registered': defineEvent(1, 'The account was made for an address by ensure-by-email (seed 003).', Type.Object({
    userId: Uuid(), email: PersonalField(), addressHash: Hash(), registeredAt: InstantField(),
    preferredLanguage: Type.Optional(LanguageTag()), timeZone: Type.Optional(TimeZone())
  }, closed)),
  'user.profile_updated': defineEvent(1, 'The person changed the profile; what is not named stays.', Type.Object({
    userId: Uuid(), updatedAt: InstantField(),
    userName: Type.Optional(PersonalField()), userNameHash: Type.Optional(Hash()),
    /** The claim of the user name that this completes. */
    claimId: Type.Optional(Uuid()),
    displayName: Type.Optional(PersonalField()), displayNameRemoved: Type.Optional(Type.Literal(true))
  }, closed)),
  'user.user_name_claim_voided': defineEvent(1, 'A claim of a user name came to nothing: somebody else may take the name.', Type.Object({
    userId: Uuid(), claimId: Uuid(), userNameHash: Hash(), voidedAt: InstantField()
  }, closed)),
  'user.settings_updated': defineEvent(1, 'The person changed the settings; what is not named stays.', Type.Object({
    userId: Uuid(), updatedAt: InstantField(), preferredLanguage: Type.Optional(LanguageTag()), timeZone: Type.Optional(TimeZone())
  }, closed)),
  'user.sanction_applied': defineEvent(1, 'A sanction was applied; it counts from its start to its expiry, by the clock.', Type.Object({
    userId: Uuid(), sanctionId: Uuid(), code: SanctionCode, scope: SanctionScope(), appliedAt: InstantField(),
    startsAt: InstantField(), expiresAt: Type.Optional(InstantField()),
    publicNote: Type.Optional(PersonalField()), internalNote: Type.Optional(PersonalField()), evidence: Type.Optional(PersonalField())
  }, closed)),
  'user.sanction_removed': defineEvent(1, 'A sanction was lifted before its time.', Type.Object({
    userId: Uuid(), sanctionId: Uuid(), code: SanctionCode, scope: SanctionScope(), removedAt: InstantField()
  }, closed)),
  'user.limit_set': defineEvent(1, 'A limit of the account was set.', Type.Object({
    userId: Uuid(), code: LimitCode, value: Type.Integer({ minimum: 0, maximum: 1_000_000 }), setAt: InstantField()
  }, closed)),
  'user.limit_removed': defineEvent(1, 'A limit of the account was removed: the default holds again.', Type.Object({
    userId: Uuid(), code: LimitCode, removedAt: InstantField()
  }, closed)),
  'user.tariff_set': defineEvent(1, 'The account has this tariff from now on.', Type.Object({
    userId: Uuid(), code: Word(), since: InstantField(), until: Type.Optional(InstantField()), setAt: InstantField()
  }, closed)),
  'user.lifecycle.permanent_blocked': defineEvent(1, 'For downstream services: a permanent block became active (seed 003).',
    Type.Object(lifecycleFields(), closed)),
  'user.lifecycle.deleted': defineEvent(1, 'For downstream services: the account was deleted (seed 003).', Type.Object(lifecycleFields(), closed)),
  'user.deleted': defineEvent(1, 'The account was deleted softly; its record stays until it is purged.', Type.Object({
    userId: Uuid(), deletedAt: InstantField(), purgeAfter: InstantField()
  }, closed)),
  'user.record_opened': defineEvent(1, 'The record of a deleted account is about to be shown; the reason stands in the metadata.', Type.Object({
    userId: Uuid(), openedAt: InstantField()
  }, closed)),
  'user.legal_hold_placed': defineEvent(1, 'A legal hold keeps the record from being erased.', Type.Object({
    userId: Uuid(), holdId: Uuid(), matter: Type.String({ pattern: '^[A-Za-z0-9#/_.:-]+$', maxLength: 64 }), placedAt: InstantField(), until: Type.Optional(InstantField())
  }, closed)),
  'user.legal_hold_lifted': defineEvent(1, 'A legal hold was lifted.', Type.Object({
    userId: Uuid(), holdId: Uuid(), liftedAt: InstantField()
  }, closed)),
  'user.erasure_started': defineEvent(1, 'The subject\'s key is about to be destroyed: the intent.', Type.Object({
    userId: Uuid(), erasureId: Uuid(), startedAt: InstantField()
  }, closed)),
  'account.purged': defineEvent(1, 'The subject\'s key is destroyed: nobody can read the person any more.', Type.Object({
    userId: Uuid(), erasureId: Uuid(), purgedAt: InstantField()
  }, closed))
}

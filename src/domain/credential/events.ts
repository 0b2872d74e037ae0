// Facts of a credential (`credential-{name}`): its manifest and values. Its rotations stand in the same stream (ADR 0150).
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../event.ts'
import { Count, InstantField, Uuid, closed } from '../fields.ts'
import { CredentialName, Fingerprint, SubscriberName, VendorTokenId } from './fields.ts'
import { TicketCheck } from '../rotation/events.ts'
import { ManifestField } from './manifest.ts'

const credential = () => ({ credential: CredentialName() })

export const credentialEvents = {
  'credential.manifest_put': defineEvent(1, 'A version of the manifest holds from now on, also for an open rotation.', Type.Object({
    ...credential(), version: Count(), manifest: ManifestField(),
    /** Where it lets a required consumer of an open rotation go, which needs a ticket. */
    ticketCheck: Type.Optional(TicketCheck()), putAt: InstantField()
  }, closed)),
  'credential.value_adopted': defineEvent(1, 'The value in use was handed to the vault, so that it can be rotated.', Type.Object({
    ...credential(), valueId: Uuid(), fingerprint: Fingerprint(), vendorTokenId: Type.Optional(VendorTokenId()), expiresAt: Type.Optional(InstantField()), adoptedAt: InstantField()
  }, closed)),
  'credential.value_fetched': defineEvent(1, 'A consumer is about to be given the value, sealed to its key.', Type.Object({
    ...credential(), consumer: SubscriberName(), valueId: Uuid(), deliverySeq: Count(), fetchedAt: InstantField()
  }, closed)),
  'credential.value_lent': defineEvent(1, 'The value is about to be opened as the connection of another credential, which mints, lists and revokes by it.', Type.Object({
    ...credential(), valueId: Uuid(), to: CredentialName(),
    /** `check`: while a manifest was put. */
    purpose: Type.Union([Type.Literal('rotation'), Type.Literal('check')]),
    /** The other credential's rotation, and its stage as the number of the last transition: one fact a stage. */
    rotationId: Type.Optional(Uuid()), transition: Type.Optional(Count()), lentAt: InstantField()
  }, closed)),
  'credential.value_superseded': defineEvent(1, 'A value is out of use, and is to be destroyed once its grace time is over.', Type.Object({
    ...credential(), valueId: Uuid(), destroyAfter: InstantField(), supersededAt: InstantField()
  }, closed)),
  'credential.value_destroyed': defineEvent(1, 'The vault holds the value no more.', Type.Object({
    ...credential(), valueId: Uuid(), destroyedAt: InstantField()
  }, closed))
}

/** `subscriber-{consumer}`: the key that deliveries to a consumer of credentials are sealed to. */
export const subscriberEvents = {
  'subscriber.key_registered': defineEvent(1, 'A consumer of credentials has a key that its deliveries are sealed to.', Type.Object({
    consumer: SubscriberName(), keyId: Type.String({ maxLength: 64 }),
    /** JWK of an X25519 public key. */
    key: Type.Object({ kty: Type.Literal('OKP'), crv: Type.Literal('X25519'), x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }) }, closed),
    registeredAt: InstantField()
  }, closed)),
  'subscriber.webhook_secret_opened': defineEvent(1, 'The secret that checks pushed deliveries of one credential is about to be handed out.', Type.Object({
    consumer: SubscriberName(), credential: CredentialName(), openedAt: InstantField()
  }, closed))
}

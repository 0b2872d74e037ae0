// Facts of an account (`user-{user_id}`): its creation, the enrolment ceremony, and the ghost reset that ends it.
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../event.ts'
import { Base64Url, Count, Hash, InstantField, Position, Uuid, Word, closed } from '../fields.ts'
import { PersonalField } from '../personal.ts'

/** The four states of seed 000, to the letter. */
export const GhostState = Type.Union([
  Type.Literal('ghost_no_users_row'), Type.Literal('ghost_empty_shell'),
  Type.Literal('mid_enrollment'), Type.Literal('healthy')
])

/** One event that a verdict rests on (decision 21). */
export const Evidence = Type.Object({
  stream: Type.String({ maxLength: 256 }),
  revision: Position(),
  type: Word(),
  occurredAt: InstantField()
}, closed)

/** The authenticator's model: any 16 bytes, written like a UUID; most often all zeros. */
const Aaguid = () => Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })

export const userEvents = {
  'user.created': defineEvent(1, 'An enrolment ceremony made the account (the users row of seed 000).', Type.Object({
    userId: Uuid(), testerId: Uuid(), email: PersonalField(), addressHash: Hash(), createdAt: InstantField()
  }, closed)),
  'user.imported': defineEvent(1, 'An account of an existing beta was taken over; its passkeys are placeholders that never sign in.', Type.Object({
    userId: Uuid(), testerId: Uuid(), email: PersonalField(), addressHash: Hash(), createdAt: InstantField(), passkeyPlaceholders: Count(1000)
  }, closed)),
  'user.enrolment.options_issued': defineEvent(1, 'A registration challenge was handed out.', Type.Object({
    userId: Uuid(), challengeId: Uuid(), issuedAt: InstantField(), expiresAt: InstantField()
  }, closed)),
  'user.enrolment.challenge_used': defineEvent(1, 'A challenge was used up, before its answer was looked at.', Type.Object({
    userId: Uuid(), challengeId: Uuid(), usedAt: InstantField()
  }, closed)),
  'user.enrolment.verification_failed': defineEvent(1, 'The answer to a challenge was not accepted.', Type.Object({
    userId: Uuid(), challengeId: Uuid(), failedAt: InstantField(), cause: Word()
  }, closed)),
  'user.passkey_registered': defineEvent(1, 'A passkey was verified and belongs to the account.', Type.Object({
    userId: Uuid(), challengeId: Uuid(), credentialId: Base64Url(1364), publicKey: Base64Url(4096), algorithm: Type.Integer(),
    counter: Type.Integer({ minimum: 0, maximum: 4294967295 }), aaguid: Aaguid(), backedUp: Type.Boolean(),
    transports: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 16 }), registeredAt: InstantField()
  }, closed)),
  'account.ghost_reset': defineEvent(1, 'The accounts side deleted a ghost: appended before the row goes (seed 000).', Type.Object({
    userId: Uuid(), testerId: Uuid(), resetId: Uuid(), resetAt: InstantField(),
    state: Type.Union([Type.Literal('ghost_no_users_row'), Type.Literal('ghost_empty_shell')]),
    addressHash: Type.Optional(Hash()),
    rule: Word(), thresholdMs: Count(86_400_000), evidence: Type.Array(Evidence, { maxItems: 50 })
  }, closed))
}

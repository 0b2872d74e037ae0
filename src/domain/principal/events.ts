// Facts of those who call (`principal-{id}`): their roles and their access tokens, of which only the digest is known.
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../event.ts'
import { Hash, InstantField, Uuid, closed } from '../fields.ts'
import { PersonalField } from '../personal.ts'

const RoleName = () => Type.String({ maxLength: 64, pattern: '^[a-z][a-z0-9-]*(:[a-z0-9-]+)?$' })

/** At the door a word; a rotation labels its tokens with its own id. */
const TokenLabel = () => Type.String({ pattern: '^[a-z][a-z0-9_.:-]*$', maxLength: 128 })

export const principalEvents = {
  'principal.created': defineEvent(1, 'A principal was made known.', Type.Object({
    principalId: Uuid(), kind: Type.Union([Type.Literal('operator'), Type.Literal('service')]), name: PersonalField(), createdAt: InstantField()
  }, closed)),
  'principal.role_granted': defineEvent(1, 'A role was granted (superadmin stands in the roster instead).', Type.Object({
    principalId: Uuid(), role: RoleName(), grantedAt: InstantField()
  }, closed)),
  'principal.role_revoked': defineEvent(1, 'A role was taken away.', Type.Object({
    principalId: Uuid(), role: RoleName(), revokedAt: InstantField()
  }, closed)),
  'principal.token_issued': defineEvent(1, 'An access token was made; only its SHA-256 is kept.', Type.Object({
    principalId: Uuid(), tokenId: Uuid(), sha256: Hash(), label: Type.Optional(TokenLabel()), issuedAt: InstantField(), expiresAt: Type.Optional(InstantField())
  }, closed)),
  'principal.token_revoked': defineEvent(1, 'An access token was revoked.', Type.Object({
    principalId: Uuid(), tokenId: Uuid(), revokedAt: InstantField()
  }, closed))
}

const tokenOfRoster = Type.Object({ tokenId: Uuid(), expiresAt: Type.Optional(InstantField()) }, closed)

/** `roster-superadmin`: a rule over several principals needs one stream (decision 7). */
export const rosterEvents = {
  'superadmin.granted': defineEvent(1, 'A principal became superadmin, with the tokens usable then.', Type.Object({
    principalId: Uuid(), tokens: Type.Array(tokenOfRoster, { maxItems: 1000 }), grantedAt: InstantField()
  }, closed)),
  'superadmin.removed': defineEvent(1, 'A principal is superadmin no longer.', Type.Object({
    principalId: Uuid(), removedAt: InstantField()
  }, closed)),
  'superadmin.token_added': defineEvent(1, 'A superadmin got another token.', Type.Object({
    principalId: Uuid(), token: tokenOfRoster, addedAt: InstantField()
  }, closed)),
  'superadmin.token_withdrawn': defineEvent(1, 'A token is to be revoked: decided here for everybody, so that a superadmin with a usable token always stays.', Type.Object({
    principalId: Uuid(), tokenId: Uuid(), withdrawnAt: InstantField()
  }, closed)),
  'superadmin.recovered': defineEvent(1, 'With the service stopped, somebody with the data folder made a superadmin token.', Type.Object({
    principalId: Uuid(), token: tokenOfRoster, recoveredAt: InstantField()
  }, closed))
}

// A credential's manifest on the wire: the form of src/domain/credential/manifest.ts in snake_case, the owner in clear.
import { Type, type Static } from '@sinclair/typebox'
import { CredentialName, SubscriberName } from '../../domain/credential/fields.ts'
import * as shape from '../../domain/credential/manifest.ts'
import { closed, Id, Nullable, OneOf } from './shared.ts'

/** Not a blank. Without the flag `u`, which this schema is read without (src/http/manifest-items.ts). */
const Text = (maxLength: number, description: string) => Type.String({ minLength: 1, maxLength, pattern: '\\S', description })
const Pointer = (description: string) => Type.String({ ...shape.Pointer(), description: `JSON pointer (RFC 6901): ${description}` })
const Refused = () => ({ ...shape.RefusedStatuses(), description: 'Statuses that mean: this token is refused' })
const Call = (description: string) =>
  Type.Object(shape.HttpCall().properties, { ...closed, description: `${description}. {{value}}, {{connection}}, {{label}} and {{token_id}} are filled in` })

export const Http = Type.Object({
  kind: Type.Literal('http'),
  authenticate: Call('With the value: it authenticates'),
  metadata: Call('With the value: its metadata can be read'),
  may_mint: Call('With the connection, changing nothing: it may mint'),
  mint: Type.Object({
    call: Call('With the connection'), secret: Pointer('the new value'), token_id: Pointer('its id'), expires_at: Type.Optional(Pointer('its end'))
  }, closed),
  list: Type.Object({
    call: Call('With the connection'), items: Pointer('an array; the others point into one of its items'), token_id: Pointer('the id'),
    label: Type.Optional(Pointer('the label that it was minted under')), last_used_at: Type.Optional(Pointer('when it was last used'))
  }, closed),
  revoke: Call('With the connection'),
  refused_statuses: Refused()
}, closed)

export const PostgresRole = Type.Object({
  kind: Type.Literal('postgres-role'),
  group: Type.String({ ...shape.GroupRole(), description: 'The role that holds the rights' }),
  address: Type.String({ ...shape.PostgresAddress(), description: 'Address and parameters, without role and password' })
}, closed)

export const RedisAcl = Type.Object({
  kind: Type.Literal('redis-acl'),
  user: shape.RedisUser(),
  address: Type.String({ ...shape.RedisAddress(), description: 'Address, without user and password' })
}, closed)

export const ChanceryToken = Type.Object({ kind: Type.Literal('chancery-token'), principal_id: Id() }, closed)

export const Manual = Type.Object({
  kind: Type.Literal('manual'),
  instructions: Text(2048, 'What the operator is told to do'),
  authenticate: Call('With the value: it authenticates'),
  metadata: Type.Optional(Call('With the value, where the vendor can be asked: its metadata can be read')),
  refused_statuses: Refused()
}, closed)

export const Consumer = Type.Object({
  consumer: Type.String({ ...SubscriberName(), description: 'Its name: the one behind consumer: in its principal\'s role' }),
  required: Type.Boolean({ description: 'Must be said: revoking waits for each that is required, without exception' }),
  delivery: Type.Union([
    Type.Object({ kind: Type.Literal('push'), url: shape.Url() }, closed),
    Type.Object({ kind: Type.Literal('pull') }, closed)
  ]),
  healthcheck: shape.Url(),
  proof: Type.Union([
    Type.Object({ kind: Type.Literal('possession') }, closed),
    Type.Object({ kind: Type.Literal('none'), reason: Text(256, 'Why it cannot prove anything') }, closed)
  ], { description: 'How it proves that it uses the new value; none only for one that is not required' })
}, closed)

/** What an operator puts: every member is checked, and all that is wrong is told at once. */
export const Manifest = Type.Object({
  vendor: Type.Union([Http, PostgresRole, RedisAcl, ChanceryToken, Manual]),
  connection: Type.Optional(shape.Connection()),
  sensitivity: OneOf(shape.sensitivities),
  owner: Type.Object({
    name: Text(128, 'Kept sealed'),
    email: Type.String({ minLength: 3, maxLength: 254, pattern: '^[^\\s@\\u0000-\\u001f\\u007f]+@[^\\s@\\u0000-\\u001f\\u007f]+$', description: 'Kept sealed' })
  }, closed),
  lifetime_days: Type.Optional(Type.Integer({ minimum: 1, maximum: 3650, description: 'How old a value may become' })),
  lead_days: Type.Integer({ minimum: 0, maximum: 365, description: 'A rotation is due so long before the value expires' }),
  consumers: Type.Array(Consumer, { maxItems: 500 })
}, closed)
export type WireManifest = Static<typeof Manifest>

/** The same as it is shown: the owner is null without the right `persons.read`. */
export const ShownManifest = Type.Object({
  ...Manifest.properties,
  owner: Type.Object({
    name: Nullable(Type.String({ maxLength: 128 }), 'null without the right `persons.read`'),
    email: Nullable(Type.String({ maxLength: 254 }), 'null likewise')
  }, closed)
}, closed)

export const CredentialParams = Type.Object({ name: Type.String({ ...CredentialName(), description: 'The credential' }) }, closed)

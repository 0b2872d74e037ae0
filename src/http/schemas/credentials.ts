// What the routes of credentials take and give.
import { Type } from '@sinclair/typebox'
import { Fingerprint, VendorTokenId } from '../../domain/credential/fields.ts'
import { sensitivities } from '../../domain/credential/manifest.ts'
import { jobStates } from '../../domain/rotation/job.ts'
import { CredentialParams, Manifest, ShownManifest } from './manifest.ts'
import { Name, nullable, TicketChecked, Value } from './rotations.ts'
import { Accepted, closed, Cursor, DecimalString, Id, Limit, Page, Reason, Ticket, Time } from './shared.ts'

export { CredentialParams }

const oneOf = <T extends string>(words: readonly T[]) => Type.Union(words.map((word) => Type.Literal(word)))
const Open = Type.Object({ rotation_id: Id(), state: oneOf(jobStates) }, closed)
const Vendor = () => oneOf(['http', 'postgres-role', 'redis-acl', 'chancery-token', 'manual'] as const)

export const InventoryQuery = Type.Object({
  due: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')], { description: 'true: only what is due for a rotation' })),
  cursor: Type.Optional(Cursor()),
  limit: Type.Optional(Limit())
}, closed)
export const Inventory = Page({
  credential: Name(),
  owner_name: nullable(Type.String({ maxLength: 128 }), 'null without the right `persons.read`'),
  sensitivity: oneOf(sensitivities),
  vendor: Vendor(),
  value_since: nullable(Time(), 'null while there is no value'),
  expires_at: nullable(Time(), 'By what vendor and manifest say; null: never'),
  due_at: nullable(Time(), 'From then on a rotation is due'),
  overdue: Type.Boolean({ description: 'A rotation is due' }),
  age_days: nullable(Type.Integer({ minimum: 0 }), 'Age of the value'),
  last_completed_at: nullable(Time(), 'When a rotation was last done'),
  open_rotation: nullable(Open)
})

const value = Type.Object({
  value_id: Id(), fingerprint: Fingerprint(), vendor_token_id: nullable(VendorTokenId()), since: Time(), expires_at: nullable(Time())
}, { ...closed, description: 'What is known of the value; never the value' })

export const CredentialAnswer = Accepted({
  credential: Name(),
  manifest_version: Type.Integer({ minimum: 0 }),
  manifest: ShownManifest,
  value: nullable(value),
  due_at: nullable(Time()),
  last_completed_at: nullable(Time()),
  open_rotation: nullable(Open)
})

const TypedTicket = () => Type.String({ maxLength: 256, description: 'Needed where a required consumer is taken out of an open rotation' })
/** The body besides its manifest. The pattern of visible text needs a flag that who reads this one does not set (src/http/manifest-body.ts). */
export const ManifestEnvelope = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 2000 }), ticket: Type.Optional(TypedTicket()) }, closed)
export const ManifestBody = Type.Object({ manifest: Manifest, ...ManifestEnvelope.properties, reason: Reason() }, closed)
export const ManifestAccepted = Accepted({ credential: Name(), manifest_version: Type.Integer({ minimum: 0 }), ticket_check: TicketChecked('What was done about the ticket by which a required consumer of an open rotation leaves; null where none was needed'), open_rotation: nullable(Open) })

export const ValueBody = Type.Object({
  value: Value(),
  vendor_token_id: Type.Optional(VendorTokenId()),
  expires_at: Type.Optional(Type.Unsafe<string>(Time())),
  reason: Reason(),
  ticket: Type.Optional(Ticket())
}, closed)
export const ValueAccepted = Accepted({ credential: Name(), value })

export const RotationQuery = Type.Object({ cursor: Type.Optional(DecimalString()), limit: Type.Optional(Limit()) }, closed)

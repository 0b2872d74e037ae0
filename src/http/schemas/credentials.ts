// What the routes of credentials take and give.
import { Type } from '@sinclair/typebox'
import { Fingerprint, VendorTokenId } from '../../domain/credential/fields.ts'
import { sensitivities, vendorKinds } from '../../domain/credential/manifest.ts'
import { jobStates } from '../../domain/rotation/job.ts'
import { CredentialParams, Manifest, ShownManifest } from './manifest.ts'
import { Name, TicketChecked, Value } from './rotations.ts'
import { Accepted, closed, Cursor, DecimalString, Id, Limit, Nullable, OneOf, Page, Reason, Ticket, Time } from './shared.ts'

export { CredentialParams }

const Open = Type.Object({ rotation_id: Id(), state: OneOf(jobStates) }, closed)

export const InventoryQuery = Type.Object({
  due: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')], { description: 'true: only what is due for a rotation' })),
  cursor: Type.Optional(Cursor()),
  limit: Type.Optional(Limit())
}, closed)
export const Inventory = Page({
  credential: Name(),
  owner_name: Nullable(Type.String({ maxLength: 128 }), 'null without the right `persons.read`'),
  sensitivity: OneOf(sensitivities),
  vendor: OneOf(vendorKinds),
  value_since: Nullable(Time(), 'null while there is no value'),
  expires_at: Nullable(Time(), 'By what vendor and manifest say; null: never'),
  due_at: Nullable(Time(), 'From then on a rotation is due'),
  overdue: Type.Boolean({ description: 'A rotation is due' }),
  age_days: Nullable(Type.Integer({ minimum: 0 }), 'Age of the value'),
  last_completed_at: Nullable(Time(), 'When a rotation was last done'),
  open_rotation: Nullable(Open)
})

const value = Type.Object({
  value_id: Id(), fingerprint: Fingerprint(), vendor_token_id: Nullable(VendorTokenId()), since: Time(), expires_at: Nullable(Time())
}, { ...closed, description: 'What is known of the value; never the value' })

export const CredentialAnswer = Accepted({
  credential: Name(),
  manifest_version: Type.Integer({ minimum: 0 }),
  manifest: ShownManifest,
  value: Nullable(value),
  due_at: Nullable(Time()),
  last_completed_at: Nullable(Time()),
  open_rotation: Nullable(Open)
})

const TypedTicket = () => Type.String({ maxLength: 256, description: 'Needed where a required consumer is taken out of an open rotation' })
/** The body besides its manifest. The pattern of visible text needs a flag that who reads this one does not set (src/http/manifest-body.ts). */
export const ManifestEnvelope = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 2000 }), ticket: Type.Optional(TypedTicket()) }, closed)
export const ManifestBody = Type.Object({ manifest: Manifest, ...ManifestEnvelope.properties, reason: Reason() }, closed)
export const ManifestAccepted = Accepted({ credential: Name(), manifest_version: Type.Integer({ minimum: 0 }), ticket_check: TicketChecked('What was done about the ticket by which a required consumer of an open rotation leaves; null where none was needed'), open_rotation: Nullable(Open) })

export const ValueBody = Type.Object({
  value: Value(),
  vendor_token_id: Type.Optional(VendorTokenId()),
  expires_at: Type.Optional(Type.Unsafe<string>(Time())),
  reason: Reason(),
  ticket: Type.Optional(Ticket())
}, closed)
export const ValueAccepted = Accepted({ credential: Name(), value })

export const RotationQuery = Type.Object({ cursor: Type.Optional(DecimalString()), limit: Type.Optional(Limit()) }, closed)

// The metadata that every event of ours carries, as a schema.
import { Type, type Static, type TObject } from '@sinclair/typebox'
import type { EventMetadata } from '../../src/domain/event.ts'
import { Count, InstantField, closed } from '../../src/domain/fields.ts'
import { PersonalField } from '../../src/domain/personal.ts'

const Id = () => Type.String({ minLength: 1, maxLength: 256 })

/** Compile-time proof that schema and type say the same. */
const proven = <S extends TObject>(schema: S & (Static<S> extends EventMetadata ? unknown : never)): S => schema

export const MetadataSchema = proven(Type.Object({
  $correlationId: Id(),
  $causationId: Id(),
  commandId: Id(),
  commandFingerprint: Type.Optional(Id()),
  schemaVersion: Count(1000),
  occurredAt: InstantField(),
  actor: Type.Object({
    type: Type.Union([Type.Literal('principal'), Type.Literal('person'), Type.Literal('system')]),
    id: Id()
  }, closed),
  source: Type.Optional(Id()),
  reasonCode: Type.Optional(Id()),
  ticket: Type.Optional(Id()),
  requestId: Id(),
  traceparent: Type.Optional(Id()),
  reason: Type.Optional(PersonalField()),
  ip: Type.Optional(PersonalField()),
  userAgent: Type.Optional(PersonalField())
}, closed))

// What the auditor's routes take and give. Bodies of events are what was appended, so no schema of ours bounds them.
import { Type } from '@sinclair/typebox'
import { closed, DecimalString, Id, Limit, Page, Time } from './shared.ts'

const Stream = () => Type.String({ pattern: '^[A-Za-z]+-[A-Za-z0-9_-]+$', maxLength: 256 })
const EventTypeName = () => Type.String({ pattern: '^[a-z][a-z0-9_.]*$', maxLength: 128 })

export const EventsQuery = Type.Object({
  stream: Type.Optional(Stream()),
  type: Type.Optional(EventTypeName()),
  from: Type.Optional(Time()),
  to: Type.Optional(Time()),
  command_id: Type.Optional(Id()),
  actor: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]+$', maxLength: 128 })),
  direction: Type.Optional(Type.Union([Type.Literal('forwards'), Type.Literal('backwards')])),
  cursor: Type.Optional(DecimalString()),
  limit: Type.Optional(Limit())
}, closed)

export const EventPage = Page({
  id: Type.String({ maxLength: 64 }),
  stream: Type.String({ maxLength: 256 }),
  type: Type.String({ maxLength: 128 }),
  revision: DecimalString(),
  position: DecimalString(),
  created: Time(),
  data: Type.Unknown({ description: 'As it was appended; sealed values stay sealed' }),
  metadata: Type.Unknown({ description: 'As it was appended' })
})

export const IntentsQuery = Type.Object({
  intent: Type.Optional(EventTypeName()), cursor: Type.Optional(DecimalString()), limit: Type.Optional(Limit())
}, closed)

export const IntentPage = Page({
  type: Type.String({ maxLength: 128 }),
  intent_id: Type.String({ maxLength: 128 }),
  stream: Type.String({ maxLength: 256 }),
  revision: DecimalString(),
  position: DecimalString(),
  event_id: Type.String({ maxLength: 64 }),
  occurred_at: Time(),
  actor: Type.Object({ type: Type.String({ maxLength: 16 }), id: Type.String({ maxLength: 128 }) }, closed),
  command_id: Type.String({ maxLength: 64 }),
  steps: Type.Integer(),
  last_step_at: Type.Union([Time(), Type.Null()])
})

export const ReplayQuery = Type.Object({ stream: Type.Optional(Stream()) }, closed)

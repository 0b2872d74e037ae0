// What the routes of lifecycle consumers, their receipts and an account's deletion take and give.
import { Type } from '@sinclair/typebox'
import { ConsumerName, GroupName } from '../../domain/consumer/events.ts'
import { lifecycleTypes } from '../../domain/lifecycle/fields.ts'
import { Accepted, closed, DecimalString, Id, Limit, Nullable, Page, Reason, Ticket, Time } from './shared.ts'

const Name = () => Type.String({ ...ConsumerName(), description: 'The consumer' })
const Group = () => Type.String({ ...GroupName(), description: 'Its consumer group in Redis' })
const OverdueMs = () => Type.Integer({ minimum: 1000, maximum: 31_536_000_000, description: 'An entry without a receipt is overdue after so many ms' })
const Digest = () => Type.String({ pattern: '^[0-9a-f]{64}$', maxLength: 64, description: 'The consumer\'s own, over what it did: the same for each repetition' })
const Outcome = () => Type.String({ pattern: '^[a-z][a-z0-9_.]*$', maxLength: 64, description: 'What came of it, as a word' })
const Items = () => Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'How many things it concerned' })

export const ConsumerParams = Type.Object({ name: Name() }, closed)
export const RegisterBody = Type.Object({ group: Group(), overdue_ms: OverdueMs() }, closed)
export const RetireBody = Type.Object({ reason: Reason(), ticket: Type.Optional(Ticket()) }, closed)
const registration = { consumer: Name(), group: Group(), overdue_ms: OverdueMs() }
export const ConsumerAccepted = Accepted({ ...registration, status: Type.Union([Type.Literal('registered'), Type.Literal('retired')]) })
export const MacKeyAnswer = Accepted({
  consumer: Name(),
  key_id: Type.String({ maxLength: 32, description: 'What stands before the colon of a MAC' }),
  key: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', maxLength: 43, description: '32 bytes in base64url; a secret' })
})

export const ConsumerQuery = Type.Object({ cursor: Type.Optional(DecimalString()), limit: Type.Optional(Limit()) }, closed)
export const ConsumerPage = Page({
  ...registration, status: Type.Union([Type.Literal('registered'), Type.Literal('retired')]), registered_at: Time(),
  retired_at: Nullable(Time(), 'null while it is registered'), position: DecimalString()
})

export const ReceiptBody = Type.Object({
  consumer: Name(), event_id: Id(), position: Type.String({ ...DecimalString(), description: 'Of the entry' }), user_id: Id(),
  outcome: Outcome(), items: Items(), digest: Digest()
}, closed)
export const ReceiptAnswer = Accepted({
  consumer: Name(), event_id: Id(), acknowledged_at: Time(), replayed: Type.Boolean({ description: 'True for a repetition: the first report stands' })
})

export const DeletionParams = Type.Object({ user_id: Id() }, closed)
const Progress = Type.Object({
  consumer: Name(),
  state: Type.Union([Type.Literal('finished'), Type.Literal('waiting'), Type.Literal('overdue')]),
  outcome: Type.Optional(Outcome()),
  items: Type.Optional(Items()),
  digest: Type.Optional(Digest()),
  settled_by: Type.Optional(Type.String({ ...DecimalString(), description: 'Position of a later entry of the account: its receipt settles this one' })),
  acknowledged_at: Type.Optional(Time()),
  due_at: Type.Optional(Type.String({ ...Time(), description: 'Until when it is waited for' }))
}, closed)
export const DeletionAnswer = Accepted({
  user_id: Id(),
  stage: Type.Union(['live', 'deleted', 'erasing', 'purged'].map((stage) => Type.Literal(stage)), { description: 'How far the record is on its way out' }),
  deleted_at: Nullable(Time(), 'null while it is not deleted'),
  purge_after: Nullable(Time(), 'End of the cooling period'),
  holds: Type.Array(Type.Object({
    hold_id: Id(), matter: Type.String({ maxLength: 64 }), placed_at: Time(), until: Nullable(Time(), 'null: until it is lifted')
  }, closed), { maxItems: 10_000, description: 'Legal holds in force: the record is not erased while there is one' }),
  entries: Type.Array(Type.Object({
    event_type: Type.Union(lifecycleTypes.map((type) => Type.Literal(type))),
    event_id: Id(),
    event_position: DecimalString(),
    occurred_at: Time(),
    consumers: Type.Array(Progress, { maxItems: 1000, description: 'Those that were registered when it happened, and whoever has sent a receipt' })
  }, closed), { maxItems: 10_000 }),
  settled: Type.Boolean({ description: 'True if nobody is waited for' })
})

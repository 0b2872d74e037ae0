// What operators see of the lifecycle stream and its publisher.
import { Type } from '@sinclair/typebox'
import { alarmReasons, mismatchKinds, publisherStates } from '../../lifecycle-stream.ts'
import { Accepted, closed, DecimalString, Id, Reason, Ticket, Time } from './shared.ts'

const Count = () => Type.Integer({ minimum: 0 })
const EntryId = () => Type.String({ maxLength: 64, description: 'Id of an entry in Redis' })
const Name = (maxLength = 64) => Type.String({ maxLength })
const OneOf = <const W extends readonly string[]>(words: W) => Type.Unsafe<W[number]>(Type.Union(words.map((word) => Type.Literal(word))))

const LifecycleAlarm = Type.Object({
  reason: OneOf(alarmReasons),
  message: Type.String({ maxLength: 1000 }),
  hint: Type.String({ maxLength: 1000 })
}, closed)

export const Verification = Type.Object({
  from: DecimalString(),
  to: DecimalString(),
  entries: Count(),
  missing: Count(),
  extra: Count(),
  different: Count(),
  out_of_order: Count(),
  samples: Type.Array(Type.Object({
    kind: OneOf(mismatchKinds), entry_id: EntryId(), event_id: Name(256)
  }, closed), { maxItems: 20 }),
  verified_at: Time(),
  took_ms: Count()
}, { ...closed, description: 'The stream against the log, in positions (from, to]' })

const Publisher = Type.Object({
  status: OneOf(publisherStates),
  cause: Type.Optional(Name()),
  lag_entries: Type.Union([Count(), Type.Null()], { description: 'Entries that the stream still lacks; null while that is not known' }),
  lag_ms: Type.Union([Count(), Type.Null()], { description: 'Age of the oldest of them' }),
  published: Count(),
  failures: Count(),
  overtaken: Count(),
  fenced: Count(),
  trimmed: Count(),
  alarms: Type.Array(LifecycleAlarm, { maxItems: 1000 }),
  verified: Type.Optional(Verification)
}, { ...closed, description: 'The publisher of the process that answers; null if it has none' })

const Stream = Type.Object({
  length: Count(),
  first_entry_id: Type.Union([EntryId(), Type.Null()]),
  last_entry_id: Type.Union([EntryId(), Type.Null()]),
  stray_entry_id: Type.Union([EntryId(), Type.Null()], { description: 'The end of the stream, if the log did not make it' }),
  groups: Type.Array(Name(1024), { maxItems: 10_000 }),
  consumers: Type.Array(Type.Object({ consumer: Name(), group: Name(), acknowledged: Type.Union([DecimalString(), Type.Null()]) }, closed), { maxItems: 1000 })
}, { ...closed, description: 'What Redis holds; null while it does not answer' })

const Epoch = { epoch_id: Id(), begun_at: Time(), renamed_to: Name(300) }

export const Lifecycle = Type.Object({
  stream: Name(256),
  publisher: Type.Union([Publisher, Type.Null()]),
  redis: Type.Union([Stream, Type.Null()]),
  epochs: Type.Object({ begun: Count(), open: Type.Union([Type.Object(Epoch, closed), Type.Null()]) }, closed)
}, closed)

export const EpochBody = Type.Object({
  stream: Type.String({ minLength: 1, maxLength: 256, description: 'The name of the stream, typed to confirm' }), reason: Reason(), ticket: Type.Optional(Ticket())
}, closed)
export const EpochAccepted = Accepted(Epoch)

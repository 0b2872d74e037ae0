// What the lobby's reads of the lifecycle take and give: the snapshot and the digest of a range.
import { Type } from '@sinclair/typebox'
import { EntryFields } from '../../domain/lifecycle/entry.ts'
import { closed, Cursor, DecimalString, Limit, Page } from './shared.ts'

export const SnapshotQuery = Type.Object({
  as_of: Type.Optional(DecimalString('A position; default: all that is known')),
  cursor: Type.Optional(Cursor()),
  limit: Type.Optional(Limit())
}, closed)

const { event_id: eventId, event_type: eventType, user_id: userId, occurred_at_ms: occurredAtMs, source, actor_type: actorType, actor_id: actorId, reason_code: reasonCode, trace_id: traceId } = EntryFields.properties

export const SnapshotPage = Type.Object({
  as_of: DecimalString(),
  ...Page({
    position: DecimalString(),
    entry_id: Type.String({ maxLength: 39, description: 'Its id in the stream' }),
    event_id: eventId,
    event_type: eventType,
    user_id: userId,
    occurred_at_ms: occurredAtMs,
    source,
    actor_type: actorType,
    actor_id: actorId,
    reason_code: reasonCode,
    trace_id: traceId,
    lifted: Type.Boolean({ description: 'The block was removed since; nothing was published of that' })
  }).properties
}, closed)

export const DigestQuery = Type.Object({ from: DecimalString(), to: DecimalString() }, closed)
export const DigestAnswer = Type.Object({
  from: DecimalString(),
  to: DecimalString(),
  count: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
  hash: Type.String({ pattern: '^[0-9a-f]{64}$', maxLength: 64, description: 'h₀ is 32 zero bytes, hₙ = SHA-256(hₙ₋₁ ‖ canonical entry), over (from, to]' }),
  stream: Type.String({ maxLength: 300, description: 'Key of the Redis stream, as the canonical entries name it' })
}, closed)

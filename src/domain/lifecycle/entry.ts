// An entry of the Redis lifecycle stream as a pure function of its event and its predecessor (seed 003, decision 28).
import { Type, type Static } from '@sinclair/typebox'
import type { LogEvent } from '../catalogue.ts'
import type { LifecycleType } from './fields.ts'

const ENTRY_SCHEMA_VERSION = '1'

const Decimal = (description: string) => Type.String({ pattern: '^(0|[1-9]\\d{0,18})$', maxLength: 19, description })

/** The fields on the wire, all text as Redis has it. `mac` covers all others, the entry id and the stream key. */
export const EntryFields = Type.Object({
  event_type: Type.Union([Type.Literal('user.lifecycle.permanent_blocked'), Type.Literal('user.lifecycle.deleted')], { description: 'What happened to the account' }),
  user_id: Type.String({ maxLength: 36, format: 'uuid', description: 'The account' }),
  occurred_at_ms: Decimal('When, by the clock of the service: milliseconds since 1970-01-01T00:00:00Z'),
  source: Type.String({ minLength: 1, maxLength: 64, description: 'The service that asked for it' }),
  actor_type: Type.Union([Type.Literal('principal'), Type.Literal('person'), Type.Literal('system')], { description: 'What kind of actor decided it' }),
  actor_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Who decided it; opaque' })),
  reason_code: Type.String({ pattern: '^[a-z][a-z0-9_.]*$', maxLength: 64, description: 'Why, as a word' }),
  trace_id: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$', maxLength: 32, description: 'W3C trace id of the request' })),
  event_id: Type.String({ maxLength: 36, format: 'uuid', description: 'Id of the event in the log: repeats have the same' }),
  schema_version: Type.Literal(ENTRY_SCHEMA_VERSION, { description: 'Version of this set of fields' }),
  previous_position: Decimal('Position of the lifecycle event before this one in the log; 0 for the first'),
  mac: Type.String({ pattern: '^[A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{43}$', maxLength: 80, description: 'Key id, colon, HMAC-SHA-256 in base64url over the RFC 8785 form of all other fields, entry_id and stream' })
}, { additionalProperties: false })
export type EntryFields = Static<typeof EntryFields>
export type UnsignedEntry = Omit<EntryFields, 'mac'>

export type LifecycleEvent = Extract<LogEvent, { type: LifecycleType }>

/** Entry id of a position: commit and prepare are the same for every event of ours (decision 10). */
export const entryIdOf = (position: bigint): string => `${position}-${position}`

/** The position that an entry id names, or undefined for an id that no event of ours can have. */
export const positionOf = (entryId: string): bigint | undefined => {
  const [commit, prepare, ...more] = entryId.split('-')
  return commit === prepare && more.length === 0 && commit !== undefined && /^\d{1,19}$/.test(commit) ? BigInt(commit) : undefined
}

/** The fields of an event's entry, without its MAC. */
export const unsignedEntry = ({ id, type, data }: Pick<LifecycleEvent, 'id' | 'type' | 'data'>, previous: bigint): UnsignedEntry => ({
  event_type: type,
  user_id: data.userId,
  occurred_at_ms: String(data.occurredAtMs),
  source: data.source,
  actor_type: data.actorType,
  ...data.actorId !== undefined && { actor_id: data.actorId },
  reason_code: data.reasonCode,
  ...data.traceId !== undefined && { trace_id: data.traceId },
  event_id: id,
  schema_version: ENTRY_SCHEMA_VERSION,
  previous_position: String(previous)
})

/**
 * What the MAC and the digest are taken over: the fields, `entry_id` and `stream` in the form of RFC 8785. All values
 * are text, so sorted names and JSON's own escapes are that form.
 */
export const canonicalEntry = (fields: UnsignedEntry, place: { entryId: string, stream: string }): string => {
  const whole: Record<string, string> = { ...fields, entry_id: place.entryId, stream: place.stream }
  return JSON.stringify(Object.fromEntries(Object.keys(whole).sort().map((name) => [name, whole[name]])))
}

// An entry of the lifecycle stream: read from Redis's fields, proven by its MAC, and in the form that digests are taken over.
import { createHmac, timingSafeEqual } from 'node:crypto'

export type LifecycleType = 'user.lifecycle.permanent_blocked' | 'user.lifecycle.deleted'

/** One lifecycle entry, as a handler gets it. It holds no personal data: ids and codes only. */
export interface LifecycleEntry {
  /** Id in the Redis stream: `<position>-<position>`. */
  entryId: string
  /** Place of the event in Chancery's log. Grows from entry to entry. */
  position: bigint
  /** Position of the lifecycle event before this one; 0 for the first. */
  previousPosition: bigint
  /** The same for every repetition of the entry. */
  eventId: string
  /** A later version may add types: pass over what you do not know. */
  type: LifecycleType | (string & {})
  userId: string
  occurredAt: Date
  /** The service that asked for it. */
  source: string
  actorType: string
  actorId?: string
  reasonCode: string
  /** W3C trace id of the request that caused it. */
  traceId?: string
  schemaVersion: string
  /** RFC 8785 form of all fields but the MAC, with entry id and stream: what MAC and digest are taken over. */
  canonical: string
}

/** Key id → 32 bytes, as they are or in base64url; or a function that finds out (undefined: there is no such key). */
export type MacKeys = Readonly<Record<string, string | Uint8Array>> | ((keyId: string) => Promise<string | Uint8Array | undefined>)

/** Why an entry is not believed. */
export type EntryProblem = 'malformed' | 'unknown_key' | 'bad_mac'

export type ReadEntry = { entry: LifecycleEntry } | { problem: EntryProblem, detail: string }

const required = ['event_type', 'user_id', 'occurred_at_ms', 'source', 'actor_type', 'reason_code', 'event_id', 'schema_version', 'previous_position', 'mac'] as const
const DECIMAL = /^(0|[1-9]\d{0,18})$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Reads one entry and proves it. Never throws for anything in it; a key function may reject. */
export const readEntry = async (stream: string, entryId: string, flat: readonly string[], macKeys: MacKeys): Promise<ReadEntry> => {
  const fields = fieldsOf(flat)
  if (fields === undefined) return { problem: 'malformed', detail: 'a field stands twice' }
  const missing = required.filter((name) => fields[name] === undefined)
  if (missing.length > 0) return { problem: 'malformed', detail: `without ${missing.join(', ')}` }
  const position = positionOf(entryId)
  if (position === undefined) return { problem: 'malformed', detail: 'its id is no position' }
  if (!DECIMAL.test(fields['previous_position'] ?? '') || !DECIMAL.test(fields['occurred_at_ms'] ?? '') || !UUID.test(fields['event_id'] ?? '') || !UUID.test(fields['user_id'] ?? '')) {
    return { problem: 'malformed', detail: 'a field has no valid value' }
  }

  const { mac = '', ...others } = fields
  const canonical = canonicalForm({ ...others, entry_id: entryId, stream })
  const [keyId = '', code = ''] = mac.split(':')
  const key = typeof macKeys === 'function' ? await macKeys(keyId) : Object.hasOwn(macKeys, keyId) ? macKeys[keyId] : undefined
  if (key === undefined) return { problem: 'unknown_key', detail: `signed with the key ${JSON.stringify(keyId.slice(0, 32))}` }
  if (!isSigned(canonical, code, key)) return { problem: 'bad_mac', detail: 'its MAC does not fit' }

  const { actor_id: actorId, trace_id: traceId } = fields
  const text = (name: (typeof required)[number]): string => fields[name] ?? ''
  return {
    entry: {
      entryId,
      position,
      previousPosition: BigInt(text('previous_position')),
      eventId: text('event_id'),
      type: text('event_type'),
      userId: text('user_id'),
      occurredAt: new Date(Number(text('occurred_at_ms'))),
      source: text('source'),
      actorType: text('actor_type'),
      ...actorId !== undefined && { actorId },
      reasonCode: text('reason_code'),
      ...traceId !== undefined && { traceId },
      schemaVersion: text('schema_version'),
      canonical
    }
  }
}

/** The id of the entry at a position; reading goes on after it. */
export const entryIdOf = (position: bigint): string => `${position}-${position}`

const positionOf = (entryId: string): bigint | undefined => {
  const [first = '', second, ...more] = entryId.split('-')
  return first === second && more.length === 0 && DECIMAL.test(first) ? BigInt(first) : undefined
}

const fieldsOf = (flat: readonly string[]): Record<string, string> | undefined => {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = flat[at] ?? ''
    if (name in fields) return undefined
    fields[name] = flat[at + 1] ?? ''
  }
  return fields
}

/** All values are text, so names in the order of their UTF-16 units and JSON's own escapes are RFC 8785's form. */
const canonicalForm = (fields: Readonly<Record<string, string>>): string =>
  `{${Object.keys(fields).sort().map((name) => `${JSON.stringify(name)}:${JSON.stringify(fields[name])}`).join(',')}}`

const isSigned = (canonical: string, code: string, key: string | Uint8Array): boolean => {
  const secret = typeof key === 'string' ? Buffer.from(key, 'base64url') : key
  const expected = createHmac('sha256', secret).update(canonical, 'utf8').digest()
  const given = Buffer.from(code, 'base64url')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

// Writes lifecycle entries as the publisher would, for tests of consumers: a log of our own, its signatures, its digest.
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { canonicalEntry, entryIdOf, unsignedEntry } from '../../src/domain/lifecycle/entry.ts'
import type { LifecycleType } from '../../src/domain/lifecycle/fields.ts'

export const STREAM = 'user:lifecycle_events'

export interface WrittenEntry { position: bigint, id: string, userId: string, eventId: string, fields: Record<string, string>, canonical: string }

/** A log of lifecycle events in memory, and what Redis and the service say of it. */
export const entryWriter = (stream = STREAM) => {
  const key = randomBytes(32)
  const written: WrittenEntry[] = []
  const sign = (canonical: string) => `k1:${createHmac('sha256', key).update(canonical).digest('base64url')}`

  /** The next entry; positions grow by some bytes as in a log. Another `previous` is a lie, or a log that was replaced. */
  const make = (userId: string = randomUUID(), type: LifecycleType = 'user.lifecycle.deleted', previous = written.at(-1)?.position ?? 0n): WrittenEntry => {
    const position = (written.at(-1)?.position ?? 0n) + 1n + BigInt(Math.floor(Math.random() * 500))
    const eventId = randomUUID()
    const unsigned = unsignedEntry({
      id: eventId, type, data: { userId, occurredAtMs: 1_790_000_000_000 + written.length, source: 'admin', actorType: 'principal', actorId: 'a-1', reasonCode: 'request' }
    }, previous)
    const canonical = canonicalEntry(unsigned, { entryId: entryIdOf(position), stream })
    const entry = { position, id: entryIdOf(position), userId, eventId, fields: { ...unsigned, mac: sign(canonical) }, canonical }
    written.push(entry)
    return entry
  }
  const publish = async (redis: Redis, entries: readonly WrittenEntry[]): Promise<void> => {
    const pipeline = redis.pipeline()
    for (const { id, fields } of entries) pipeline.xadd(stream, id, ...Object.entries(fields).flat())
    for (const [error] of await pipeline.exec() ?? []) if (error !== null) throw error
  }
  return {
    key,
    macKeys: { k1: key.toString('base64url') },
    written,
    make,
    publish,
    /** Makes and publishes. */
    write: async (redis: Redis, users: readonly string[]): Promise<WrittenEntry[]> => {
      const entries = users.map((user) => make(user))
      await publish(redis, entries)
      return entries
    },
    /** As the service counts it. */
    digest: async (from: bigint, to: bigint) => {
      const range = written.filter(({ position }) => position > from && position <= to)
      const hash = range.reduce((before, { canonical }) => createHash('sha256').update(before).update(canonical).digest(), Buffer.alloc(32) as Buffer)
      return { count: range.length, hash: hash.toString('hex') }
    }
  }
}

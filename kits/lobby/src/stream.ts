// The Redis side: reads the stream after a position, and keeps the consumer's bookmarks in it.
import { Redis } from 'ioredis'
import { entryIdOf } from './entry.ts'

export interface StreamOptions {
  redis: string | Redis
  key: string
  /** The consumer's name in the hash of acknowledged positions. */
  name: string
  /** Its consumer group; without one nothing is written to Redis. */
  group?: string | undefined
  onError: (error: Error) => void
}

export type RawEntry = [id: string, fields: string[]]

export interface LifecycleStream {
  /** Entries after this position, at most `count`; waits up to `waitMs` for the first. */
  read: (after: bigint, count: number, waitMs: number) => Promise<RawEntry[]>
  /**
   * Says how far the consumer is, and makes the group again if Redis has lost it. `<key>:acknowledged` goes back only if
   * `back` says so: an answer that was late must not undo a newer one, but a database that was restored knows less than Redis.
   */
  bookmark: (position: bigint, back?: boolean) => Promise<void>
  /** Ends a read that waits; there is no other after it. */
  endReading: () => void
  close: () => void
}

/** A server that holds still answers nothing for ever: how long an answer may take beyond the time that was asked for. */
const SILENCE_MS = 5_000

/**
 * HSET and XGROUP in one step. Positions exceed what Lua's numbers hold exactly, so they are compared as decimal text.
 * A group can only be made on a stream that is there: without one there is nothing to mark.
 */
const BOOKMARK = `
local name, position, group, id, back = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local before = redis.call('HGET', KEYS[2], name)
if back or not before or #before < #position or (#before == #position and before < position) then
  redis.call('HSET', KEYS[2], name, position)
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local set = redis.pcall('XGROUP', 'SETID', KEYS[1], group, id)
if type(set) == 'table' and set.err then redis.call('XGROUP', 'CREATE', KEYS[1], group, id) end
return 1`

export const openStream = ({ redis, key, name, group, onError }: StreamOptions): LifecycleStream => {
  const connect = (purpose: string, silenceMs: number): Redis => {
    const options = {
      connectionName: `lobby-kit ${name} ${purpose}`,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: true,
      commandTimeout: silenceMs,
      // Its timer also runs where the connection is closed already, and would hold up the end of the process.
      disconnectTimeout: 100,
      retryStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, 1_000),
      // The old master of a fail-over goes on as a replica.
      reconnectOnError: (error: Error) => error.message.startsWith('READONLY')
    }
    const client = typeof redis === 'string' ? new Redis(redis, options) : redis.duplicate(options)
    // Whether it could log in or not: the command that was refused is in the error, and with it the password.
    client.on('error', (error: Error) => { onError(new Error(error.message)) })
    return client
  }
  // A read that waits holds its connection.
  const reader = connect('reader', SILENCE_MS + 2_000)
  const writer = connect('writer', SILENCE_MS)

  return {
    read: async (after, count, waitMs) => {
      const answer = await reader.xread('COUNT', count, 'BLOCK', waitMs, 'STREAMS', key, entryIdOf(after))
      return answer?.[0]?.[1] ?? []
    },
    bookmark: async (position, back = false) => {
      if (group === undefined) return
      await writer.eval(BOOKMARK, 2, key, `${key}:acknowledged`, name, String(position), group, entryIdOf(position), back ? '1' : '0')
    },
    endReading: () => { reader.disconnect() },
    close: () => {
      reader.disconnect()
      writer.disconnect()
    }
  }
}

// Follows the announcements on Redis; needs ioredis, which the rest of the kit does not.
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Follow } from './types.ts'

export interface RedisFollowOptions {
  url: string
  /** With the namespace of the installation in front, if it has one; default `credential:rotation_events`. */
  stream?: string
}

const BLOCK_MS = 5_000
const LONGEST_PAUSE_MS = 2_000

/** Reads from the end on: what was announced before, and while it was away, is a gap, after which everything is fetched once. */
export const followRedis = ({ url, stream = 'credential:rotation_events' }: RedisFollowOptions): Follow => async ({ signal, onEntry, onGap }) => {
  const client = new Redis(url, {
    lazyConnect: true, maxRetriesPerRequest: 0, enableOfflineQueue: false, retryStrategy: () => null, disconnectTimeout: 100, socketTimeout: 2 * BLOCK_MS
  })
  client.on('error', () => {})
  const close = () => { client.disconnect() }
  signal.addEventListener('abort', close, { once: true })
  try {
    for (let pause = 50; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        await client.connect()
        // The end is asked for before what is there is fetched, so that nothing falls in between.
        let after = await lastOf(client, stream)
        onGap()
        while (!signal.aborted) {
          const read = await client.xread('COUNT', 100, 'BLOCK', BLOCK_MS, 'STREAMS', stream, after)
          pause = 50
          for (const [id, texts] of read?.[0]?.[1] ?? []) {
            after = id
            const fields = Object.fromEntries(pairs(texts))
            if (fields['event_type'] === 'credential.rotation') onEntry({ consumer: fields['consumer'] ?? '', credential: fields['credential'] ?? '' })
          }
        }
      } catch {
        client.disconnect()
        await delay(pause, undefined, { signal }).catch(() => {})
      }
    }
  } finally {
    signal.removeEventListener('abort', close)
    client.disconnect()
  }
}

const lastOf = async (client: Redis, stream: string): Promise<string> => {
  const [last] = await client.xrevrange(stream, '+', '-', 'COUNT', 1)
  return last?.[0] ?? '0-0'
}

const pairs = (texts: readonly string[]): Array<[string, string]> =>
  Array.from({ length: Math.floor(texts.length / 2) }, (_, i) => [texts[2 * i] ?? '', texts[2 * i + 1] ?? ''])

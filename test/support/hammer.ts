// A client of a database that asks it without a pause, by pools and by fresh connections, with the credential that it holds.
import pg from 'pg'
import { Redis } from 'ioredis'
import type { Secret } from '../../src/domain/credential/secret.ts'
import { until } from './until.ts'

/** How a client uses one value until it is given another. */
interface Using {
  /** One request over connections that are kept. */
  ask: () => Promise<unknown>
  /** One request over a connection of its own. */
  askAfresh: () => Promise<unknown>
  /** Lets what is under way end, then leaves. */
  leave: () => Promise<void>
}

export interface Hammer {
  /** Uses another value from now on: the new connections first, the old ones end behind their last answer. */
  take (value: Secret): Promise<void>
  /** Requests answered and failed since the beginning. */
  counts (): { answered: number, failed: number }
  /** What the failed ones failed with. */
  failures (): string[]
  /** Resolves when so many more were answered, by pooled and by fresh connections. */
  more (requests?: number): Promise<void>
  stop (): Promise<void>
}

const POOLED = 6
const FRESH = 2

const hammer = async (open: (value: Secret) => Promise<Using>, value: Secret): Promise<Hammer> => {
  let using = await open(value)
  const counts = { pooled: 0, fresh: 0, failed: 0 }
  const failures: string[] = []
  const ending = new AbortController()
  let stopped: Promise<void> | undefined
  const loop = async (kind: 'pooled' | 'fresh') => {
    while (!ending.signal.aborted) {
      try {
        await (kind === 'pooled' ? using.ask() : using.askAfresh())
        counts[kind]++
      } catch (error) {
        counts.failed++
        if (failures.length < 20) failures.push(error instanceof Error ? error.message : String(error))
        // Not to spin while it is refused.
        await new Promise((resolve) => { setTimeout(resolve, 5) })
      }
    }
  }
  const loops = [...Array.from({ length: POOLED }, () => loop('pooled')), ...Array.from({ length: FRESH }, () => loop('fresh'))]
  return {
    take: async (next) => {
      const before = using
      using = await open(next)
      await before.leave()
    },
    counts: () => ({ answered: counts.pooled + counts.fresh, failed: counts.failed }),
    failures: () => failures,
    more: async (requests = 60) => {
      const { pooled, fresh } = counts
      await until(() => counts.pooled >= pooled + requests && counts.fresh >= fresh + 3)
    },
    stop: () => {
      ending.abort()
      stopped ??= Promise.all(loops).then(() => using.leave())
      return stopped
    }
  }
}

/** Each request writes a row and reads it back. */
export const hammerPostgres = (value: Secret, sql = 'insert into hammered values (default) returning id'): Promise<Hammer> => hammer(async (secret) => {
  const connectionString = secret.reveal()
  const pool = new pg.Pool({ connectionString, max: POOLED })
  pool.on('error', () => {})
  let underWay = 0
  const counted = async <T>(work: () => Promise<T>): Promise<T> => {
    underWay++
    try {
      return await work()
    } finally {
      underWay--
    }
  }
  return {
    ask: () => counted(() => pool.query(sql)),
    askAfresh: () => counted(async () => {
      const client = new pg.Client(connectionString)
      client.on('error', () => {})
      await client.connect()
      try {
        return await client.query(sql)
      } finally {
        await client.end().catch(() => {})
      }
    }),
    leave: async () => {
      await until(() => underWay === 0)
      await pool.end()
    }
  }
}, value)

export const hammerRedis = (value: Secret, key = 'app:hammered'): Promise<Hammer> => hammer(async (secret) => {
  const url = secret.reveal()
  const options = { lazyConnect: true, retryStrategy: () => 20, maxRetriesPerRequest: 0, enableOfflineQueue: false, enableReadyCheck: false }
  const kept = new Redis(url, options)
  kept.on('error', () => {})
  await kept.connect().catch(() => {})
  let underWay = 0
  const counted = async <T>(work: () => Promise<T>): Promise<T> => {
    underWay++
    try {
      return await work()
    } finally {
      underWay--
    }
  }
  return {
    ask: () => counted(() => kept.incr(key)),
    askAfresh: () => counted(async () => {
      const client = new Redis(url, { ...options, retryStrategy: () => null })
      client.on('error', () => {})
      try {
        await client.connect()
        return await client.incr(key)
      } finally {
        client.disconnect()
      }
    }),
    leave: async () => {
      await until(() => underWay === 0)
      kept.disconnect()
    }
  }
}, value)

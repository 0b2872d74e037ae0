// A client of a database that asks it without a pause, by pools and by fresh connections, with the credential that it holds.
import { setTimeout as delay } from 'node:timers/promises'
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
/** After a refusal, not to spin. */
const REFUSED_MS = 5

export interface HammerOptions {
  /** Between two requests of one of its eight loops, for a client that shares its process with what it must not starve; default 0. */
  pauseMs?: number
}

const hammer = async (open: (value: Secret) => Promise<Using>, value: Secret, { pauseMs = 0 }: HammerOptions): Promise<Hammer> => {
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
        await delay(REFUSED_MS)
      }
      if (pauseMs > 0) await delay(pauseMs)
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

/** Each request writes a row. */
const SQL = 'insert into hammered values (default) returning id'
export const hammerPostgres = (value: Secret, options: HammerOptions = {}): Promise<Hammer> => hammer(async (secret) => {
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
    ask: () => counted(() => pool.query(SQL)),
    askAfresh: () => counted(async () => {
      const client = new pg.Client(connectionString)
      client.on('error', () => {})
      await client.connect()
      try {
        return await client.query(SQL)
      } finally {
        await client.end().catch(() => {})
      }
    }),
    leave: async () => {
      await until(() => underWay === 0)
      await pool.end()
    }
  }
}, value, options)

const KEY = 'app:hammered'
export const hammerRedis = (value: Secret, options: HammerOptions = {}): Promise<Hammer> => hammer(async (secret) => {
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
    ask: () => counted(() => kept.incr(KEY)),
    askAfresh: () => counted(async () => {
      const client = new Redis(url, { ...options, retryStrategy: () => null })
      client.on('error', () => {})
      try {
        await client.connect()
        return await client.incr(KEY)
      } finally {
        client.disconnect()
      }
    }),
    leave: async () => {
      await until(() => underWay === 0)
      kept.disconnect()
    }
  }
}, value, options)

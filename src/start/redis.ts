// Where the publisher gets its Redis: the one of the settings, or a local one that is brought up behind the start.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { lockFolder } from '../../infra/local/children/folder-lock.ts'
import { supervise } from '../../infra/local/children/supervise.ts'
import { openLocalRedis, provideProgram } from '../../infra/local/redis/index.ts'
import { watchRedis, type RedisWatch } from '../../infra/redis/watch.ts'
import type { Config } from '../config.ts'
import type { RedisSource } from '../ports.ts'
import { explain, StartError } from '../start-error.ts'
import { logFile } from './logger.ts'

export interface RedisSourceOptions {
  config: Pick<Config, 'dataDir' | 'redisUrl' | 'toolEnvironment'>
  logger: Logger
  /** Told what the operator's terminal should show. */
  tell: (sentence: string) => void
}

export interface OpenRedisSource extends RedisSource {
  /** Also stops what is being fetched or started. */
  close (): Promise<void>
}

/** After the first failure to bring a local one up, and at most. */
const FIRST_WAIT_MS = 2_000
const LONGEST_WAIT_MS = 600_000

/** Returns at once: the service must not wait for a download before it takes commands. */
export const openRedisSource = ({ config, logger, tell }: RedisSourceOptions): OpenRedisSource => {
  const closing = new AbortController()
  const waiting = new Set<(url: string) => void>()
  let url: string | undefined
  let watch: RedisWatch | undefined
  let reason = 'Redis is being started.'

  const have = (address: string) => {
    url = address
    watch = watchRedis(address, {
      onChange: (state) => { logger[state === 'ready' ? 'info' : 'warn'](state === 'ready' ? 'Redis answers' : 'Redis does not answer') },
      onRemark: (remark) => { logger.warn(remark) }
    })
    for (const resolve of waiting) resolve(address)
  }
  const keepTrying = async () => {
    for (let wait = FIRST_WAIT_MS; !closing.signal.aborted; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      try {
        return await bringUp({ config, logger, tell }, closing.signal)
      } catch (error) {
        if (closing.signal.aborted) return undefined
        const why = error instanceof StartError ? explain(error) : `Redis cannot be started: ${error instanceof Error ? error.message : String(error)}`
        if (wait === FIRST_WAIT_MS) tell(`${why}\nThe service goes on without Redis; what is to be published waits in the log.`)
        logger.warn({ err: error }, 'there is no Redis yet; it is tried again')
        reason = why.replaceAll('\n  - ', '; ')
        await delay(wait, undefined, { signal: closing.signal }).catch(() => {})
      }
    }
    return undefined
  }

  if (config.redisUrl !== undefined) have(config.redisUrl)
  const local = config.redisUrl === undefined ? keepTrying() : Promise.resolve(undefined)
  void local.then((redis) => { if (redis !== undefined && !closing.signal.aborted) have(redis.url) })

  return {
    state: () => watch?.state() ?? 'waiting',
    remarks: () => watch?.remarks() ?? [reason],
    url: () => url,
    whenUrl: async (signal) => {
      signal.throwIfAborted()
      return url ?? await new Promise<string>((resolve, reject) => {
        waiting.add(resolve)
        signal.addEventListener('abort', () => {
          waiting.delete(resolve)
          reject(signal.reason as Error)
        }, { once: true })
      })
    },
    close: async () => {
      closing.abort()
      watch?.stop()
      await (await local)?.stop()
    }
  }
}

/** Finds or fetches the program and starts it under supervision; one process at a time has the folder. */
const bringUp = async ({ config, logger, tell }: RedisSourceOptions, signal: AbortSignal): Promise<{ url: string, stop: () => Promise<void> }> => {
  const home = join(config.dataDir, 'redis')
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const lock = await lockFolder(home)
  try {
    const program = await provideProgram({ folder: join(home, 'program'), tools: config.toolEnvironment, say: tell, signal })
    const logTo = logFile(config.dataDir, 'redis.log')
    const redis = await supervise({
      name: 'Redis',
      key: 'redis',
      signals: { ask: 'SIGTERM', force: 'SIGKILL' },
      start: (port) => openLocalRedis({ home, program, logFile: logTo, port })
    }, { runFolder: join(config.dataDir, 'run'), say: (level, sentence) => { logger[level](sentence) } })
    return {
      url: redis.first.url,
      stop: async () => {
        await redis.stop()
        await lock.release()
      }
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

// The servers beside the service, where the lifecycle's story needs them directly: a lobby's database, and a Redis to stop.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { Failure } from '../failures.ts'
import type { Settings } from '../settings.ts'
import type { Surroundings } from '../terminal.ts'

export interface LocalStack {
  redisUrl: string
  /** Makes an empty database; `drop` also cuts off who is still connected. */
  database (name: string): Promise<{ url: string, drop: () => Promise<void> }>
  /** Holds the local Redis still and lets it go on; undefined where Redis is not ours to stop. */
  redis: { pid: number, pause (): void, resume (): void } | undefined
}

/** @throws Failure that says what is missing */
export const findLocalStack = ({ dataDir }: Pick<Settings, 'dataDir'>, { env }: Pick<Surroundings, 'env'>): LocalStack => {
  const postgresUrl = env['CHANCERY_POSTGRES_URL'] ?? address(join(dataDir, 'postgres', 'url'), 'Postgres')
  const redisUrl = env['CHANCERY_REDIS_URL'] ?? address(join(dataDir, 'redis', 'url'), 'Redis')
  const pid = env['CHANCERY_REDIS_URL'] === undefined ? processIn(join(dataDir, 'run', 'redis.json')) : undefined

  const administer = async (sql: string): Promise<void> => {
    const client = new pg.Client(postgresUrl)
    await client.connect()
    try {
      await client.query(sql)
    } finally {
      await client.end()
    }
  }
  return {
    redisUrl,
    database: async (name) => {
      await administer(`create database ${name}`)
      const url = new URL(postgresUrl)
      url.pathname = `/${name}`
      return { url: url.href, drop: () => administer(`drop database if exists ${name} with (force)`) }
    },
    redis: pid === undefined
      ? undefined
      : { pid, pause: () => { process.kill(pid, 'SIGSTOP') }, resume: () => { process.kill(pid, 'SIGCONT') } }
  }
}

const address = (file: string, name: string): string => {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    throw new Failure('unavailable', `There is no ${name} to be found by ${file}. Is that the service's data folder (CHANCERY_DATA_DIR)? \`npm run -s chancery -- status\` says what it waits for.`)
  }
}

/** The process of a mark that the service wrote, if it is still that one: a number is used again for others. */
const processIn = (file: string): number | undefined => {
  try {
    const { pid, began } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number, began: string }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] === began ? pid : undefined
  } catch {
    return undefined
  }
}

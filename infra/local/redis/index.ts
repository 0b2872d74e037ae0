// A local Redis under the data folder, for a machine that has no server to name.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Child } from '../children/child.ts'
import { fetchProgram, type FetchOptions } from './fetch.ts'
import { findProgram, findUnpacked, type RedisProgram } from './program.ts'
import { startRedisServer } from './server.ts'

export interface LocalRedis extends Child {
  /** Its address, password included. */
  url: string
}

/** The system's server, else the one that was fetched into `folder`, else it is fetched. Throws StartError. */
export const provideProgram = async (options: FetchOptions): Promise<RedisProgram> =>
  await findProgram((options.tools['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')) ??
  await findUnpacked(options.folder) ??
  await fetchProgram(options)

/**
 * Starts the server on the data below `home` and waits until it answers. Throws StartError.
 * @param options.port 0 for a free one
 */
export const openLocalRedis = async ({ home, ...options }: { home: string, program: RedisProgram, logFile: string, port: number }): Promise<LocalRedis> => {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const password = passwordIn(join(home, 'password'))
  const server = await startRedisServer({ ...options, folder: join(home, 'store'), password })
  return { ...server, url: `redis://:${password}@127.0.0.1:${server.port}` }
}

const passwordIn = (file: string): string => {
  const kept = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (kept !== '') return kept
  const made = randomBytes(24).toString('base64url')
  writeFileSync(file, made, { mode: 0o600 })
  return made
}

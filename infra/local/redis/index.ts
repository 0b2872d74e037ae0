// A local Redis under the data folder, for a machine that has no server to name.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Child } from '../children/child.ts'
import { fetchProgram, type FetchOptions } from './fetch.ts'
import { findProgram, findUnpacked, type RedisProgram } from './program.ts'
import { isTaken, startRedisServer } from './server.ts'

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
 * Starts the server on the data below `home` and waits until it answers. The file `url` there holds its address, for
 * consumers on this machine: it keeps its password, and its port as long as nobody else has taken that.
 * Throws StartError.
 * @param options.port 0 for the last one, else a free one
 */
export const openLocalRedis = async ({ home, port, ...options }: { home: string, program: RedisProgram, logFile: string, port: number }): Promise<LocalRedis> => {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const file = join(home, 'url')
  const last = addressIn(file)
  const password = last?.password ?? randomBytes(24).toString('base64url')
  const start = (port: number) => startRedisServer({ ...options, folder: join(home, 'store'), password, port })
  const server = port === 0 && last !== undefined
    ? await start(last.port).catch((error: unknown) => isTaken(error) ? start(0) : Promise.reject(error as Error))
    : await start(port)
  const url = `redis://:${password}@127.0.0.1:${server.port}`
  writeFileSync(`${file}.new`, `${url}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return { ...server, url }
}

const addressIn = (file: string): { password: string, port: number } | undefined => {
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
  return URL.canParse(text) ? { password: new URL(text).password, port: Number(new URL(text).port) } : undefined
}

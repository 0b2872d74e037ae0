// Runs one Redis process on loopback until it is told to stop.
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { Redis } from 'ioredis'
import { StartError } from '../../../src/start-error.ts'
import type { Child } from '../children/child.ts'
import { freePort } from '../children/free-port.ts'
import { environmentOf, type RedisProgram } from './program.ts'

/** Reading a large append-only file takes its time. */
const START_LIMIT_MS = 60_000
const STOP_LIMIT_MS = 10_000
const POLL_MS = 10
const PORT_ATTEMPTS = 3

export interface RedisServerOptions {
  program: RedisProgram
  /** Folder of its append-only file, made if absent. */
  folder: string
  password: string
  logFile: string
  /** 0 picks a free one. */
  port: number
  /** Lines of redis.conf on top of the usual ones. */
  settings?: readonly string[]
}

/** Starts the server and waits until it has read its file and answers. Throws StartError with what it said. */
export const startRedisServer = async (options: RedisServerOptions): Promise<Child> => {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 })
  for (let left = options.port === 0 ? PORT_ATTEMPTS : 1; ; left--) {
    const port = options.port === 0 ? await freePort() : options.port
    try {
      return await start({ ...options, port })
    } catch (error) {
      if (left === 1 || !isTaken(error)) throw error
    }
  }
}

/** True if the port belongs to somebody else. */
export const isTaken = (error: unknown): boolean => error instanceof StartError && error.message.includes('Address already in use')

const start = async (options: RedisServerOptions): Promise<Child> => {
  const { program, folder, logFile, port } = options
  const log = openSync(logFile, 'a', 0o600)
  const before = statSync(logFile).size
  const child = spawn(program.path, ['-'], { cwd: folder, env: environmentOf(program), stdio: ['pipe', log, log], detached: true })
  closeSync(log)
  const ended = new Promise<void>((resolve) => { child.once('error', () => { resolve() }).once('exit', () => { resolve() }) })
  // By its input: the password is in no list of processes and in no second file.
  child.stdin?.on('error', () => {}).end(configuration(options))
  const pid = child.pid
  if (pid === undefined || !await answers(options, ended)) {
    child.kill('SIGKILL')
    await ended
    const said = readFileSync(logFile, 'utf8').slice(before).trimEnd().split('\n').slice(-3).join(' / ')
    throw new StartError(`The local Redis did not start: ${said === '' ? `see ${logFile}` : said}`, [
      `read ${logFile}`, `if its files are damaged: remove ${folder}; what was in them is published again from the log`
    ])
  }
  const stop = async () => {
    child.kill('SIGTERM')
    const late = setTimeout(() => { child.kill('SIGKILL') }, STOP_LIMIT_MS)
    await ended
    clearTimeout(late)
  }
  return { pid, port, ended, stop }
}

const configuration = ({ folder, password, port, settings = [] }: RedisServerOptions): string => [
  'bind 127.0.0.1',
  `port ${port}`,
  'protected-mode yes',
  `requirepass ${password}`,
  `dir ${JSON.stringify(folder)}`,
  'appendonly yes',
  // What a power cut takes from its end is published again from the log (ADR 0090).
  'appendfsync everysec',
  'save ""',
  'maxmemory-policy noeviction',
  ...settings,
  ''
].join('\n')

/** True once it answers a PING under our password, which no other server on that port could know; false if it ended first. */
const answers = async ({ password, port }: RedisServerOptions, ended: Promise<void>): Promise<boolean> => {
  const client = new Redis({ host: '127.0.0.1', port, password, lazyConnect: true, retryStrategy: () => POLL_MS, connectTimeout: 1_000, disableClientInfo: true })
  client.on('error', () => {})
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => { timer = setTimeout(resolve, START_LIMIT_MS, false) })
  const ready = new Promise<boolean>((resolve) => { client.once('ready', () => { resolve(true) }) })
  client.connect().catch(() => {})
  try {
    return await Promise.race([ready, late, ended.then(() => false)])
  } finally {
    clearTimeout(timer)
    client.disconnect()
  }
}

// The service's log: JSON lines to stderr, or, on a terminal, to a file with only warnings on the screen.
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pino, destination, multistream, type Logger } from 'pino'
import type { Config } from '../config.ts'

/** A log file larger than this is put aside at start (one earlier file is kept). */
const ROTATE_BYTES = 10 * 1024 * 1024

/** Path of a file in data/log/, put aside first if it has grown large. */
export const logFile = (dataDir: string, name: string): string => {
  const folder = join(dataDir, 'log')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, name)
  if (existsSync(file) && statSync(file).size > ROTATE_BYTES) renameSync(file, `${file}.1`)
  return file
}

/** @param terminal stderr, if a person reads it */
export const createLogger = (config: Pick<Config, 'dataDir' | 'logLevel'>, terminal: NodeJS.WritableStream | undefined): Logger => {
  const options = { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: errorFields } }
  if (terminal === undefined) return pino(options, destination(2))
  const file = destination({ dest: logFile(config.dataDir, 'service.log'), mode: 0o600, sync: true })
  const screen = { write: (line: string) => { terminal.write(inShort(line)) } }
  return pino(options, multistream([{ level: config.logLevel === 'silent' ? 'fatal' : config.logLevel, stream: file }, { level: 'warn', stream: screen }]))
}

/** What a log line says of an error: pg's errors carry their connection along, with its keys. */
const errorFields = (error: unknown): object => {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const code = 'code' in error ? { code: error.code } : {}
  return { type: name, message, ...code, stack, ...(cause !== undefined && { cause: errorFields(cause) }) }
}

/** One line a person can read: time of day, level, message. */
const inShort = (line: string): string => {
  const { level, time, msg, err } = JSON.parse(line) as { level: number, time: string, msg?: string, err?: { message?: string } }
  return `${time.slice(11, 19)} ${pino.levels.labels[level] ?? ''}: ${[msg, err?.message].filter((text) => text !== undefined && text !== '').join(': ')}\n`
}

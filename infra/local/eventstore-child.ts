// Starts the local event store as a child process and waits for its ready line.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { StartError } from '../../src/start-error.ts'
import type { Child } from './children/child.ts'
import { own } from './children/environment.ts'

/** After SIGTERM; what is not on disk then was not acknowledged. */
const STOP_LIMIT_MS = 10_000

export interface EventStoreChild extends Child { url: string }

// The same folder holds main.ts in a checkout and main.js in dist/.
const entry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? 'eventstore/main.ts' : 'eventstore/main.js', import.meta.url))

/** Throws StartError with what the store itself said. */
export const startEventStore = async (options: { dataDir: string, logFile: string, port: number }): Promise<EventStoreChild> => {
  const { dataDir, logFile } = options
  const log = openSync(logFile, 'a', 0o600)
  const before = statSync(logFile).size
  const child = spawn(process.execPath, [...own.nodeOptions, entry, '--data', dataDir, '--port', String(options.port)],
    { cwd: '/', env: own.environment, stdio: ['ignore', 'pipe', log], detached: true })
  closeSync(log)
  const ended = new Promise<void>((resolve) => { child.once('error', () => { resolve() }).once('exit', () => { resolve() }) })
  const port = await readyPort(child.stdout)
  if (port === undefined || child.pid === undefined) {
    child.kill('SIGKILL')
    await ended
    throw new StartError(`The local event store did not start: ${readFileSync(logFile, 'utf8').slice(before).trim() || `see ${logFile}`}`)
  }
  const stop = async () => {
    child.kill('SIGTERM')
    const late = setTimeout(() => { child.kill('SIGKILL') }, STOP_LIMIT_MS)
    await ended
    clearTimeout(late)
  }
  return { pid: child.pid, port, url: `esdb://127.0.0.1:${port}?tls=false`, ended, stop }
}

const readyPort = async (output: Readable | null): Promise<number | undefined> => {
  if (output === null) return undefined
  const lines = createInterface({ input: output })
  for await (const line of lines) {
    const port = /esdb:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]
    if (port !== undefined) return Number(port)
  }
  return undefined
}

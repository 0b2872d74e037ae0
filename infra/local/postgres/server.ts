// Runs one `postgres` process on loopback until it is told to stop.
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { StartError } from '../../../src/start-error.ts'
import type { Child } from '../children/child.ts'
import { own } from '../children/environment.ts'
import { freePort } from '../children/free-port.ts'
import type { Account } from './account.ts'
import type { Binaries } from './binaries.ts'
import type { Cluster } from './cluster.ts'

const START_LIMIT_MS = 60_000
const POLL_MS = 10
/** A fast shutdown that takes longer is made an immediate one: the WAL repairs it at the next start. */
const STOP_LIMIT_MS = 10_000

export interface ServerOptions {
  logFile: string
  /** 0 picks a free one. */
  port: number
  /** false only for data that may be lost with the machine: tests. */
  durable: boolean
}

/** Starts the server and waits until it accepts connections. */
export const startServer = async (binaries: Binaries, account: Account, cluster: Cluster, options: ServerOptions): Promise<Child> => {
  const port = options.port === 0 ? await freePort() : options.port
  const log = openSync(options.logFile, 'a', 0o600)
  let child: ChildProcess
  try {
    child = account.spawn(binaries.postgres, ['-D', cluster.folder, ...settings(port, options.durable)],
      { cwd: '/', env: own.environment, stdio: ['ignore', log, log], detached: true })
  } finally {
    closeSync(log)
  }
  const ended = new Promise<void>((resolve) => { child.once('error', () => { resolve() }).once('exit', () => { resolve() }) })
  const pid = child.pid
  if (pid === undefined || !await accepts(cluster.folder, pid, child)) {
    child.kill('SIGQUIT')
    throw new StartError(`Postgres did not start: ${lastLines(options.logFile)}`, [`read ${options.logFile}`])
  }
  const stop = async () => {
    child.kill('SIGINT')
    const late = setTimeout(() => { child.kill('SIGQUIT') }, STOP_LIMIT_MS)
    await ended
    clearTimeout(late)
  }
  return { pid, port, ended, stop }
}

const settings = (port: number, durable: boolean): string[] => [
  ...['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'max_connections=200', 'log_min_messages=warning'],
  ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'shared_buffers=64MB'])
].flatMap((setting) => ['-c', setting])

/** The postmaster writes "ready" into the eighth line of its pid file; it does so without a connection of ours. */
const accepts = async (folder: string, pid: number, child: ChildProcess): Promise<boolean> => {
  const until = Date.now() + START_LIMIT_MS
  while (child.exitCode === null && child.signalCode === null && Date.now() < until) {
    const lines = pidFile(folder)
    if (Number(lines[0]) === pid && lines[7]?.trim() === 'ready') return true
    await delay(POLL_MS)
  }
  return false
}

const pidFile = (folder: string): string[] => {
  try {
    return readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return []
  }
}

const lastLines = (file: string): string => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-3).join(' / ')

// A local Postgres under the data folder, for a machine that has no server (decision 36).
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Child } from '../children/child.ts'
import { StartError } from '../../../src/start-error.ts'
import { chooseAccount } from './account.ts'
import { findBinaries } from './binaries.ts'
import { ensureCluster, SUPERUSER } from './cluster.ts'
import { startServer } from './server.ts'

export interface LocalPostgres extends Child {
  /** Connection string of the cluster's `postgres` database, password included. */
  url: string
}

export interface LocalPostgresOptions {
  /** Folder of its own, made if absent. */
  home: string
  /** Default: `postgres.log` in `home`. */
  logFile?: string
  /** Default 0: a free one. */
  port?: number
  /** Default true. False turns fsync off. */
  durable?: boolean
  userNamespaces?: boolean
}

/** Makes the cluster if there is none, starts it and waits until it accepts connections. Throws StartError. */
export const openPostgres = async (options: LocalPostgresOptions): Promise<LocalPostgres> => {
  const { home, port = 0, durable = true, userNamespaces = true } = options
  mkdirSync(dirname(home), { recursive: true })
  const binaries = findBinaries()
  const account = chooseAccount({ folders: [binaries.folder, dirname(home)], userNamespaces })
  const cluster = await ensureCluster(home, binaries, account, { durable })
  const server = await retryPorts(port === 0 ? PORT_ATTEMPTS : 1, () =>
    startServer(binaries, account, cluster, { logFile: options.logFile ?? join(home, 'postgres.log'), port, durable }))
  const url = `postgres://${SUPERUSER}:${cluster.password}@127.0.0.1:${server.port}/postgres`
  // For programs on this machine that may keep a database of their own there, as the example lobby does.
  writeFileSync(join(home, 'url.new'), `${url}\n`, { mode: 0o600 })
  renameSync(join(home, 'url.new'), join(home, 'url'))
  return { ...server, url }
}

/** Postgres cannot choose a free port itself, and one that was free may be taken before it listens. */
const PORT_ATTEMPTS = 3

const retryPorts = async (attempts: number, start: () => Promise<Child>): Promise<Child> => {
  for (let left = attempts; ; left--) {
    try {
      return await start()
    } catch (error) {
      if (left === 1 || !(error instanceof StartError) || !error.message.includes('could not create any TCP/IP sockets')) throw error
    }
  }
}

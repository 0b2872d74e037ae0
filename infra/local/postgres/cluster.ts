// Makes the data folder of the local Postgres: complete, or not there at all.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { StartError } from '../../../src/start-error.ts'
import { own } from '../children/environment.ts'
import type { Account } from './account.ts'
import type { Binaries } from './binaries.ts'

/** The major version of the binaries; a folder of another one needs pg_upgrade or a rebuild. */
const MAJOR = '18'
export const SUPERUSER = 'chancery'

export interface Cluster { folder: string, password: string }

/**
 * Opens or makes the cluster under `home` (`cluster/` and `password`).
 * A new one is made beside its place and renamed, so that an interruption leaves nothing half made.
 */
export const ensureCluster = async (home: string, binaries: Binaries, account: Account, options: { durable: boolean }): Promise<Cluster> => {
  const folder = join(home, 'cluster')
  const passwordFile = join(home, 'password')
  mkdirSync(home, { recursive: true, mode: 0o700 })
  account.own(home)
  if (existsSync(folder)) {
    const version = readFileSync(join(folder, 'PG_VERSION'), 'utf8').trim()
    if (version !== MAJOR) {
      throw new StartError(`${folder} was made by Postgres ${version}; this is Postgres ${MAJOR}.`, [
        'start the Chancery version that made it', 'or set CHANCERY_POSTGRES_URL to a server that holds its data'
      ])
    }
    return { folder, password: readFileSync(passwordFile, 'utf8') }
  }
  const password = randomBytes(24).toString('base64url')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  account.own(passwordFile)
  const unfinished = join(home, 'cluster.unfinished')
  rmSync(unfinished, { recursive: true, force: true })
  await initdb(binaries, account, [
    `--pgdata=${unfinished}`, `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256',
    '--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions',
    ...(options.durable ? [] : ['--no-sync'])
  ])
  renameSync(unfinished, folder)
  return { folder, password }
}

const initdb = async (binaries: Binaries, account: Account, args: string[]): Promise<void> => {
  const child = account.spawn(binaries.initdb, args, { cwd: '/', env: own.environment, stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const exit = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  const complaint = child.stderr === null ? '' : await text(child.stderr)
  if (await exit !== 0) throw new StartError(`Postgres could not make its data folder: ${complaint.trim() || 'initdb said nothing'}`)
}

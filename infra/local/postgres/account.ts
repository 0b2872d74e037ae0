// Under which account the local Postgres runs: it refuses to be root, so root gives it another one (ADR 0030).
import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { accessSync, chownSync, constants, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { StartError } from '../../../src/start-error.ts'

/** Starts Postgres's programs under an account that they accept. */
export interface Account {
  kind: 'same' | 'user-namespace' | 'other-user'
  spawn (command: string, args: readonly string[], options: SpawnOptions): ChildProcess
  /** Gives a file or folder to the account. */
  own (path: string): void
}

/** One line of /etc/passwd that Postgres can bear: its programs insist on a name for their user id. */
interface PasswdEntry { name: string, uid: number, gid: number }

const candidates = ['postgres', 'nobody', 'daemon']

const passwdEntries = (): PasswdEntry[] => {
  const byName = new Map<string, PasswdEntry>()
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name = '', , uid, gid] = line.split(':')
    if (Number(uid) > 0) byName.set(name, { name, uid: Number(uid), gid: Number(gid) })
  }
  return candidates.flatMap((name) => byName.get(name) ?? [])
}

const same: Account = { kind: 'same', spawn, own: () => {} }

const inUserNamespace = ({ uid, gid }: PasswdEntry): Account => {
  const words = ['--user', `--map-user=${uid}`, `--map-group=${gid}`]
  return {
    kind: 'user-namespace',
    // unshare replaces itself by the program, so the process id is Postgres's own.
    spawn: (command, args, options) => spawn('unshare', [...words, command, ...args], options),
    own: () => {}
  }
}

const asUser = ({ uid, gid }: PasswdEntry): Account => ({
  kind: 'other-user',
  spawn: (command, args, options) => spawn(command, args, { ...options, uid, gid }),
  own: (path) => { chownSync(path, uid, gid) }
})

const namespacesPermitted = ({ uid, gid }: PasswdEntry): boolean =>
  spawnSync('unshare', ['--user', `--map-user=${uid}`, `--map-group=${gid}`, 'true'], { stdio: 'ignore' }).status === 0

const foldersAbove = (path: string): string[] => {
  const parent = dirname(path)
  return parent === path ? [path] : [...foldersAbove(parent), path]
}

const canEnter = ({ uid, gid }: PasswdEntry, folder: string): boolean => {
  const stat = statSync(folder)
  if (stat.uid === uid) return (stat.mode & 0o100) !== 0
  if (stat.gid === gid) return (stat.mode & 0o010) !== 0
  return (stat.mode & 0o001) !== 0
}

/**
 * Chooses the account.
 * @param options.folders existing folders that the account must reach: the programs' and the data's
 * @param options.userNamespaces false leaves user namespaces out (as where the kernel forbids them)
 */
export const chooseAccount = ({ folders, userNamespaces = true }: { folders: readonly string[], userNamespaces?: boolean }): Account => {
  if (process.getuid?.() !== 0) {
    for (const folder of folders) accessSync(folder, constants.X_OK)
    return same
  }
  const [entry] = passwdEntries()
  if (entry === undefined) throw new StartError('Postgres must not run as root, and /etc/passwd names no other account for it.', waysOut())
  if (userNamespaces && namespacesPermitted(entry)) return inUserNamespace(entry)
  const closed = folders.flatMap((folder) => foldersAbove(resolve(folder))).find((folder) => !canEnter(entry, folder))
  if (closed === undefined) return asUser(entry)
  throw new StartError(
    `Postgres must not run as root; this kernel permits no user namespaces, and the account "${entry.name}" cannot enter ${closed}.`,
    [`let others pass through the folder: chmod o+x ${closed}`, ...waysOut()])
}

const waysOut = (): string[] => [
  'start Chancery as an ordinary user',
  'move the data (CHANCERY_DATA_DIR) or the program to a folder that everybody may enter',
  'set CHANCERY_POSTGRES_URL to a Postgres server of your own'
]

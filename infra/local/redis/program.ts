// Finds a Redis or Valkey server that runs on this machine: one of the system, or one that was fetched into a folder.
import { execFile } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { own } from '../children/environment.ts'

export interface RedisProgram {
  path: string
  /** Folders of the libraries that came with it; none for one of the system. */
  libraries: readonly string[]
  /** As it says itself, for people: "Redis 7.0.15", "Valkey 8.1.1". */
  version: string
}

/** Its environment: bare, and with its own libraries before the system's. */
export const environmentOf = ({ libraries }: Pick<RedisProgram, 'libraries'>): NodeJS.ProcessEnv =>
  libraries.length === 0 ? own.environment : { ...own.environment, LD_LIBRARY_PATH: libraries.join(':') }

export const serverNames = ['redis-server', 'valkey-server'] as const
const ASK_LIMIT_MS = 10_000

/** The first server in these folders (of a PATH) that can be started; undefined if there is none. */
export const findProgram = async (folders: readonly string[], libraries: readonly string[] = []): Promise<RedisProgram | undefined> => {
  for (const name of serverNames) {
    for (const folder of folders) {
      const path = join(folder, name)
      const version = isProgram(path) ? await versionOf(path, libraries) : undefined
      if (version !== undefined) return { path, libraries, version }
    }
  }
  return undefined
}

/** The server in a folder into which packages were unpacked. */
export const findUnpacked = (root: string): Promise<RedisProgram | undefined> =>
  findProgram(['usr/bin', 'usr/sbin', 'bin'].map((folder) => join(root, folder)), foldersOfLibraries(root))

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** "Redis server v=7.0.15 sha=…" or "Valkey server v=8.1.1 …"; undefined if it does not run here. */
const versionOf = async (path: string, libraries: readonly string[]): Promise<string | undefined> => {
  const answer = await promisify(execFile)(path, ['--version'], { env: environmentOf({ libraries }), timeout: ASK_LIMIT_MS }).catch(() => undefined)
  const [, kind, version] = /^(Redis|Valkey) server v=(\S+)/i.exec(answer?.stdout ?? '') ?? []
  return kind === undefined || version === undefined ? undefined : `${kind} ${version}`
}

const foldersOfLibraries = (root: string): string[] => {
  const found = new Set<string>()
  for (const below of ['usr/lib', 'lib']) {
    for (const entry of entriesOf(join(root, below))) {
      if (/\.so(\.|$)/.test(entry.name)) found.add(entry.parentPath)
    }
  }
  return [...found]
}

const entriesOf = (folder: string) => {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
  } catch {
    return []
  }
}

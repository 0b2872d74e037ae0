// Fetches a Redis server from the packages of Debian or Ubuntu, without root and without installing anything (ADR 0091).
import { spawn } from 'node:child_process'
import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { StartError } from '../../../src/start-error.ts'
import { findUnpacked, serverNames, type RedisProgram } from './program.ts'

export interface FetchOptions {
  /** Where the packages are unpacked; appears complete, or not at all. */
  folder: string
  /** PATH, and the way through a proxy. */
  tools: Readonly<Record<string, string>>
  /** Told how far it is, in one sentence. */
  say: (sentence: string) => void
  signal: AbortSignal
}

/** For one call of apt; its own limits end a connection that stands still long before. */
const APT_LIMIT_MS = 300_000

const waysOut = [
  'install Redis (7 or newer) or Valkey with the package manager of this system: it is then found by itself',
  'or set CHANCERY_REDIS_URL to a server of your own'
]

/**
 * Downloads the server and the libraries that this system lacks, and unpacks them. apt chooses the versions and checks
 * them against its signed lists. Two processes may do this at once for the same folder.
 * Throws StartError with the ways out.
 */
export const fetchProgram = async (options: FetchOptions): Promise<RedisProgram> => {
  const { folder, tools, say } = options
  for (const tool of ['apt-get', 'dpkg-deb']) {
    if (!isOnPath(tool, tools['PATH'] ?? '')) throw new StartError(`There is no Redis on this machine, and without ${tool} it cannot be fetched.`, waysOut)
  }
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 })
  removeLeftovers(folder)
  const work = mkdtempSync(`${folder}.unfinished-${process.pid}-`)
  try {
    say('There is no Redis on this machine: fetching it from the packages of this system, into the data folder.')
    const archives = await download(work, options)
    const root = join(work, 'root')
    mkdirSync(root)
    for (const archive of archives) await unpack(archive, root, options)
    const program = await findUnpacked(root)
    if (program === undefined) throw new StartError('The Redis that was fetched does not run on this machine.', waysOut)
    try {
      renameSync(root, folder)
    } catch (error) {
      // Another process was faster: its folder is as good.
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
    const fetched = await findUnpacked(folder)
    if (fetched === undefined) throw new StartError(`The Redis in ${folder} does not run on this machine.`, [`remove ${folder}`, ...waysOut])
    say(`${fetched.version} is fetched.`)
    return fetched
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** The packages, from the system's own lists if they know it and are young enough, else with lists of ours. */
const download = async (work: string, options: FetchOptions): Promise<string[]> => {
  const own = ['lists/partial', 'cache/archives/partial'].map((path) => join(work, path))
  for (const path of own) mkdirSync(path, { recursive: true })
  const folders = [`Dir::Cache=${join(work, 'cache')}`]
  const ownLists = [...folders, `Dir::State::Lists=${join(work, 'lists')}`]
  const attempt = async (settings: readonly string[]): Promise<boolean> => {
    for (const name of serverNames) {
      if (await apt(['install', '--download-only', '--no-install-recommends', '--yes', name], settings, options)) return true
    }
    return false
  }
  if (!await attempt(folders)) {
    options.say('The package lists of this system do not have it: fetching new ones, some 10 MB.')
    // A source that cannot be reached need not be the one that matters.
    await apt(['update'], [...ownLists, 'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false'], options)
    if (!await attempt(ownLists)) throw new StartError('There is no Redis on this machine, and it could not be fetched from the packages of this system.', waysOut)
  }
  const archives = join(work, 'cache', 'archives')
  return readdirSync(archives).filter((name) => name.endsWith('.deb')).map((name) => join(archives, name))
}

/** Without locks and in folders of our own, apt needs no root; it runs no script of a package, since it installs none. */
const settingsOfApt = [
  'Debug::NoLocking=1', 'APT::Sandbox::User=root', 'APT::Status-Fd=3', 'APT::Get::AllowUnauthenticated=false', 'Acquire::Languages=none', 'Acquire::Retries=1',
  'Acquire::http::Timeout=15', 'Acquire::https::Timeout=15'
]

const apt = (words: readonly string[], settings: readonly string[], options: FetchOptions): Promise<boolean> =>
  run('apt-get', [...[...settingsOfApt, ...settings].flatMap((setting) => ['-o', setting]), '-q', ...words], options)

const unpack = async (archive: string, root: string, options: FetchOptions): Promise<void> => {
  if (!await run('dpkg-deb', ['--extract', archive, root], options)) throw new StartError(`The package ${basename(archive)} could not be unpacked.`, waysOut)
}

/** True if it ended well. Rejects only by the signal. */
const run = async (command: string, args: readonly string[], { tools, say, signal }: FetchOptions): Promise<boolean> => {
  signal.throwIfAborted()
  const limit = AbortSignal.any([signal, AbortSignal.timeout(APT_LIMIT_MS)])
  const child = spawn(command, args, { env: { ...tools, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 'ignore', 'pipe'], signal: limit, killSignal: 'SIGKILL' })
  const progress = child.stdio[3] as Readable
  let told = Date.now()
  createInterface({ input: progress }).on('line', (line) => {
    // dlstatus:<number>:<per cent>:<text>
    const percent = /^dlstatus:\d+:([\d.]+):/.exec(line)?.[1]
    if (percent === undefined || Date.now() - told < PROGRESS_MS) return
    told = Date.now()
    say(`Fetching Redis: ${Math.round(Number(percent))} %`)
  })
  const code = await new Promise<number | null>((resolve) => { child.once('error', () => { resolve(null) }).once('close', resolve) })
  signal.throwIfAborted()
  return code === 0
}

const PROGRESS_MS = 2_000

const isOnPath = (name: string, path: string): boolean => path.split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, name), constants.X_OK)
    return true
  } catch {
    return false
  }
})

/** What a fetch left that was killed: its process is gone. */
const removeLeftovers = (folder: string): void => {
  for (const name of readdirSync(dirname(folder))) {
    const pid = name.startsWith(`${basename(folder)}.unfinished-`) ? Number(name.split('-').at(-2)) : undefined
    if (pid !== undefined && !isRunning(pid)) rmSync(join(dirname(folder), name), { recursive: true, force: true })
  }
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

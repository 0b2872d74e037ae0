// What the tests of the local event store share: stores in this process and in their own, clients of both kinds.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { EventStoreDBClient } from '@eventstore/db-client'
import t, { type Test } from 'tap'
import { type RunningEventStore, openEventStore } from '../../../../infra/local/eventstore/index.ts'
import { compiledArguments } from '../../../support/compiled.ts'

const root = resolve(import.meta.dirname, '../../../..')

const MEMORY_DISK = '/dev/shm'

/** A folder that goes away with the test. */
export const scratchFolder = (t: Test, parent = tmpdir()): string => {
  const folder = mkdtempSync(join(parent, 'chancery-eventstore-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  return folder
}

/** The same in memory, where there is a gigabyte: for tests of what is answered, which wait for the disk 10,000 times. */
export const quickFolder = (t: Test): string => {
  if (!existsSync(MEMORY_DISK)) return scratchFolder(t)
  const { bavail, bsize } = statfsSync(MEMORY_DISK)
  return scratchFolder(t, bavail * bsize > 2 ** 30 ? MEMORY_DISK : tmpdir())
}

/** A store in this process, closed with the test. */
export const storeHere = async (t: Test, dataDir = scratchFolder(t)): Promise<RunningEventStore & { dataDir: string }> => {
  const store = await openEventStore({ dataDir, port: 0 })
  t.teardown(() => store.close().catch(() => {}))
  return { ...store, dataDir }
}

export interface StoreProcess {
  readonly child: ChildProcess
  readonly port: number
  /** The line it printed when it was ready. */
  readonly line: string
  kill (signal: NodeJS.Signals): Promise<number | null>
}

const words = await compiledArguments(t, 'infra/local/eventstore/main.ts')

/** The command that runs the store as it is in the sources, whatever a build may have left. */
export const storeCommand = (dataDir: string, port = 0): string[] => [process.execPath, ...words, '--data', dataDir, '--port', String(port)]

export const runStore = (t: Test, command: string[]): ChildProcess => {
  const [file = '', ...args] = command
  const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  return child
}

/** A store in a process of its own; rejects with what it said if it does not start. */
export const storeProcess = async (t: Test, dataDir: string, { port = 0, prefix = [] as string[] } = {}): Promise<StoreProcess> => {
  const child = runStore(t, [...prefix, ...storeCommand(dataDir, port)])
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const exited = once(child, 'exit')
  if (!child.stdout) throw new Error('no output')
  const first = await Promise.race([once(createInterface(child.stdout), 'line'), exited])
  const line = String(first[0])
  const found = /127\.0\.0\.1:(\d+)/.exec(line)?.[1]
  if (found === undefined) throw new Error(`the store did not start: ${said || line}`)
  return {
    child,
    port: Number(found),
    line,
    kill: async (signal) => {
      child.kill(signal)
      const [code] = await exited as [number | null]
      return code
    }
  }
}

/** The official client; closed with the test. */
export const clientOf = (t: Test, port: number, options = ''): EventStoreDBClient => {
  const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${port}?tls=false&keepAliveInterval=-1${options}`)
  t.teardown(() => Promise.race([client.dispose(), new Promise((resolve) => { setTimeout(resolve, 1_000).unref() })]))
  return client
}

/** Anonymous memory of a process in megabytes (Linux). */
export const anonymousMemory = (pid: number): number | undefined => {
  const path = `/proc/${pid}/status`
  const found = existsSync(path) ? /RssAnon:\s+(\d+) kB/.exec(readFileSync(path, 'utf8'))?.[1] : undefined
  return found === undefined ? undefined : Number(found) / 1024
}

/** Something to wait for: `reached.done()` ends every `await reached.promise`. */
export const signal = (): { promise: Promise<void>, done: () => void } => {
  let done = (): void => {}
  const promise = new Promise<void>((resolve) => { done = resolve })
  return { promise, done }
}

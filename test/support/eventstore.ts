// Event stores for tests: our local server on a fresh folder, in this process or as a child that can be killed.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { openEventStore } from '../../infra/local/eventstore/index.ts'
import { nodeArguments } from './compiled.ts'
import { leaveFolder } from './left-behind.ts'

export interface TestEventStore {
  /** `esdb://127.0.0.1:PORT?tls=false` */
  url: string
  port: number
  dataDir: string
  /** Stops it (SIGTERM for a child); its data stays until the test ends. */
  stop (): Promise<void>
  /** Starts it again on the same port and data. */
  start (): Promise<void>
}

export interface TestEventStoreChild extends TestEventStore {
  /** SIGKILL, or another signal (SIGSTOP and SIGCONT make a zombie writer); SIGKILL waits for the end. */
  kill (signal?: NodeJS.Signals): Promise<void>
  pid (): number
}

type Context = Pick<Test, 'teardown'>
interface Options { child?: boolean, port?: number }

export async function testEventStore (t: Context, options: Options & { child: true }): Promise<TestEventStoreChild>
export async function testEventStore (t: Context, options?: Options): Promise<TestEventStore>
export async function testEventStore (t: Context, options: Options = {}): Promise<TestEventStore> {
  const dataDir = await mkdtemp(join(tmpdir(), 'chancery-test-eventstore-'))
  const store = options.child === true ? await asChild(dataDir, options.port ?? 0) : await inProcess(dataDir, options.port ?? 0)
  t.teardown(async () => {
    await store.stop()
    await leaveFolder(dataDir)
  })
  return store
}

const address = (port: number): string => `esdb://127.0.0.1:${port}?tls=false`

const inProcess = async (dataDir: string, wanted: number): Promise<TestEventStore> => {
  let server: Awaited<ReturnType<typeof openEventStore>> | undefined = await openEventStore({ dataDir, port: wanted })
  const { port } = server
  return {
    url: address(port),
    port,
    dataDir,
    stop: async () => {
      await server?.close()
      server = undefined
    },
    start: async () => { server ??= await openEventStore({ dataDir, port }) }
  }
}

const asChild = async (dataDir: string, wanted: number): Promise<TestEventStoreChild> => {
  let { child, port } = await spawnStore(dataDir, wanted)
  const ended = () => child.exitCode !== null || child.signalCode !== null
  const end = async (signal: NodeJS.Signals) => {
    if (ended()) return
    const exit = once(child, 'exit')
    child.kill(signal)
    if (signal === 'SIGTERM') child.kill('SIGCONT')
    await exit
  }
  return {
    url: address(port),
    port,
    dataDir,
    pid: () => child.pid ?? 0,
    stop: () => end('SIGTERM'),
    start: async () => { if (ended()) ({ child, port } = await spawnStore(dataDir, port)) },
    kill: async (signal = 'SIGKILL') => {
      if (signal === 'SIGKILL') await end(signal)
      else child.kill(signal)
    }
  }
}

const spawnStore = async (dataDir: string, wanted: number): Promise<{ child: ChildProcess, port: number }> => {
  const child = spawn(process.execPath, [...nodeArguments('infra/local/eventstore/main.ts'), '--data', dataDir, '--port', String(wanted)], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => { complaint += chunk.toString() })
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /esdb:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]
    if (port !== undefined) return { child, port: Number(port) }
  }
  throw new Error(`the event store did not start: ${complaint}`)
}

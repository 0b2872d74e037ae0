// examples/credential-consumer as a real process for tests: started, told faults, looked at, stopped.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import type { Subscriber } from '../../src/domain/credential/manifest.ts'
import { nodeArguments } from './compiled.ts'
import { leaveFolder } from './left-behind.ts'

type Faults = Partial<Record<'refuse' | 'silent' | 'late' | 'late_ms' | 'ignore' | 'slow_ms', number> & Record<'away' | 'unhealthy' | 'bare', boolean>>

export interface ConsumerState {
  holdings: Array<{ credential: string, value_id: string | null, delivery_seq: number | null }>
  work: { accepted: number, refused: number, failed: number, last_status: number | null }
}

export interface ConsumerProcess {
  name: string
  url: string
  pid: number
  /** As a manifest names it. */
  subscriber (of?: { required?: boolean, proof?: Subscriber['proof'] }): Subscriber
  faults (change: Faults): Promise<void>
  state (): Promise<ConsumerState>
  /** What it answers to be asked to fetch. */
  fetch (): Promise<{ fetched?: string[], error?: string }>
  /** The vendor's status for one piece of its work. */
  work (): Promise<number | null>
  /** What it has told so far. */
  said (): string
  stop (): Promise<void>
}

export interface ConsumerOptions {
  name: string
  credentials: readonly string[]
  chancery: { url: string, token: string }
  pull?: { redisUrl?: string, stream?: string, pollMs?: number }
  work?: { url: string, everyMs?: number }
  /** Default: a folder of its own, gone with the test. */
  dataDir?: string
  /** Default: any that is free. One that was started before on this port has the same URLs. */
  port?: number
}

/** Starts it and waits until it listens; it ends with `t`. */
export const spawnConsumer = async (t: Pick<Test, 'teardown'>, options: ConsumerOptions): Promise<ConsumerProcess> => {
  const { name, credentials, chancery, pull, work, port = 0 } = options
  const dataDir = options.dataDir ?? await mkdtemp(join(tmpdir(), 'chancery-test-consumer-'))
  if (options.dataDir === undefined) t.teardown(() => leaveFolder(dataDir))
  const env: Record<string, string> = {
    PATH: '/usr/bin:/bin', CONSUMER_NAME: name, CONSUMER_CREDENTIALS: credentials.join(), CONSUMER_DATA_DIR: dataDir, CONSUMER_CONTROL_PORT: '0', CONSUMER_PORT: String(port),
    CONSUMER_CHANCERY_URL: chancery.url, CONSUMER_CHANCERY_TOKEN: chancery.token, CONSUMER_MODE: pull === undefined ? 'push' : 'pull',
    ...pull?.redisUrl !== undefined && { CONSUMER_REDIS_URL: pull.redisUrl },
    ...pull?.stream !== undefined && { CONSUMER_STREAM: pull.stream },
    ...pull?.pollMs !== undefined && { CONSUMER_POLL_MS: String(pull.pollMs) },
    ...work !== undefined && { CONSUMER_USE_URL: work.url, CONSUMER_USE_EVERY_MS: String(work.everyMs ?? 0) }
  }
  const child = spawn(process.execPath, nodeArguments('examples/credential-consumer/main.ts'), { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const ended = once(child, 'close')
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  t.teardown(stop)
  const line = await Promise.race([once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line)), ended.then(() => undefined)])
  if (line === undefined) throw new Error(`the consumer ${name} did not start: ${said}`)
  const { url, push_url: pushUrl, healthcheck, control_url: control } = JSON.parse(line) as Record<'url' | 'push_url' | 'healthcheck' | 'control_url', string>
  const tell = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(control + path, { method, ...body !== undefined && { body: JSON.stringify(body) } })
    return await response.json() as T
  }
  return {
    name,
    url,
    pid: child.pid ?? 0,
    subscriber: ({ required = true, proof = { kind: 'possession' as const } } = {}) =>
      ({ consumer: name, required, delivery: pull === undefined ? { kind: 'push', url: pushUrl } : { kind: 'pull' }, healthcheck, proof }),
    faults: async (change) => {
      const { error } = await tell<{ error?: string }>('POST', '/faults', change)
      if (error !== undefined) throw new Error(error)
    },
    state: () => tell('GET', '/state'),
    fetch: () => tell('POST', '/fetch'),
    work: async () => (await tell<{ status: number | null }>('POST', '/work')).status,
    said: () => said,
    stop
  }
}

// The vendor and the consumers of the rotation's story: examples, each as the process of its own that it is.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Failure } from '../failures.ts'

interface Running { pid: number, stop: () => Promise<void> }

export interface DemoVendor extends Running {
  url: string
  /** The token that mints, lists and revokes. */
  connectionToken: string
  makeToken (description: string): Promise<{ id: string, token: string }>
  killToken (id: string): Promise<void>
  /** How often something was changed there. */
  writes (): Promise<number>
  /** Its answer to somebody who comes with this token. */
  tryToken (token: string): Promise<{ status: number, body: string }>
}

export interface DemoConsumer extends Running {
  name: string
  url: string
  pushUrl: string
  healthcheck: string
  controlUrl: string
  fetchNow (): Promise<void>
  refuseNext (pushes: number): Promise<void>
  /** Its healthcheck says that all is well, and proves nothing; or no longer so. */
  bare (on: boolean): Promise<void>
  /** What it holds, and how its own requests to the vendor went. */
  state (): Promise<{ holdings: Array<{ value_id: string | null }>, work: { accepted: number, refused: number, failed: number } }>
}

export interface ConsumerSettings {
  name: string
  credential: string
  pull: boolean
  chanceryUrl: string
  token: string
  dataDir: string
  vendorUrl: string
  redis: { url: string, stream: string } | undefined
}

const START_LIMIT_MS = 20_000
/** How often a consumer uses its credential, and how often one that pulls looks by itself where no Redis tells it. */
const USE_EVERY_MS = 100
const POLL_MS = 500

export const startVendor = async (): Promise<DemoVendor> => {
  const { said, ...running } = await start('vendor', {})
  const { url, connection } = said as { url: string, connection: { token: string } }
  return {
    ...running,
    url,
    connectionToken: connection.token,
    makeToken: (description) => ask('POST', `${url}/control/tokens`, { description }),
    killToken: async (id) => { await ask('DELETE', `${url}/control/tokens/${id}`) },
    writes: async () => (await ask<{ writes: number }>('GET', `${url}/control`)).writes,
    tryToken: async (token) => {
      const response = await fetch(`${url}/account`, { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(10_000) })
      return { status: response.status, body: await response.text() }
    }
  }
}

export const startConsumer = async (settings: ConsumerSettings): Promise<DemoConsumer> => {
  const { said, ...running } = await start('credential-consumer', {
    CONSUMER_NAME: settings.name,
    CONSUMER_CREDENTIALS: settings.credential,
    CONSUMER_MODE: settings.pull ? 'pull' : 'push',
    CONSUMER_CHANCERY_URL: settings.chanceryUrl,
    CONSUMER_CHANCERY_TOKEN: settings.token,
    CONSUMER_DATA_DIR: settings.dataDir,
    CONSUMER_USE_URL: `${settings.vendorUrl}/account`,
    CONSUMER_USE_EVERY_MS: String(USE_EVERY_MS),
    CONSUMER_CONTROL_PORT: '0',
    CONSUMER_POLL_MS: String(settings.redis === undefined ? POLL_MS : 600_000),
    ...settings.redis !== undefined && { CONSUMER_REDIS_URL: settings.redis.url, CONSUMER_STREAM: settings.redis.stream }
  })
  const { url, push_url: pushUrl, healthcheck, control_url: control } = said as { url: string, push_url: string, healthcheck: string, control_url: string }
  return {
    ...running,
    name: settings.name,
    url,
    pushUrl,
    healthcheck,
    controlUrl: control,
    fetchNow: async () => { await ask('POST', `${control}/fetch`) },
    bare: async (on) => { await ask('POST', `${control}/faults`, { bare: on }) },
    refuseNext: async (pushes) => { await ask('POST', `${control}/faults`, { refuse: pushes }) },
    state: () => ask('GET', `${control}/state`)
  }
}

const ask = async <Body>(method: string, url: string, body?: object): Promise<Body> => {
  const response = await fetch(url, { method, signal: AbortSignal.timeout(10_000), ...body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } })
  const text = await response.text()
  if (!response.ok) throw new Failure('refused', `${method} ${url} was answered ${response.status}: ${text}`)
  return (text === '' ? undefined : JSON.parse(text)) as Body
}

const compiled = import.meta.url.endsWith('.js')

/** Starts an example and waits for the line of JSON that it says first. What it complains of is shown only if it fails. */
const start = async (example: string, env: Record<string, string>): Promise<Running & { said: unknown }> => {
  const entry = fileURLToPath(new URL(`../../../examples/${example}/main.${compiled ? 'js' : 'ts'}`, import.meta.url))
  const child = spawn(process.execPath, [...compiled ? [] : ['--import', import.meta.resolve('tsx')], entry], { stdio: ['ignore', 'pipe', 'pipe'], env })
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    const hard = setTimeout(() => { child.kill('SIGKILL') }, 3_000)
    await ended
    clearTimeout(hard)
  }
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => { complaint = (complaint + chunk.toString()).slice(-2_000) })
  const line = await firstLine(child)
  if (line === undefined) {
    await stop()
    throw new Failure('refused', `examples/${example} did not start. ${complaint}`)
  }
  return { said: JSON.parse(line), pid: child.pid ?? 0, stop }
}

const firstLine = async (child: ChildProcess): Promise<string | undefined> => {
  if (child.stdout === null) return undefined
  const lines = createInterface({ input: child.stdout })
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise((resolve) => {
      timer = setTimeout(() => { resolve(undefined) }, START_LIMIT_MS)
      lines.once('line', resolve)
      child.once('error', () => { resolve(undefined) }).once('exit', () => { resolve(undefined) })
    })
  } finally {
    clearTimeout(timer)
  }
}

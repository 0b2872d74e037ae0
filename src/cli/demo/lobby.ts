// The lobby of the lifecycle's story: the example race name directory, as the process of its own that it is.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Failure } from '../failures.ts'

export interface LobbySettings {
  postgresUrl: string
  redisUrl: string
  chanceryUrl: string
  token: string
  consumer: string
  stream: string
}

interface State { parked: number, receipts_to_post: number, receipts_refused: number }

export interface Lobby {
  pid: number
  url: string
  register (name: string, userId: string): Promise<void>
  /** Names in alphabetical order. */
  names (): Promise<Array<{ name: string, user_id: string }>>
  state (): Promise<State>
  /** SIGKILL; resolves when it is gone. */
  kill (): Promise<void>
  stop (): Promise<void>
}

const START_LIMIT_MS = 20_000
/** After a kill the name stays taken so long; ten times as much is usual, and too long for a story. */
const LEASE_MS = 1_000

const entry = fileURLToPath(new URL(`../../../examples/race-name-directory/main.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url))
const nodeOptions = entry.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : []

/** Starts it and waits until it takes requests. */
export const startLobby = async (settings: LobbySettings): Promise<Lobby> => {
  const child = spawn(process.execPath, [...nodeOptions, entry], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      DIRECTORY_POSTGRES_URL: settings.postgresUrl,
      DIRECTORY_REDIS_URL: settings.redisUrl,
      DIRECTORY_CHANCERY_URL: settings.chanceryUrl,
      DIRECTORY_CHANCERY_TOKEN: settings.token,
      DIRECTORY_CONSUMER: settings.consumer,
      DIRECTORY_STREAM: settings.stream,
      DIRECTORY_LEASE_MS: String(LEASE_MS),
      DIRECTORY_PORT: '0'
    }
  })
  const ended = once(child, 'exit').then(() => {})
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await ended
  }
  const url = await addressOf(child)
  if (url === undefined) {
    await end('SIGKILL')
    throw new Failure('refused', 'The lobby did not start.')
  }

  const ask = async <Body>(method: string, path: string): Promise<Body> => {
    const response = await fetch(url + path, { method, signal: AbortSignal.timeout(10_000) })
    const body = await response.text()
    if (!response.ok) throw new Failure('refused', `The lobby answered ${response.status} to ${method} ${path}: ${body}`)
    return JSON.parse(body) as Body
  }
  return {
    pid: child.pid ?? 0,
    url,
    register: async (name, userId) => { await ask('PUT', `/race-names/${encodeURIComponent(name)}?user_id=${userId}`) },
    names: async () => (await ask<{ items: Array<{ name: string, user_id: string }> }>('GET', '/race-names')).items,
    state: () => ask<State>('GET', '/state'),
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM')
  }
}

/** The address that it prints; undefined if it ends, or says nothing for too long. What else it says is read and let go. */
const addressOf = async (child: ChildProcess): Promise<string | undefined> => {
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) return undefined
  let complaint = ''
  stderr.on('data', (chunk: Buffer) => { complaint = (complaint + chunk.toString()).slice(-2_000) })
  const lines = createInterface({ input: stdout })
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<string | undefined>((resolve) => {
      timer = setTimeout(() => { resolve(undefined) }, START_LIMIT_MS)
      lines.on('line', (line) => {
        const url = /ready at (http:\S+)/.exec(line)?.[1]
        if (url !== undefined) resolve(url)
      })
      child.once('error', () => { resolve(undefined) }).once('exit', () => { resolve(undefined) })
    })
  } finally {
    clearTimeout(timer)
    if (complaint !== '') process.stderr.write(complaint)
  }
}

// The whole service for tests: in this process, or as a child that can be killed; on test stores, or on its own local ones.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import pino from 'pino'
import type { Test } from 'tap'
import { readConfig, type Config } from '../../src/config.ts'
import { createLogger } from '../../src/start/logger.ts'
import { openService } from '../../src/start/service.ts'
import { nodeArguments } from './compiled.ts'
import { testEventStore } from './eventstore.ts'
import { isSearched, leaveFolder, noteCanary, notePersons, noteTokens } from './left-behind.ts'
import { testDatabase } from './postgres.ts'
import { until } from './until.ts'

type Context = Pick<Test, 'teardown'>
type Env = Record<string, string>

/** What several services may share: pass one service as `beside` of the next. */
interface Surroundings { env: Env, dataDir: string, token: () => string }

export interface Answer {
  status: number
  headers: Headers
  body: Record<string, unknown>
  text: string
}

export interface TestService extends Surroundings {
  url: string
  /** Sends JSON as the superadmin (or as whom `headers.authorization` says; '' sends none). */
  request (method: string, path: string, body?: unknown, headers?: Env): Promise<Answer>
  stop (): Promise<void>
}

export interface ServiceOptions {
  /** Settings on top of: free port, own data folder, test stores, silent log; without a CHANCERY_REDIS_URL also no role `publisher`. */
  env?: Env
  /** Shares stores, master key and data folder with this one. */
  beside?: Surroundings
  /** `local`: no test stores, the service starts its own (only sensible for a child). */
  stores?: 'local'
}

const surroundings = async (t: Context, options: ServiceOptions): Promise<Surroundings> => {
  if (options.beside !== undefined) return { ...options.beside, env: { ...options.beside.env, ...options.env } }
  const dataDir = mkdtempSync(join(tmpdir(), 'chancery-test-service-'))
  t.teardown(() => leaveFolder(dataDir))
  const env: Env = { CHANCERY_DATA_DIR: dataDir, CHANCERY_HTTP_PORT: '0', CHANCERY_LOG_LEVEL: 'silent', CHANCERY_PUBLIC_URL: 'http://localhost:8420' }
  // Who gives no Redis has none: the service would start one for each test, or fetch it first.
  if (options.env?.['CHANCERY_REDIS_URL'] === undefined) env['CHANCERY_ROLES'] = 'api,projector,reactor'
  if (options.stores !== 'local') {
    env['CHANCERY_EVENTSTORE_URL'] = (await testEventStore(t)).url
    env['CHANCERY_POSTGRES_URL'] = (await testDatabase(t)).url
    const masterKey = randomBytes(32)
    noteCanary({ what: 'a master key', text: masterKey })
    env['CHANCERY_MASTER_KEY'] = masterKey.toString('hex')
  }
  const token = () => {
    const found = readFileSync(join(dataDir, 'superadmin.token'), 'utf8').trim()
    noteTokens(found)
    return found
  }
  return { env: { ...env, ...options.env }, dataDir, token }
}

/** Whoever asks has one that must be found nowhere. */
const BROWSER = `canary-browser/${randomBytes(12).toString('hex')}`
noteCanary({ what: 'a user agent', text: BROWSER })

const SHED_TRIES = 50
const SHED_PAUSE_MS = 200

const requester = (url: string, { token }: Surroundings): TestService['request'] => async (method, path, body, headers = {}) => {
  const all = new Headers({ authorization: `Bearer ${token()}`, 'user-agent': BROWSER, ...headers })
  notePersons(body)
  if (all.get('authorization') === '') all.delete('authorization')
  if (body !== undefined && !all.has('content-type')) all.set('content-type', 'application/json')
  const send = () => fetch(url + path, {
    method, headers: all, redirect: 'manual', ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
  })
  // A connection that was idle may be closed by the service just as it is used again; that request was not read.
  const sent = () => send().catch((error: unknown) => isReset(error) ? send() : Promise.reject(error as Error))
  let response = await sent()
  let text = await response.text()
  // A machine that is busy with other tests makes a service shed what it was asked: nothing was done, and a client asks again.
  for (let again = 0; response.status === 503 && again < SHED_TRIES && /"code":"overloaded"/.test(text); again++) {
    await delay(SHED_PAUSE_MS)
    response = await sent()
    text = await response.text()
  }
  noteTokens(text)
  const json = /json/.test(response.headers.get('content-type') ?? '') && !/ndjson/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) as Record<string, unknown> : {} }
}

const isReset = (error: unknown): boolean => (error as { cause?: { code?: string } }).cause?.code === 'ECONNRESET'

/** What is to be searched afterwards is logged, to a file; the screen stays as the settings say. */
const loggerFor = (config: Config) => isSearched() && config.logLevel === 'silent'
  ? createLogger({ dataDir: config.dataDir, logLevel: 'debug' }, new Writable({ write: (_chunk, _encoding, done) => { done() } }))
  : pino({ level: config.logLevel })

/** Opens the service in this process; it closes when `t` ends. */
export const testService = async (t: Context, options: ServiceOptions = {}): Promise<TestService> => {
  const around = await surroundings(t, options)
  const config = readConfig(around.env)
  const service = await openService(config, { logger: loggerFor(config) })
  t.teardown(() => service.close())
  return { ...around, url: service.url, request: requester(service.url, around), stop: () => service.close() }
}

export interface SpawnedService extends TestService {
  pid: number
  /** Everything it has printed so far. */
  output (): string
  complaints (): string
  kill (signal: NodeJS.Signals): void
  /** Its exit code, or the signal that ended it. */
  exit: Promise<number | NodeJS.Signals>
}

/** Starts `src/main.ts` without waiting for it to be ready: for starts that must fail. */
export const launchService = async (t: Context, options: ServiceOptions & { uid?: number, cwd?: string } = {}) => {
  const around = await surroundings(t, options)
  if (options.uid !== undefined) chownSync(around.dataDir, options.uid, options.uid)
  const identity = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }
  const child: ChildProcess = spawn(process.execPath, nodeArguments('src/main.ts'), {
    ...identity, cwd: options.cwd ?? around.dataDir, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin', HOME: around.dataDir, TMPDIR: tmpdir(), ...around.env }
  })
  let output = ''
  let complaints = ''
  child.stdout?.on('data', (chunk: Buffer) => { output += chunk.toString() })
  child.stderr?.on('data', (chunk: Buffer) => { complaints += chunk.toString() })
  const exit = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  let ended = false
  void exit.then(() => { ended = true })
  const stop = async () => {
    if (!ended) child.kill('SIGTERM')
    await exit
    if (!isSearched()) return
    mkdirSync(join(around.dataDir, 'log'), { recursive: true })
    writeFileSync(join(around.dataDir, 'log', `printed-${String(child.pid)}.out`), output)
    writeFileSync(join(around.dataDir, 'log', `printed-${String(child.pid)}.err`), complaints)
  }
  t.teardown(stop)
  return {
    ...around, pid: child.pid ?? 0, exit, stop, ended: () => ended, output: () => output, complaints: () => complaints,
    kill: (signal: NodeJS.Signals) => { child.kill(signal) }
  }
}

/** `end`: its exit code or signal; undefined if it was still at it. */
export class NotStarted extends Error {
  readonly end: number | NodeJS.Signals | undefined

  constructor (end: number | NodeJS.Signals | undefined, complaints: string) {
    super(`the service did not start (${String(end)}): ${complaints}`)
    this.end = end
  }
}

/** Starts the service as a process of its own and waits until it is ready. Throws NotStarted. */
export const spawnService = async (t: Context, options: ServiceOptions & { uid?: number, cwd?: string } = {}): Promise<SpawnedService> => {
  const launched = await launchService(t, options)
  const address = () => /Chancery is ready at (\S+)/.exec(launched.output())?.[1]
  await until(() => address() !== undefined || launched.ended(), 60_000)
  const url = address()
  if (url === undefined) throw new NotStarted(launched.ended() ? await launched.exit : undefined, launched.complaints())
  return { ...launched, url, request: requester(url, launched) }
}

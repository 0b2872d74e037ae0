// Redis servers for tests: a real one each, which can be stopped, killed, held still, and started again on its data.
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import type { Child } from '../../infra/local/children/child.ts'
import { markOf } from '../../infra/local/children/processes.ts'
import { provideProgram } from '../../infra/local/redis/index.ts'
import type { RedisProgram } from '../../infra/local/redis/program.ts'
import { startRedisServer } from '../../infra/local/redis/server.ts'
import { endWithUs } from './end-with-us.ts'
import { leaveFolder } from './left-behind.ts'

export interface TestRedis {
  /** `redis://:password@127.0.0.1:PORT`; the same after every start. */
  url: string
  port: number
  password: string
  /** Folder of its data (`appendonlydir/` in it): copied while the server is stopped, it is a backup. */
  folder: string
  pid (): number
  /** SIGKILL; resolves when it is gone. */
  kill (): Promise<void>
  /** SIGTERM; resolves when it is gone. */
  stop (): Promise<void>
  /** Starts it again on the same port and folder (whatever is there now). */
  start (): Promise<void>
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause (): void
  resume (): void
  /** A client of the test's own, closed with it. It connects again by itself and rejects what it cannot send. */
  client (): Redis
}

export interface TestRedisOptions {
  /** Lines of redis.conf on top of ours: `['maxmemory 2mb']`. A later line wins. */
  settings?: readonly string[]
}

type Context = Pick<Test, 'teardown'>

let program: Promise<RedisProgram> | undefined

/** The folder of a fetched server: one for all test files of this checkout. */
const cache = fileURLToPath(new URL('../../node_modules/.cache/chancery/redis', import.meta.url))

/** The system's Redis, or one that is fetched once for all test files. */
export const redisProgram = (): Promise<RedisProgram> => {
  program ??= provideProgram({ folder: cache, tools: { PATH: process.env['PATH'] ?? '' }, say: (sentence) => { process.stderr.write(`${sentence}\n`) }, signal: AbortSignal.timeout(600_000) })
  return program
}

/** A folder to put on a PATH: in it is a `redis-server`, so that a service that runs as a process of its own finds one. */
export const redisOnPath = async (t: Context): Promise<string> => {
  const { path, libraries } = await redisProgram()
  const folder = await mkdtemp(join(tmpdir(), 'chancery-test-path-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const script = `#!/bin/sh\n${libraries.length === 0 ? '' : `LD_LIBRARY_PATH='${libraries.join(':')}' `}exec '${path}' "$@"\n`
  await writeFile(join(folder, 'redis-server'), script, { mode: 0o755 })
  return folder
}

/** Starts a server on a folder of its own, with AOF as in the local stack; both are gone when `t` ends. */
export const testRedis = async (t: Context, { settings = [] }: TestRedisOptions = {}): Promise<TestRedis> => {
  const home = await mkdtemp(join(tmpdir(), 'chancery-test-redis-'))
  const folder = join(home, 'store')
  const password = randomBytes(12).toString('hex')
  const found = await redisProgram()
  const begin = async (port: number): Promise<Child> => {
    const server = await startRedisServer({ program: found, folder, password, logFile: join(home, 'redis.log'), port, settings })
    const release = endWithUs(server.pid)
    void server.ended.then(release)
    return server
  }
  let server = await begin(0)
  const { port } = server
  const url = `redis://:${password}@127.0.0.1:${port}`
  const clients: Redis[] = []
  let running = true

  const kill = async () => {
    if (running && markOf(server.pid) !== undefined) process.kill(server.pid, 'SIGKILL')
    await server.ended
    running = false
  }
  t.teardown(async () => {
    for (const client of clients) client.disconnect()
    await kill()
    await leaveFolder(home)
  })

  return {
    url,
    port,
    password,
    folder,
    pid: () => server.pid,
    kill,
    stop: async () => {
      await server.stop()
      running = false
    },
    start: async () => {
      await mkdir(folder, { recursive: true })
      server = await begin(port)
      running = true
    },
    pause: () => { process.kill(server.pid, 'SIGSTOP') },
    resume: () => { process.kill(server.pid, 'SIGCONT') },
    client: () => {
      const client = new Redis(url, { disconnectTimeout: 100, maxRetriesPerRequest: 1, retryStrategy: () => 20 })
      client.on('error', () => {})
      clients.push(client)
      return client
    }
  }
}

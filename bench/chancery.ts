// A whole Chancery as a contestant: its own data folder, its compiled code, and requests with its superadmin's token.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { childLine, compiled } from './children.ts'
import { call } from './load.ts'

export interface Chancery {
  url: string
  token: string
  pid: number
  /** Sends JSON, or nothing; throws unless the answer is 2xx. */
  request: <T>(method: string, path: string, body?: object) => Promise<T>
  /** The whole log as the auditor reads it, a line an event. */
  replay: () => Promise<string[]>
  stop: () => Promise<void>
}

/** @param env settings on top: its own data folder, a free port, errors only */
export const startChancery = async (dir: string, env: Record<string, string> = {}): Promise<Chancery> => {
  const dataDir = join(dir, 'chancery')
  const service = await childLine([compiled('src/main.js')], {
    env: { CHANCERY_DATA_DIR: dataDir, CHANCERY_HTTP_PORT: '0', CHANCERY_LOG_LEVEL: 'error', ...env }, ready: (line) => /http:\/\/\S+:\d+/.test(line)
  })
  const url = /http:\/\/[^\s/]+/.exec(service.line)?.[0] ?? ''
  const token = readFileSync(join(dataDir, 'superadmin.token'), 'utf8').trim()
  const send = async (method: string, path: string, body?: object): Promise<string> => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const answer = await call(url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'idempotency-key': randomUUID(),
        ...text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
      }
    }, text)
    if (answer.status < 200 || answer.status > 299) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.body}`)
    return answer.body
  }
  return {
    url,
    token,
    pid: service.pid,
    request: async <T>(method: string, path: string, body?: object) => JSON.parse(await send(method, path, body)) as T,
    replay: async () => (await send('GET', '/api/v1/audit/replay')).trim().split('\n'),
    stop: () => service.stop()
  }
}

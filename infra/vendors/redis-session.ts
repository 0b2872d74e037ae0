// One short session at a vendor's Redis: authenticated, asked and ended within a time limit, its failures told by their kind.
import { Redis } from 'ioredis'
import type { Account } from './address.ts'
import type { Ending } from './exchange.ts'

/** One command; rejects with RedisFailure. */
export type Ask = (...command: [name: string, ...args: string[]]) => Promise<unknown>

/** What a command ended with instead of an answer. `sent`: it may have taken effect. */
export class RedisFailure extends Error {
  readonly ending: Ending
  readonly sent: boolean

  constructor (ending: Ending, sent: boolean) {
    super(ending.status ?? ending.failure ?? 'failed')
    this.name = 'RedisFailure'
    this.ending = ending
    this.sent = sent
  }

  /** Redis itself said no: nothing was done. */
  get isAnswer (): boolean { return this.ending.status !== undefined }
}

/**
 * Authenticates by hand and not by the client's options, so that the server's own words are heard. Resolves with what
 * `work` made of it, within `limitMs`.
 * @throws RedisFailure
 */
export const inRedis = async <T>({ url, user, password }: Account, limitMs: number, work: (ask: Ask) => Promise<T>): Promise<T> => {
  let late = false
  let reason: Error | undefined
  const client = new Redis({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    ...url.protocol === 'rediss:' && { tls: { servername: url.hostname } },
    // Nothing is sent that was not asked for, and nothing twice.
    protocol: 2, lazyConnect: true, enableReadyCheck: false, disableClientInfo: true, autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: () => null, connectTimeout: limitMs
  })
  client.on('error', (error: Error) => { reason ??= error })
  const timer = setTimeout(() => { late = true; client.disconnect() }, limitMs)
  const failure = (error: unknown, sent: boolean): RedisFailure => {
    if (error instanceof RedisFailure) return error
    // Its error carries the command, and with it a password: only its words are kept, and of those no hash.
    if (error instanceof Error && error.name === 'ReplyError') {
      return new RedisFailure({ outcome: 'failed', status: error.message.split(' ', 1)[0] ?? 'ERR', body: error.message.replaceAll(/[0-9a-f]{64}/gi, '[sha256]') }, sent)
    }
    return new RedisFailure({ outcome: sent ? 'unknown' : 'failed', failure: late ? 'timeout' : failureOf(reason ?? error) }, sent)
  }
  const asked = (sent: boolean): Ask => async (name, ...args) => {
    try {
      return await client.call(name, ...args)
    } catch (error) {
      throw failure(error, sent)
    }
  }
  try {
    await client.connect().catch((error: unknown) => { throw failure(error, false) })
    await asked(false)('AUTH', user, password.reveal())
    return await work(asked(true))
  } finally {
    clearTimeout(timer)
    client.disconnect()
  }
}

const byCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection_refused', ENOTFOUND: 'name_unknown', EAI_AGAIN: 'name_unknown', EHOSTUNREACH: 'unreachable', ENETUNREACH: 'unreachable', ETIMEDOUT: 'timeout'
}

const failureOf = (error: unknown): string => {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  const { code, message } = (first ?? {}) as { code?: unknown, message?: string }
  return byCode[String(code)] ?? (/ssl|tls|cert/i.test(`${String(code)} ${message ?? ''}`) ? 'tls' : 'connection_lost')
}

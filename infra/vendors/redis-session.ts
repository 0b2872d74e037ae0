// One short session at a vendor's Redis: authenticated, asked and ended within a time limit, its failures told by their kind.
import { Redis } from 'ioredis'
import type { Account } from './address.ts'
import { failureOf, SessionFailure } from './session-failure.ts'

/** One command; rejects with SessionFailure. */
export type Ask = (...command: [name: string, ...args: string[]]) => Promise<unknown>

/**
 * Authenticates by hand and not by the client's options, so that the server's own words are heard. Resolves with what
 * `work` made of it, within `limitMs`.
 * @throws SessionFailure
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
  const failure = (error: unknown, sent: boolean): SessionFailure => {
    if (error instanceof SessionFailure) return error
    // Its error carries the command, and with it a password: only its words are kept, and of those no hash.
    if (error instanceof Error && error.name === 'ReplyError') {
      return new SessionFailure({ outcome: 'failed', status: error.message.split(' ', 1)[0] ?? 'ERR', body: error.message.replaceAll(/[0-9a-f]{64}/gi, '[sha256]') }, sent)
    }
    return new SessionFailure({ outcome: sent ? 'unknown' : 'failed', failure: late ? 'timeout' : failureOf(reason ?? error) }, sent)
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

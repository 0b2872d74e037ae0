// Opens a connection to Redis that fails soon instead of piling up what it cannot send.
import { Redis } from 'ioredis'

export interface RedisOptions {
  /** `redis://` or `rediss://`, password included. */
  url: string
  /** How the connection is called in the server's `CLIENT LIST`. */
  name: string
  /** Told why a connection failed or was lost, without a password; there may be one such call for each attempt. */
  onError?: (error: Error) => void
  /** A connection on which nothing was answered for so long (ms) is given up; default 4,000. */
  silenceMs?: number
}

/** Limits in ms. A server that holds still is told from one that is busy only by waiting. */
const CONNECT_MS = 3_000
const SILENCE_MS = 4_000
/** For a command that waits while other answers still come. */
const GRACE_MS = 1_000
const LONGEST_WAIT_MS = 2_000

/**
 * A client that connects by itself, now and after every loss. What is asked before the first attempt has ended waits for
 * its end; from then on each command rejects at once while there is no connection. A command that was sent when the connection was lost rejects too and is not sent again: whether it took effect
 * is for the caller to find out. `disconnect()` closes it.
 */
export const openRedis = ({ url, name, onError = () => {}, silenceMs = SILENCE_MS }: RedisOptions): Redis => {
  const client = new Redis(url, {
    connectionName: name,
    enableOfflineQueue: true,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_MS,
    // Its timer also runs where the connection is closed already, and would hold up the end of the process.
    disconnectTimeout: 100,
    socketTimeout: silenceMs,
    commandTimeout: silenceMs + GRACE_MS,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_WAIT_MS) * (0.75 + Math.random() / 4),
    // The old master of a fail-over goes on as a replica: behind its name there is another one by now.
    reconnectOnError: (error) => error.message.startsWith('READONLY')
  })
  const begun = () => { client.options.enableOfflineQueue = false }
  client.once('ready', begun).once('close', begun)
  // A refusal to let us in carries the command that was refused, and with it the password.
  client.on('error', (error: Error) => { onError(new Error(error.message)) })
  return client
}

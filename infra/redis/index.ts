// Opens a connection to Redis that fails soon instead of piling up what it cannot send.
import { Redis } from 'ioredis'

export interface RedisOptions {
  /** `redis://` or `rediss://`, password included. */
  url: string
  /** How the connection is called in the server's `CLIENT LIST`. */
  name: string
  /** Told why a connection failed or was lost, without a password; there may be one such call for each attempt. */
  onError?: (error: Error) => void
}

/** Limits in ms. A server that holds still is told from one that is busy only by waiting. */
const CONNECT_MS = 3_000
const SILENCE_MS = 4_000
const COMMAND_MS = 5_000
const LONGEST_WAIT_MS = 2_000

/**
 * A client that connects by itself, now and after every loss. While there is no connection each command rejects at
 * once; a command that was sent when the connection was lost rejects too and is not sent again: whether it took effect
 * is for the caller to find out. `disconnect()` closes it.
 */
export const openRedis = ({ url, name, onError = () => {} }: RedisOptions): Redis => {
  const client = new Redis(url, {
    connectionName: name,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    commandTimeout: COMMAND_MS,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_WAIT_MS) * (0.75 + Math.random() / 4),
    // The old master of a fail-over goes on as a replica: behind its name there is another one by now.
    reconnectOnError: (error) => error.message.startsWith('READONLY')
  })
  // A refusal to let us in carries the command that was refused, and with it the password.
  client.on('error', (error: Error) => { onError(new Error(error.message)) })
  return client
}

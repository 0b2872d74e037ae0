// The connection in use: made on demand, and replaced when it turned out to be dead.
import { createBatch, type Batch } from './batch.ts'
import { openConnection, targetOf, type Connection } from './connection.ts'
import { NotReached } from './failures.ts'

export interface Linked { connection: Connection, batch: Batch }

export interface Link {
  /** A connected connection, or NotReached after `ms`. */
  get (ms?: number): Promise<Linked>
  /** Leaves a connection that gave no sign of life; the next `get` makes another. */
  discard (linked: Linked): void
  close (): void
}

/** Unreachable is told within a second, with room for what else a request does. */
export const CONNECT_MS = 700

/** @throws Error if the connection string cannot be parsed */
export const createLink = (url: string): Link => {
  const target = targetOf(url)
  let current: Linked | undefined
  let opening: Promise<Linked> | undefined
  let closed = false

  const open = (): Promise<Linked> => {
    opening ??= openConnection(target).then((connection) => {
      const linked = { connection, batch: createBatch(connection) }
      if (closed) connection.close()
      else current = linked
      return linked
    }).finally(() => { opening = undefined })
    return opening
  }

  const discard = (linked: Linked) => {
    if (current === linked) current = undefined
    linked.batch.close()
    linked.connection.close()
  }

  return {
    get: async (ms = CONNECT_MS) => {
      const until = performance.now() + ms
      while (true) {
        if (closed) throw new NotReached('the log was closed')
        const left = Math.max(1, Math.round(until - performance.now()))
        const linked = current ?? await within(left, open())
        try {
          await linked.connection.ready(left)
          return linked
        } catch (error) {
          // Whoever waited longest leaves it: a connection that was accepted by nobody hangs for 20 s. Others try the next.
          const mine = current === linked
          if (mine) discard(linked)
          if (mine || performance.now() >= until) throw error
        }
      }
    },
    discard,
    close: () => {
      closed = true
      if (current !== undefined) discard(current)
    }
  }
}

/** Discovery asks the nodes of a cluster in turn and has no time limit worth the name. */
const within = async (ms: number, opening: Promise<Linked>): Promise<Linked> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new NotReached(`no node of the cluster was found within ${ms} ms`)) }, ms)
  })
  try {
    return await Promise.race([opening, late])
  } catch (error) {
    throw error instanceof NotReached ? error : new NotReached('no node of the cluster was found', { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

// Proves which processes may run beside this one (decision 2): an advisory lock of Postgres on a connection of its own,
// taken alone (`single`) or shared (`many`), and asked for four times a second.
import { randomUUID } from 'node:crypto'
import { setTimeout as after } from 'node:timers/promises'
import type { ProcessLock } from '../../src/ports.ts'
import { openSession, type Session } from './session.ts'

export interface ProcessLockOptions {
  url: string
  /** Schema of the read models; the lock's name is made of it, so namespaces do not meet. */
  schema: string
  mode: 'single' | 'many'
  /** Told when the lock's connection was lost, and when the lock was taken again. */
  onChange?: (change: 'lost' | 'taken', error?: unknown) => void
  /** How long a start waits for a lock that is held, in ms: a killed process's connection may take a moment to end. */
  patience?: number
}

export interface OpenProcessLock extends ProcessLock {
  /** Gives the lock back, so that a successor need not wait. Call it when nothing more is appended. */
  close (): Promise<void>
}

/** A proof holds this long after the question was sent, in ms. */
const PROOF = 1000
const PING = 250
/** Longest that a question may stay unanswered before the connection is given up, in ms. */
const SILENCE = 5000
/** After an unclean end of another process: longer than its last proof can have lasted. */
const TAKEOVER = 2000
const PATIENCE = 3000

/**
 * Takes the lock.
 * @throws StartError when processes of the other kind, or another single one, hold it
 */
export const openProcessLock = async (options: ProcessLockOptions): Promise<OpenProcessLock> => {
  const holder = randomUUID()
  const ended = new AbortController()
  let session: Session | undefined
  let epoch = 0
  let provenFrom = 0
  let provenUntil = 0

  const proven = (): boolean => {
    const now = performance.now()
    return session !== undefined && now >= provenFrom && now < provenUntil
  }

  const take = async (patience: number): Promise<Session> => {
    const asked = performance.now()
    const taken = await openSession({ ...options, holder, patience })
    session = taken
    epoch++
    provenFrom = taken.unclean ? performance.now() + TAKEOVER : 0
    provenUntil = asked + PROOF
    return taken
  }

  /** Asks until the connection fails; the proof counts from when the question was sent. */
  const watch = async (held: Session): Promise<void> => {
    while (!ended.signal.aborted) {
      const asked = performance.now()
      await held.ping(SILENCE)
      provenUntil = asked + PROOF
      await after(PING, undefined, { signal: ended.signal }).catch(() => {})
    }
  }

  const keep = async (first: Session): Promise<void> => {
    let held: Session | undefined = first
    while (!ended.signal.aborted) {
      try {
        if (held === undefined) {
          held = await take(0)
          options.onChange?.('taken')
        }
        await watch(held)
      } catch (error) {
        const lost = held
        if (lost !== undefined) options.onChange?.('lost', error)
        session = held = undefined
        await lost?.abandon()
        await after(PING, undefined, { signal: ended.signal }).catch(() => {})
      }
    }
  }

  const keeping = keep(await take(options.patience ?? PATIENCE))

  return {
    mode: options.mode,
    get epoch () { return epoch },
    proven,
    whenProven: async (withinMs) => {
      const until = performance.now() + withinMs
      while (!proven() && performance.now() < until) await after(20)
      return proven()
    },
    close: async () => {
      ended.abort()
      await keeping
      await session?.release()
      session = undefined
    }
  }
}

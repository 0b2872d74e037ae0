// Runs one reactor: collects its open intents from the log, then carries them out, each in its own time, until stopped.
import { setTimeout as delay } from 'node:timers/promises'
import type { LogEvent } from '../domain/catalogue.ts'
import { intentMovesOf } from '../domain/intents.ts'
import { errorName } from '../error-name.ts'
import { UnreadableEvent } from '../log-errors.ts'
import type { EventStore } from '../ports.ts'
import type { Intent, Reactor } from './reactor.ts'

/** Where to begin: intents known to be open, and the position of the event up to which they are known. */
export interface Start { after?: bigint, open: readonly Intent[] }

export interface ReactorLog {
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}

export interface RunSettings {
  events: Pick<EventStore, 'subscribe'>
  reactor: Reactor
  /** Asked again, later and later, as long as it fails. Default: the beginning of the log. */
  start?: () => Promise<Start>
  log: ReactorLog
  /** Intents carried out at a time. */
  parallel?: number
  /** Told of every outcome, whoever appended it. */
  settled?: (id: string) => void
}

export interface RunningReactor {
  /** Intents without an outcome that this process knows of. */
  open (): number
  /** Takes up nothing more; resolves when what is under way has ended, or after some seconds: then it is at least once. */
  stop (): Promise<void>
}

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 30_000
const STOP_MS = 5_000

const pauseAfter = (failures: number): number => Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10))

export const runReactor = (settings: RunSettings): RunningReactor => {
  const { events, reactor, log, parallel = 8, settled = () => {} } = settings
  const start = settings.start ?? (async (): Promise<Start> => ({ open: [] }))
  const stopping = new AbortController()
  const { signal } = stopping
  const pool = createPool(reactor, log, parallel, signal)

  const take = (event: LogEvent): void => {
    for (const { intent, id, move } of intentMovesOf(event)) {
      if (intent !== reactor.intent) continue
      if (move === 'opens') pool.add({ id, stream: event.stream, eventId: event.id, correlationId: event.metadata.$correlationId })
      if (move !== 'settles') continue
      pool.forget(id)
      settled(id)
    }
    if (reactor.wakesOnStream === true) pool.wake(event.stream)
  }

  let failures = 0
  const follow = async (after: bigint | undefined): Promise<void> => {
    for (let from = after; !signal.aborted;) {
      try {
        for await (const delivery of events.subscribe({ ...from !== undefined && { after: from }, signal })) {
          failures = 0
          if (delivery.kind === 'event') {
            take(delivery.event)
            from = delivery.event.position
          // What was settled later in the history must not be carried out on the way through it.
          } else if (delivery.kind === 'caught_up') pool.go()
        }
        // It ends by itself only when the log is closed; a new one at once would spin.
        if (!signal.aborted) throw new Error('the subscription ended')
      } catch (error) {
        if (!(error instanceof UnreadableEvent)) throw error
        // Intents do not depend on each other, and each is decided from its own stream: the others go on.
        log.error({ reactor: reactor.name, stream: error.stream, revision: String(error.revision), position: String(error.position), type: error.eventType },
          `reactor ${reactor.name} passes an event that cannot be read`)
        from = error.position
      }
    }
  }

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const { after, open } = await start()
        for (const intent of open) pool.add(intent)
        await follow(after)
      } catch (error) {
        failures++
        log.warn({ reactor: reactor.name, error: errorName(error) }, `reactor ${reactor.name} cannot read the log and tries again`)
        await delay(pauseAfter(failures), undefined, { signal, ref: false }).catch(() => {})
      }
    }
  }

  const running = run()
  return {
    open: () => pool.size(),
    stop: async () => {
      stopping.abort()
      await running
      await Promise.race([pool.idle(), delay(STOP_MS, undefined, { ref: false })])
    }
  }
}

/** The open intents of this process, of which so many are carried out at a time. */
const createPool = (reactor: Reactor, log: ReactorLog, parallel: number, signal: AbortSignal) => {
  const known = new Map<string, { intent: Intent, timer?: NodeJS.Timeout, failures: number, woken: boolean }>()
  const underWay = new Map<string, Promise<void>>()
  const queue = new Set<string>()
  let going = false

  const pump = (): void => {
    for (const id of queue) {
      if (!going || signal.aborted || underWay.size >= parallel) return
      queue.delete(id)
      underWay.set(id, work(id).finally(() => { underWay.delete(id); pump() }))
    }
  }

  const later = (id: string, ms: number): void => {
    const entry = known.get(id)
    if (entry !== undefined) entry.timer = setTimeout(() => { queue.add(id); pump() }, ms).unref()
  }

  const work = async (id: string): Promise<void> => {
    const entry = known.get(id)
    if (entry === undefined) return
    entry.woken = false
    try {
      const again = await reactor.carryOut(entry.intent)
      entry.failures = 0
      if (again === undefined) known.delete(id)
      else later(id, entry.woken ? 0 : again)
    } catch (error) {
      entry.failures++
      log.warn({ reactor: reactor.name, intent: id, stream: entry.intent.stream, error: errorName(error) }, `reactor ${reactor.name} could not go on and tries again`)
      later(id, pauseAfter(entry.failures))
    }
  }

  return {
    add: (intent: Intent): void => {
      if (known.has(intent.id)) return
      known.set(intent.id, { intent, failures: 0, woken: false })
      queue.add(intent.id)
      pump()
    },
    forget: (id: string): void => {
      clearTimeout(known.get(id)?.timer)
      known.delete(id)
      queue.delete(id)
    },
    /** Those of this stream are looked at now; one that is under way, once more after it. One that failed keeps its pause. */
    wake: (stream: string): void => {
      for (const [id, entry] of known) {
        if (entry.intent.stream !== stream || entry.failures > 0) continue
        entry.woken = true
        if (underWay.has(id)) continue
        clearTimeout(entry.timer)
        queue.add(id)
      }
      pump()
    },
    go: (): void => { going = true; pump() },
    size: (): number => known.size,
    idle: async (): Promise<void> => {
      for (const { timer } of known.values()) clearTimeout(timer)
      await Promise.allSettled(underWay.values())
    }
  }
}

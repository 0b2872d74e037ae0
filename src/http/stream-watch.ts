// Tells those who wait for news of a stream: one subscription to the log for a whole process, however many wait.
import { setTimeout as delay } from 'node:timers/promises'
import { UnreadableEvent } from '../log-errors.ts'
import type { EventStore } from '../ports.ts'

/** One who waits for news of one stream. What he does with them is his own pace: nothing is kept for him but that there are some. */
export interface Watcher {
  /** Resolves at once if something was appended since the last call, else with the next append, or after `ms`. False once it is closed. */
  news (ms: number): Promise<boolean>
  close (): void
}

export interface StreamWatch {
  /** Resolves once whatever is appended from now on will be told. Rejects with LogUnavailable. */
  watch (stream: string): Promise<Watcher>
  /** How many wait. */
  readonly watchers: number
  /** Wakes all who wait; nobody is told anything afterwards. */
  stop (): Promise<void>
}

export interface StreamWatchOptions {
  events: Pick<EventStore, 'subscribe' | 'last'>
  /** How long the subscription is kept when nobody waits any more, in ms. */
  lingerMs?: number
  /** Told when the subscription is lost, once until it has brought something again; it is always taken up anew. */
  onLost?: (error: unknown) => void
}

const LINGER_MS = 30_000
const PAUSE_MS = 500

interface Waiting { rung: boolean, closed: boolean, wake: (() => void) | undefined }

export const createStreamWatch = ({ events, lingerMs = LINGER_MS, onLost = () => {} }: StreamWatchOptions): StreamWatch => {
  const waiting = new Map<string, Set<Waiting>>()
  let count = 0
  let running: { from: Promise<bigint | undefined>, abort: AbortController, ended: Promise<void> } | undefined
  let linger: NodeJS.Timeout | undefined
  let stopped = false
  let lost = false

  const ring = (one: Waiting): void => {
    one.rung = true
    one.wake?.()
  }
  const ringAll = (): void => { for (const all of waiting.values()) for (const one of all) ring(one) }

  const follow = async (begin: Promise<bigint | undefined>, signal: AbortSignal): Promise<void> => {
    for (let after = await begin; !signal.aborted;) {
      try {
        for await (const delivery of events.subscribe({ ...after !== undefined && { after }, signal })) {
          if (delivery.kind !== 'event') continue
          after = delivery.event.position
          lost = false
          for (const one of waiting.get(delivery.event.stream) ?? []) ring(one)
        }
      } catch (error) {
        if (error instanceof UnreadableEvent) after = error.position
        else if (!lost && !signal.aborted) {
          lost = true
          onLost(error)
        }
      }
      // Whoever waits reads for himself: what was missed meanwhile is found there.
      ringAll()
      await delay(PAUSE_MS, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  const start = (): Promise<bigint | undefined> => {
    clearTimeout(linger)
    if (running !== undefined) return running.from
    const abort = new AbortController()
    const from = events.last().then((last) => last?.position)
    const ended = follow(from, abort.signal).catch(() => { if (running?.abort === abort) running = undefined })
    running = { from, abort, ended }
    return from
  }

  const leave = (stream: string, one: Waiting): void => {
    if (one.closed) return
    one.closed = true
    one.wake?.()
    const all = waiting.get(stream)
    all?.delete(one)
    if (all?.size === 0) waiting.delete(stream)
    count--
    if (count > 0) return
    linger = setTimeout(() => {
      running?.abort.abort()
      running = undefined
    }, lingerMs).unref()
  }

  return {
    get watchers () { return count },
    watch: async (stream) => {
      const one: Waiting = { rung: false, closed: false, wake: undefined }
      const all = waiting.get(stream) ?? new Set()
      waiting.set(stream, all.add(one))
      count++
      try {
        if (stopped) leave(stream, one)
        else await start()
      } catch (error) {
        leave(stream, one)
        throw error
      }
      return {
        news: (ms) => new Promise((resolve) => {
          if (one.rung || one.closed) {
            one.rung = false
            resolve(!one.closed)
            return
          }
          const end = (): void => {
            clearTimeout(timer)
            one.wake = undefined
            one.rung = false
            resolve(!one.closed)
          }
          const timer = setTimeout(end, ms)
          one.wake = end
        }),
        close: () => { leave(stream, one) }
      }
    },
    stop: async () => {
      stopped = true
      clearTimeout(linger)
      running?.abort.abort()
      for (const [stream, all] of [...waiting]) for (const one of [...all]) leave(stream, one)
      clearTimeout(linger)
      await running?.ended
    }
  }
}

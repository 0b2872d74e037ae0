// Small tools for loops that wait: a signal that is remembered, a pause that ends early, a turn that is one's own.
import { setTimeout as delay } from 'node:timers/promises'

/** A wake-up call that is not lost when nobody waits yet. */
export const createBell = () => {
  let rung = false
  let waiting: (() => void) | undefined
  return {
    ring: (): void => {
      rung = true
      waiting?.()
    },
    /** Resolves at the next ring, or at once if it rang since the last wait. */
    wait: async (): Promise<void> => {
      if (!rung) await new Promise<void>((resolve) => { waiting = resolve })
      waiting = undefined
      rung = false
    }
  }
}

/** Waits; ends early, without an error, when the signal aborts. */
export const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  await delay(ms, undefined, { signal }).catch(() => {})
}

/** Waits as long as `left` (in ms) says that more may come; asks it again whenever it is hastened. */
export const createGathering = (left: () => number) => {
  let hasten: (() => void) | undefined
  return {
    hasten: (): void => hasten?.(),
    wait: async (): Promise<void> => {
      for (let ms = left(); ms > 0; ms = left()) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          hasten = () => {
            clearTimeout(timer)
            resolve()
          }
        })
        hasten = undefined
      }
    }
  }
}

/** Runs tasks one after the other. */
export const createTurns = () => {
  let tail: Promise<unknown> = Promise.resolve()
  return <T>(task: () => Promise<T>): Promise<T> => {
    const running = tail.then(task)
    tail = running.catch(() => {})
    return running
  }
}

/** Resolves when the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => {
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
})

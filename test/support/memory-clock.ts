// A clock that a test moves by hand: whoever sleeps wakes in order of time, those of one moment in an order drawn by a seed.
import { setImmediate } from 'node:timers/promises'

export interface VirtualClock {
  now (): Date
  /** Also of 0 ms: others of that moment may come first. */
  sleep (milliseconds: number): Promise<void>
  /** Lets all that need no time happen. */
  settle (): Promise<void>
  /** Lets so much time pass; each sleeper wakes at its own moment, and all that follows without time happens before the next. */
  advance (milliseconds: number): Promise<void>
  /** Lets time pass until it is so, at most so long. @returns whether it became so */
  advanceUntil (reached: () => boolean, limitMs: number): Promise<boolean>
  /** Called at every moment at which something had happened. */
  onMoment: () => void
}

interface Sleeper { at: number, order: number, wake: () => void }

/** Everything that waits for neither this clock nor a real I/O has happened after one turn of the event loop. */
const turn = async (): Promise<void> => { await setImmediate() }

/** @param draw a whole number below `below`, always the same for the same seed: the order of those that wake at one moment */
export const virtualClock = (draw: (below: number) => number, start = Date.parse('2026-03-01T09:00:00.000Z')): VirtualClock => {
  const sleepers: Sleeper[] = []
  let time = start

  const before = (one: Sleeper, other: Sleeper): boolean => one.at < other.at || (one.at === other.at && one.order < other.order)
  const add = (sleeper: Sleeper): void => {
    let [low, high] = [0, sleepers.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (before(sleepers[middle] as Sleeper, sleeper)) high = middle
      else low = middle + 1
    }
    sleepers.splice(low, 0, sleeper)
  }

  const clock: VirtualClock = {
    now: () => new Date(time),
    sleep: (milliseconds) => new Promise((resolve) => { add({ at: time + Math.max(0, milliseconds), order: draw(1 << 20), wake: resolve }) }),
    settle: async () => {
      await turn()
      clock.onMoment()
    },
    advance: async (milliseconds) => { await clock.advanceUntil(() => false, milliseconds) },
    advanceUntil: async (reached, limitMs) => {
      const end = time + limitMs
      await clock.settle()
      while (!reached()) {
        // The last is the earliest: taking it away moves nothing.
        const next = sleepers.at(-1)
        if (next === undefined || next.at > end) {
          time = end
          clock.onMoment()
          return reached()
        }
        sleepers.pop()
        time = Math.max(time, next.at)
        next.wake()
        await clock.settle()
      }
      return true
    },
    onMoment: () => {}
  }
  return clock
}

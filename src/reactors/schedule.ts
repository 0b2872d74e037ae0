// A schedule: looks every few seconds what is due, and carries it out. What waits costs no timer.
import { setTimeout as delay } from 'node:timers/promises'
import { errorName } from '../error-name.ts'
import type { Clock } from '../ports.ts'
import type { ReactorLog } from './engine.ts'

export interface ScheduleSettings<Item> {
  /** For log lines. */
  name: string
  /** What may be due, a page at a time; what is due, `carryOut` decides from the subject's stream. */
  due: (now: Date, limit: number, after: Item | undefined) => Promise<readonly Item[]>
  /** The stream that an item is about. */
  streamOf: (item: Item) => string
  /** Brings it as far as it goes now. It may have been carried out already, and may be under way in another process. */
  carryOut: (item: Item) => Promise<unknown>
  clock: Clock
  log: ReactorLog
  /** Time between two looks, in ms. */
  everyMs?: number
  /** Items carried out at a time. */
  parallel?: number
}

export interface RunningSchedule {
  /** Resolves when the look that is under way has ended. */
  stop (): Promise<void>
}

const EVERY_MS = 2_000
const LONGEST_PAUSE_MS = 600_000
const PAGE = 200
const PARALLEL = 4

/**
 * A read model says what may be due, the subject's own stream decides; so one that is behind does nothing too early and
 * nothing twice. Looking again by the clock each time, no jump of it is missed and none leaves a timer that was set too
 * long ago.
 */
export const runSchedule = <Item>(settings: ScheduleSettings<Item>): RunningSchedule => {
  const { name, everyMs = EVERY_MS, log } = settings
  const stopping = new AbortController()
  const { signal } = stopping
  const look = createLook(settings, signal)

  const run = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted;) {
      try {
        await look()
        failures = 0
      } catch (error) {
        failures++
        log.warn({ reactor: name, error: errorName(error) }, `what is due cannot be read by ${name} and is looked for again`)
      }
      await delay(Math.min(everyMs * 2 ** Math.min(failures, 5), LONGEST_PAUSE_MS), undefined, { signal, ref: false }).catch(() => {})
    }
  }
  const running = run()
  return {
    stop: async () => {
      stopping.abort()
      await running
    }
  }
}

/** One look: everything that is due, a page at a time. What fails is left alone for longer and longer. */
const createLook = <Item>(settings: ScheduleSettings<Item>, signal: AbortSignal) => {
  const { name, due, streamOf, carryOut, clock, log, everyMs = EVERY_MS, parallel = PARALLEL } = settings
  const resting = new Map<string, { failures: number, until: number }>()

  const attempt = async (item: Item): Promise<void> => {
    const stream = streamOf(item)
    const rest = resting.get(stream)
    if (signal.aborted || (rest !== undefined && performance.now() < rest.until)) return
    try {
      await carryOut(item)
      resting.delete(stream)
    } catch (error) {
      const failures = (rest?.failures ?? 0) + 1
      resting.set(stream, { failures, until: performance.now() + Math.min(everyMs * 2 ** failures, LONGEST_PAUSE_MS) })
      log.warn({ reactor: name, stream, error: errorName(error) }, `${name} could not go on with one that is due and tries again`)
    }
  }

  return async (): Promise<void> => {
    const now = clock.now()
    for (let after: Item | undefined; !signal.aborted;) {
      const page = await due(now, PAGE, after)
      const rest = page.values()
      await Promise.all(Array.from({ length: parallel }, async () => { for (const item of rest) await attempt(item) }))
      if (page.length < PAGE) return
      after = page.at(-1)
    }
  }
}

// The erasures' schedule: looks every few seconds what is due, and carries it out. A waiting record costs no timer.
import { setTimeout as delay } from 'node:timers/promises'
import { eraseUser } from '../../commands/erasure/erase.ts'
import { eraseTester, type TesterErasureDeps } from '../../commands/erasure/erase-tester.ts'
import type { DueErasure, ErasureQueries } from '../../queries.ts'
import type { ReactorLog } from '../engine.ts'

export interface ScheduleOptions extends TesterErasureDeps {
  erasures: Pick<ErasureQueries, 'due'>
  log: ReactorLog
  /** Time between two looks, in ms. */
  everyMs?: number
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
 * The read model says what may be due, the subject's own stream decides; so a read model that is behind erases nothing
 * too early and nothing twice. Looking again by the clock each time, no jump of it is missed and none leaves a timer
 * that was set too long ago.
 */
export const runErasures = (options: ScheduleOptions): RunningSchedule => {
  const { everyMs = EVERY_MS, log } = options
  const stopping = new AbortController()
  const { signal } = stopping
  const look = createLook(options, signal)

  const run = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted;) {
      try {
        await look()
        failures = 0
      } catch (error) {
        failures++
        log.warn({ reactor: 'erasure', error: nameOf(error) }, 'what is due to be erased cannot be read and is looked for again')
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

/** One look: everything that is due, a page at a time. A record that fails is left alone for longer and longer. */
const createLook = (options: ScheduleOptions, signal: AbortSignal) => {
  const { erasures, clock, log, everyMs = EVERY_MS } = options
  const resting = new Map<string, { failures: number, until: number }>()

  const carryOut = async ({ subject }: DueErasure): Promise<void> => {
    const rest = resting.get(subject)
    if (signal.aborted || (rest !== undefined && performance.now() < rest.until)) return
    try {
      await erase(options, subject)
      resting.delete(subject)
    } catch (error) {
      const failures = (rest?.failures ?? 0) + 1
      resting.set(subject, { failures, until: performance.now() + Math.min(everyMs * 2 ** failures, LONGEST_PAUSE_MS) })
      log.warn({ reactor: 'erasure', stream: subject, error: nameOf(error) }, 'an erasure could not go on and is tried again')
    }
  }

  return async (): Promise<void> => {
    const now = clock.now()
    for (let after: DueErasure | undefined; !signal.aborted;) {
      const page = await erasures.due(now, PAGE, after)
      const rest = page.values()
      await Promise.all(Array.from({ length: PARALLEL }, async () => { for (const due of rest) await carryOut(due) }))
      if (page.length < PAGE) return
      after = page.at(-1)
    }
  }
}

const erase = (deps: TesterErasureDeps, subject: string): Promise<boolean> => {
  const dash = subject.indexOf('-')
  const id = subject.slice(dash + 1)
  return subject.slice(0, dash) === 'user' ? eraseUser(deps, id) : eraseTester(deps, id)
}

/** Messages of foreign errors may hold personal data; names and codes do not. */
const nameOf = (error: unknown): string =>
  error instanceof Error ? [error.name, 'code' in error ? String(error.code) : ''].filter((part) => part !== '').join(' ') : 'unknown'

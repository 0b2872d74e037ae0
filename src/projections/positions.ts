// Waits until read models have applied a position: told by the projector that runs here, else by looking at its row.
import { performance } from 'node:perf_hooks'
import type { Database } from '../ports.ts'
import type { LaggingProjection, Positions } from '../queries.ts'
import type { Projector } from './define.ts'
import type { Worker } from './worker.ts'

/** How often the checkpoint rows are read while somebody waits for a projector that does not work here, in ms. */
const POLL_ELSEWHERE = 20
/** The same where it works here: only for the rare case that another process takes it over meanwhile. */
const POLL_HERE = 250

interface Checkpoint { name: string, version: number, position: bigint | null }

export interface WaitingPositions extends Positions {
  /** A checkpoint moved in this process. */
  advanced: () => void
  /** True while somebody waits. */
  awaited: () => boolean
}

/** @param lags asked only when a wait was in vain: name → lag in ms */
export const createPositions = (
  database: Database, projectors: readonly Projector[], workerOf: (name: string) => Worker | undefined,
  lags: () => Promise<ReadonlyMap<string, number | undefined>>
): WaitingPositions => {
  const versions = new Map(projectors.map(({ name, version }) => [name, version]))
  let waiters: Array<() => void> = []
  let reading: Promise<Map<string, bigint>> | undefined

  /** Positions of what serves, by name; one read for all who wait at the moment. */
  const read = (): Promise<Map<string, bigint>> => {
    reading ??= database.query<Checkpoint>("select name, version, position from projection_generation where state = 'serving'")
      .then(({ rows }) => new Map(rows.filter(({ name, version }) => versions.get(name) === version).map(({ name, position }) => [name, position ?? 0n])))
      .finally(() => { reading = undefined })
    return reading
  }

  const here = (name: string): bigint | undefined => {
    const generation = workerOf(name)?.generation
    return generation && (generation.position ?? 0n)
  }

  const movement = (ms: number): Promise<void> => new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      waiters = waiters.filter((waiter) => waiter !== done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    waiters.push(done)
  })

  return {
    waitFor: async (names, position, timeoutMs = 2000) => {
      const unknown = names.find((name) => !versions.has(name))
      if (unknown !== undefined) throw new Error(`there is no read model ${unknown}`)
      const end = performance.now() + timeoutMs
      const reached = (at: bigint | undefined): boolean => at !== undefined && at >= position
      let polled = -Infinity
      for (;;) {
        const lagging = names.filter((name) => !reached(here(name)))
        if (lagging.length === 0) return undefined
        const poll = lagging.every((name) => workerOf(name)?.doing === 'works') ? POLL_HERE : POLL_ELSEWHERE
        const left = end - performance.now()
        if (left <= 0 || performance.now() - polled >= poll) {
          polled = performance.now()
          const rows = await read()
          const behind = lagging.filter((name) => !reached(rows.get(name)))
          if (behind.length === 0) return undefined
          if (left <= 0) {
            const lagOf = await lags()
            return behind.map((name): LaggingProjection =>
              ({ name, readTo: rows.get(name) ?? 0n, reason: rows.has(name) ? 'behind' : 'filling', lagMs: lagOf.get(name) }))
          }
        }
        const moved = movement(Math.max(1, Math.min(poll, left)))
        for (const name of lagging) workerOf(name)?.hurry()
        await moved
      }
    },
    awaited: () => waiters.length > 0,
    advanced: () => {
      const woken = waiters
      waiters = []
      for (const wake of woken) wake()
    }
  }
}

// Keeps a process that lost its lock from changing who may: others may rest on a cache by then (decision 2).
import { categoryOf } from '../../domain/catalogue.ts'
import { LogOutcomeUnknown, LogUnavailable } from '../../log-errors.ts'
import type { EventStore, ProcessLock } from '../../ports.ts'

/** Streams whose cached state a single process believes without reading the tail. */
const FENCED = new Set(['principal', 'roster'])

/** A successor of a killed process has to wait 2 s until that one's proof has surely run out; commands wait along, in ms. */
const PATIENCE = 2500

/**
 * The same store, but facts about principals are appended only while the process lock is proven. Everything else may go
 * on: its cached states are proven by the append itself. A fact whose append outlasted the proof is told as unknown, so
 * that nobody is told of a revocation that another process may already have missed.
 */
export const fenced = (events: EventStore, lock: ProcessLock): EventStore => ({
  ...events,
  append: async (stream, expected, facts) => {
    if (!FENCED.has(categoryOf(stream))) return events.append(stream, expected, facts)
    if (!lock.proven() && !await lock.whenProven(PATIENCE)) {
      throw new LogUnavailable('the process lock is not proven, so nothing about principals is appended')
    }
    const appended = await events.append(stream, expected, facts)
    if (!lock.proven()) throw new LogOutcomeUnknown('the process lock was lost during the append')
    return appended
  }
})

// What a publisher knows of itself: counters, alarms and its state, each change of which is logged once.
import type { LifecycleAlarm, PublisherStatus, Verification } from '../lifecycle-stream.ts'
import type { PublisherLog } from './settings.ts'
import type { Silence } from './silence.ts'

export interface Tally {
  status (): PublisherStatus
  turn (state: PublisherStatus['state'], cause?: string): void
  at (tail: string): void
  published (entries: number): void
  failed (code: string): void
  /**
   * Somebody else published what this one was about to: all day where several publish, and with a line where it is what
   * a process missed while it was held up.
   */
  overtaken (entries: number, heldUp: Silence | undefined): void
  trimmed (entries: number): void
  verified (verification: Verification): void
  /** Sets the alarms of one source anew; those that are new are logged. */
  alarms (source: string, now: readonly LifecycleAlarm[]): void
}

/** @param lag asked whenever the status is: entries and the age of the oldest, if known */
export const createTally = (stream: string, log: PublisherLog, lag: () => Pick<PublisherStatus, 'lagEntries' | 'lagMs'>): Tally => {
  let state: PublisherStatus['state'] = 'waiting'
  let cause: string | undefined
  let tail: string | undefined
  let verification: Verification | undefined
  let told: Silence | undefined
  const counts = { published: 0, failures: 0, overtaken: 0, fenced: 0, trimmed: 0 }
  const alarms = new Map<string, readonly LifecycleAlarm[]>()

  return {
    status: () => ({ state, cause, stream, tail, ...lag(), ...counts, alarms: [...alarms.values()].flat(), verified: verification }),
    turn: (next, why) => {
      cause = why
      if (next === state) return
      state = next
      if (next === 'ready') log.info({ stream }, 'the lifecycle stream is being published')
      if (next === 'away') log.warn({ stream, cause: why }, 'Redis does not take lifecycle entries: they wait in the log')
    },
    at: (id) => { tail = id },
    published: (entries) => { counts.published += entries },
    failed: (code) => {
      counts.failures++
      cause = code
    },
    overtaken: (entries, heldUp) => {
      if (heldUp === undefined) {
        counts.overtaken += entries
        return
      }
      counts.fenced += entries
      if (told === heldUp) return
      told = heldUp
      log.warn({ stream, entries, heldUpMs: heldUp.ms }, 'this publisher was held up and is fenced: another one published what it was about to, and it goes on behind that')
    },
    trimmed: (entries) => { counts.trimmed += entries },
    verified: (found) => { verification = found },
    alarms: (source, now) => {
      const known = alarms.get(source) ?? []
      for (const alarm of now) {
        if (!known.some(({ message }) => message === alarm.message)) log.error({ stream, reason: alarm.reason, hint: alarm.hint }, alarm.message)
      }
      alarms.set(source, now)
    }
  }
}

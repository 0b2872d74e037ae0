// Group commit: whatever one turn of the event loop brings is decided, written and flushed in one transaction.
import type { EventLog, Outcome } from './log.ts'

export interface Job {
  /** Decides and writes; called inside the transaction. */
  readonly run: (log: EventLog) => Outcome
  /** Milliseconds since 1970 after which nobody waits for the answer. */
  readonly deadline?: number
  /** Called once: with the outcome, when it is on disk; or with the reason why nothing was written. */
  readonly done: (result: Outcome | { kind: 'late' } | { kind: 'failed', error: Error }) => void
}

// Bounds how long one transaction keeps the event loop: 1,000 small appends take about 10 ms.
const JOBS_A_GROUP = 1_000

export class Committer {
  readonly #log: EventLog
  readonly #written: (streams: ReadonlySet<string>) => void
  readonly #broken: (error: Error) => void
  #queue: Job[] = []
  #scheduled = false

  /** `written` is told which streams a group touched; `broken` that the disk cannot be trusted any more. */
  constructor (log: EventLog, written: (streams: ReadonlySet<string>) => void, broken: (error: Error) => void) {
    this.#log = log
    this.#written = written
    this.#broken = broken
  }

  add (job: Job): void {
    this.#queue.push(job)
    this.#schedule()
  }

  /** Writes everything that is waiting, now. */
  drain (): void {
    while (this.#queue.length > 0) this.#commit()
  }

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#commit()
      if (this.#queue.length > 0) this.#schedule()
    })
  }

  #commit (): void {
    const jobs = this.#queue.splice(0, JOBS_A_GROUP)
    if (jobs.length === 0) return
    const now = Date.now()
    const committed = this.#log.last
    const results: (Outcome | { kind: 'late' })[] = []
    try {
      this.#log.database.write(() => {
        for (const job of jobs) {
          results.push(job.deadline !== undefined && job.deadline < now ? { kind: 'late' } : job.run(this.#log))
        }
      })
    } catch (cause) {
      this.#fail(jobs, committed, cause instanceof Error ? cause : new Error(String(cause)))
      return
    }
    const touched = this.#log.touched
    this.#log.touched = new Set()
    for (const [i, job] of jobs.entries()) {
      const result = results[i]
      if (result) job.done(result)
    }
    if (touched.size > 0) this.#written(touched)
  }

  /**
   * Nothing of the group was written, unless the flush itself failed: then what is in memory and what is on disk may
   * differ, no later success would mean anything, and the process has to end (as Postgres does).
   */
  #fail (jobs: readonly Job[], committed: number, error: Error): void {
    try {
      this.#log.recover()
    } catch (cause) {
      this.#broken(cause instanceof Error ? cause : error)
      return
    }
    if (this.#log.last !== committed) this.#broken(error)
    else for (const job of jobs) job.done({ kind: 'failed', error })
  }
}

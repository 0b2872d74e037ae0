// The facts of one job in their order, each with the job as it was then: what event stream and transcript are made of.
import { credentialAggregate } from '../domain/credential/credential.ts'
import type { LogEvent, RecordedOf } from '../domain/catalogue.ts'
import { hasEnded, type JobView } from '../domain/rotation/job.ts'
import type { RotationRules } from '../domain/rotation/rules.ts'
import { jobView } from '../domain/rotation/view.ts'
import type { EventStore } from '../ports.ts'

export interface FeedDeps { events: Pick<EventStore, 'readStream'>, rules: RotationRules }

/** A fact, and the job after it. */
export interface JobFact { event: CredentialEvent, view: JobView }
export type CredentialEvent = Extract<LogEvent, { type: RecordedOf<'credential'>['type'] }>

export interface JobReader {
  /** What was recorded since the last call. Ends after `done` or `aborted`, however much the stream holds beyond. */
  read (): AsyncGenerator<JobFact>
  /** True once the job's last fact was read. */
  ended (): boolean
  /** The job at this moment, as far as it was read; undefined before its first fact. */
  asOf (now: Date): JobView | undefined
}

/** What changes a job without naming it: a manifest that is put meanwhile, and a value that a consumer fetches. */
const besides: ReadonlySet<string> = new Set(['credential.manifest_put', 'credential.value_fetched'])

/** Reads the credential's stream from its beginning, folding it on: one fact and one state are in memory, not the stream. */
export const readerOf = ({ events, rules }: FeedDeps, { credential, rotationId }: { credential: string, rotationId: string }): JobReader => {
  let state = credentialAggregate.initial as ReturnType<typeof credentialAggregate.evolve>
  let next = 0n
  let begun = false
  let ended = false
  return {
    ended: () => ended,
    asOf: (now) => jobView(state, rotationId, now, rules),
    read: async function * () {
      if (ended) return
      for await (const read of events.readStream(`credential-${credential}`, { from: next })) {
        const event = read as CredentialEvent
        state = credentialAggregate.evolve(state, event)
        next = event.revision + 1n
        const own = 'rotationId' in event.data && event.data.rotationId === rotationId
        begun ||= own
        if (!own && !(begun && besides.has(event.type))) continue
        const view = jobView(state, rotationId, new Date(event.metadata.occurredAt), rules)
        if (view === undefined) continue
        ended = hasEnded(view.state)
        yield { event, view }
        if (ended) return
      }
    }
  }
}

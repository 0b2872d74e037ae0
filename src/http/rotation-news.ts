// What is told next to one who follows a job: facts as they come, what time alone has changed, and that all is quiet.
import { isDeepStrictEqual } from 'node:util'
import type { JobView } from '../domain/rotation/job.ts'
import type { Clock } from '../ports.ts'
import type { JobFact, JobReader } from './rotation-feed.ts'
import type { Watcher } from './stream-watch.ts'

/** The job by now, where time alone has changed it since it was told last: an alarm, a proof that grew too old (ADR 0190). */
interface AsOfNow { at: Date, view: JobView }
export type News = JobFact | AsOfNow | 'silence'
type Followed = AsyncGenerator<News | 'caught_up', void, undefined>

/** Facts as they come; `caught_up` after what there was already, `silence` when nothing was told for a while, whatever else is in the stream. */
export const followed = async function * (
  reader: JobReader, watcher: Watcher, over: AbortSignal, { clock, heartbeatMs }: { clock: Pick<Clock, 'now'>, heartbeatMs: number }
): Followed {
  let last: JobView | undefined
  const aged = (): AsOfNow | undefined => {
    const at = clock.now()
    const view = reader.asOf(at)
    if (view === undefined || isDeepStrictEqual(view, last)) return undefined
    last = view
    return { at, view }
  }
  for await (const fact of reader.read()) {
    last = fact.view
    yield fact
  }
  yield 'caught_up'
  // An alarm that rings already is not to wait for the first heartbeat.
  const already = reader.ended() ? undefined : aged()
  if (already !== undefined) yield already
  for (let told = performance.now(); !reader.ended() && !over.aborted;) {
    if (!await watcher.news(Math.max(0, told + heartbeatMs - performance.now())) || over.aborted) return
    for await (const fact of reader.read()) {
      last = fact.view
      yield fact
      told = performance.now()
    }
    if (reader.ended() || performance.now() < told + heartbeatMs) continue
    yield aged() ?? 'silence'
    told = performance.now()
  }
}

/** The first thing to be told to one who has everything up to `after`: `silence` if there is nothing yet, `none` if there never will be. */
export const nextAfter = async (reader: JobReader, facts: Followed, after: bigint | undefined): Promise<News | 'none'> => {
  let known = false
  for (;;) {
    const next = await facts.next()
    if (next.done === true) return 'none'
    const { value } = next
    if (value === 'caught_up') return known && !reader.ended() ? 'silence' : 'none'
    if (isNew(value, after)) return value
    known = true
  }
}

/** What comes after that; undefined at the end. */
export const nextOf = async (facts: Followed, after: bigint | undefined): Promise<News | undefined> => {
  for (;;) {
    const next = await facts.next()
    if (next.done === true) return undefined
    if (next.value !== 'caught_up' && isNew(next.value, after)) return next.value
  }
}

const isNew = (news: News, after: bigint | undefined): boolean => news === 'silence' || !('event' in news) || after === undefined || news.event.revision > after

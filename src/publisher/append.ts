// Appends one batch behind the place that is known, as often as it takes Redis to answer, and tells what became of it.
import { setTimeout as delay } from 'node:timers/promises'
import { positionOf, type LifecycleEvent } from '../domain/lifecycle/entry.ts'
import { StreamUnavailable, type LifecycleStream } from '../lifecycle-stream.ts'
import { entriesOf } from './entries.ts'
import type { KnownPlace } from './place.ts'
import { BATCH, type PublisherDeps, type Timing } from './settings.ts'
import type { SilenceWatch } from './silence.ts'
import type { Tally } from './status.ts'

type AppendDeps = Pick<PublisherDeps, 'key' | 'sign' | 'failpoint'> & {
  stream: LifecycleStream
  times: Timing
  tally: Tally
  silence: SilenceWatch
  signal: AbortSignal
}

export type Appended =
  /** So many of the batch are in the stream, which ends there now. */
  | { taken: number, place: KnownPlace }
  /** The stream ends elsewhere: the place has to be found anew. */
  | 'moved'

export const createAppender = ({ key, sign, failpoint = () => {}, stream, times, tally, silence, signal }: AppendDeps) =>
  async (queue: readonly LifecycleEvent[], place: KnownPlace): Promise<Appended> => {
    const batch = queue.slice(0, BATCH)
    const entries = entriesOf(batch, place.previous, key, sign)
    failpoint('publisher.before_append')
    for (let pauseMs = times.firstPauseMs, inDoubt = false; !signal.aborted; pauseMs = Math.min(pauseMs * 2, times.longestPauseMs)) {
      const askedAt = performance.now()
      try {
        const answer = await stream.append(place.tail, entries)
        if (answer.outcome === 'moved') {
          if ((positionOf(answer.tail) ?? 0n) > place.previous && !inDoubt) tally.overtaken(1, silence.recent())
          return 'moved'
        }
        failpoint('publisher.after_append')
        tally.turn('ready')
        tally.published(batch.length - answer.existed)
        // After an answer that was lost, what exists may well be its own.
        if (answer.existed > 0 && !inDoubt) tally.overtaken(answer.existed, silence.recent())
        if (answer.existed === 0) silence.upToDate(askedAt)
        const tail = entries.at(-1)?.id ?? place.tail
        tally.at(tail)
        return { taken: batch.length, place: { ...place, tail, previous: batch.at(-1)?.position ?? place.previous } }
      } catch (error) {
        if (!(error instanceof StreamUnavailable)) throw error
        inDoubt = true
        tally.failed(error.code)
        tally.turn('away', error.code)
        await delay(pauseMs, undefined, { signal, ref: false }).catch(() => {})
      }
    }
    return 'moved'
  }

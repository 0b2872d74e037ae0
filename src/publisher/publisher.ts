// Publishes the log's lifecycle events into the Redis stream: compare and append, resumed from Redis's own tail
// (decision 25, docs/explanation/lifecycle-stream.md). Any number may run; none is elected.
import { setTimeout as delay } from 'node:timers/promises'
import { positionOf } from '../domain/lifecycle/entry.ts'
import type { Epochs } from '../domain/lifecycle/epochs.ts'
import { LogForked, UnreadableEvent } from '../log-errors.ts'
import { StreamUnavailable, type LifecycleStream, type PublisherStatus, type Verification } from '../lifecycle-stream.ts'
import { foreignEntry, unreadableEvent } from './alarms.ts'
import { createAppender } from './append.ts'
import { carryOutEpoch } from './epochs.ts'
import { locate, type KnownPlace } from './place.ts'
import { readFrom, type Reading } from './reading.ts'
import { timing as usual, type PublisherDeps } from './settings.ts'
import { watchSilence } from './silence.ts'
import { createTally } from './status.ts'
import { createTending } from './tending.ts'
import { windowOf } from './window.ts'

export interface Publisher {
  status (): PublisherStatus
  /** Compares the retained window with the log, now. Throws StreamUnavailable, LogUnavailable. */
  verify (): Promise<Verification>
  /** Publishes nothing more; what is under way ends first. */
  close (): Promise<void>
}

export const startPublisher = (deps: PublisherDeps): Publisher => {
  const { events, key, log } = deps
  const times = { ...usual, ...deps.timing }
  const closing = new AbortController()
  const { signal } = closing
  let reading: Reading | undefined
  let trustHint = true
  const tally = createTally(key, log, () => {
    const oldest = reading?.queue[0]
    return { lagEntries: reading?.queue.length, lagMs: reading === undefined ? undefined : oldest === undefined ? 0 : Math.max(0, deps.clock.now().getTime() - oldest.created.getTime()) }
  })
  const tending = createTending(deps, tally, {
    settledUpTo: () => reading?.settledUpTo,
    // Found while it follows: that ends, and the next attempt reads from the stream's own end.
    doubt: () => { trustHint = false }
  }, signal)
  const silence = watchSilence(times.silenceMs)
  const pause = (ms: number) => delay(ms, undefined, { signal, ref: false }).catch(() => {})
  const within = (ms: number, change: Promise<void>) => {
    const over = new AbortController()
    return Promise.race([change, delay(ms, undefined, { signal: over.signal, ref: false }).catch(() => {})]).finally(() => { over.abort() })
  }

  /** Publishes from a place on until the stream turns out to end elsewhere, or an epoch is due. */
  const follow = async (stream: LifecycleStream, begin: KnownPlace, epochs: Epochs, from: Reading): Promise<void> => {
    const append = createAppender({ ...deps, stream, times, tally, silence, signal })
    let place = begin
    let looked = performance.now()
    let noted = performance.now()
    let open = epochs.open
    while (!signal.aborted) {
      if (!trustHint) return
      const changed = from.changed()
      if (from.failed !== undefined) throw from.failed
      if ([...from.epochs].some((id) => !epochs.begun.includes(id))) return
      if (from.queue.length > 0) {
        const answer = await append(from.queue, place)
        if (answer === 'moved') return
        from.taken(answer.taken)
        place = answer.place
        looked = performance.now()
        continue
      }
      if (from.caughtUp && open !== undefined) {
        // Compared before it is said to be done: what the old stream was reproached with goes with it.
        await tending.verify()
        await deps.completeEpoch(open.epochId, (await stream.state()).length)
        open = undefined
      }
      if (performance.now() - noted >= times.noteEveryMs) {
        noted = performance.now()
        await note(stream, place, from)
      }
      await within(times.lookEveryMs, changed)
      if (performance.now() - looked < times.lookEveryMs || from.queue.length > 0) continue
      looked = performance.now()
      const state = await look(stream)
      if (state === undefined) continue
      tally.turn('ready')
      if (state.tail === place.tail && from.queue.length === 0) silence.upToDate(looked)
      // Another one may be ahead of what was read here: that comes. What lies behind, or is strange, has to be looked at.
      if (state.tail !== place.tail && !((positionOf(state.tail) ?? 0n) > place.previous && (await locate(events, state, noWindow)).kind === 'known')) return
    }
  }

  /** The stream's state; undefined while Redis is away: the log is read on meanwhile, so that the lag stays known. */
  const look = async (stream: LifecycleStream) => {
    try {
      return await stream.state()
    } catch (error) {
      if (!(error instanceof StreamUnavailable)) throw error
      tally.turn('away', error.code)
      return undefined
    }
  }

  const note = async (stream: LifecycleStream, place: KnownPlace, { lastRead, queue }: Reading): Promise<void> => {
    if (lastRead !== undefined && lastRead.position > place.previous && queue.length === 0) await stream.noteReadTo(place.tail, lastRead).catch(() => {})
  }

  /** One attempt: settles epochs, finds the place, follows the log from there. */
  const attempt = async (stream: LifecycleStream): Promise<void> => {
    const epochs = await carryOutEpoch(deps, stream)
    const state = await stream.state()
    tally.at(state.tail)
    const place = await locate(events, state, () => windowOf(deps, stream), trustHint)
    trustHint = true
    if (place.kind === 'foreign') {
      tally.turn('stopped')
      tally.alarms('place', [foreignEntry(key, place.entryId)])
      await pause(times.longestPauseMs)
      return
    }
    tally.alarms('place', [])
    tally.turn('ready')
    reading = readFrom(events, place.from, signal)
    const own = reading
    try {
      await follow(stream, place, epochs, own)
    } finally {
      await own.stop()
      reading = undefined
    }
  }

  const trouble = async (error: unknown, failures: number): Promise<void> => {
    if (error instanceof StreamUnavailable) tally.turn('away', error.code)
    else if (error instanceof LogForked) trustHint = false
    else if (error instanceof UnreadableEvent) {
      tally.turn('stopped')
      tally.alarms('place', [unreadableEvent(error)])
    } else log.warn({ stream: key, err: error }, 'the publisher cannot read the log and tries again')
    await pause(Math.min(times.longestPauseMs, times.firstPauseMs * 2 ** Math.min(failures, 10)))
  }

  const run = async (): Promise<void> => {
    const stream = await deps.stream(signal)
    tending.begin(stream)
    for (let failures = 0; !signal.aborted;) {
      try {
        await attempt(stream)
        failures = 0
      } catch (error) {
        if (!signal.aborted) await trouble(error, failures++)
      }
    }
  }
  const running = run().catch((error: unknown) => { if (!signal.aborted) log.error({ stream: key, err: error }, 'the publisher ended') })

  return {
    status: () => tally.status(),
    verify: () => tending.verify(),
    close: async () => {
      closing.abort()
      await running
      silence.stop()
      await tending.stop()
    }
  }
}

const noWindow = () => Promise.resolve({ previous: 0n, previousId: undefined })

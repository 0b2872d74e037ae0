// Publishes the log's lifecycle events into the Redis stream: compare and append, resumed from Redis's own tail
// (decision 25, docs/explanation/lifecycle-stream.md). Any number may run; none is elected.
import { setTimeout as delay } from 'node:timers/promises'
import { positionOf } from '../domain/lifecycle/entry.ts'
import type { EpochBegun } from '../domain/lifecycle/epochs.ts'
import { LogForked, UnreadableEvent } from '../log-errors.ts'
import { StreamUnavailable, type LifecycleStream, type PublisherStatus, type Verification } from '../lifecycle-stream.ts'
import { entriesOf } from './entries.ts'
import { readEpochs } from './epochs.ts'
import { EMPTY, locate, type Place } from './place.ts'
import { readFrom, type Reading } from './reading.ts'
import { BATCH, timing as usual, type PublisherDeps } from './settings.ts'
import { createTally } from './status.ts'
import { createTending } from './tending.ts'
import { windowStart } from './window.ts'

export interface Publisher {
  status (): PublisherStatus
  /** Compares the retained window with the log, now. Throws StreamUnavailable, LogUnavailable. */
  verify (): Promise<Verification>
  /** Publishes nothing more; what is under way ends first. */
  close (): Promise<void>
}

type Known = Extract<Place, { kind: 'known' }>

export const startPublisher = (deps: PublisherDeps): Publisher => {
  const { events, sign, key, log, failpoint = () => {} } = deps
  const times = { ...usual, ...deps.timing }
  const closing = new AbortController()
  const { signal } = closing
  let reading: Reading | undefined
  let trustHint = true
  const tally = createTally(key, log, () => {
    const oldest = reading?.queue[0]
    return { lagEntries: reading?.queue.length, lagMs: reading === undefined ? undefined : oldest === undefined ? 0 : Math.max(0, deps.clock.now().getTime() - oldest.created.getTime()) }
  })
  const tending = createTending(deps, tally, signal)
  const pause = (ms: number) => delay(ms, undefined, { signal, ref: false }).catch(() => {})
  const within = (ms: number, change: Promise<void>) => {
    const over = new AbortController()
    return Promise.race([change, delay(ms, undefined, { signal: over.signal, ref: false }).catch(() => {})]).finally(() => { over.abort() })
  }

  /** Carries out an epoch that the log orders; the stream is empty then, and filled like any empty one. */
  const settleEpoch = async (stream: LifecycleStream): Promise<{ open: EpochBegun | undefined, begun: ReadonlySet<string> }> => {
    const { open, begun } = await readEpochs(events)
    if (open !== undefined && await stream.beginAnew(open)) failpoint('publisher.after_epoch')
    return { open, begun: new Set(begun) }
  }

  /** Appends one batch, as often as it takes Redis to answer. */
  const publish = async (stream: LifecycleStream, from: Reading, place: Known): Promise<Known | 'moved'> => {
    const batch = from.queue.slice(0, BATCH)
    const entries = entriesOf(batch, place.previous, key, sign)
    failpoint('publisher.before_append')
    for (let pauseMs = times.firstPauseMs, inDoubt = false; !signal.aborted; pauseMs = Math.min(pauseMs * 2, times.longestPauseMs)) {
      try {
        const answer = await stream.append(place.tail, entries)
        if (answer.outcome === 'moved') {
          if ((positionOf(answer.tail) ?? 0n) > place.previous && !inDoubt) tally.fenced(1)
          return 'moved'
        }
        failpoint('publisher.after_append')
        tally.turn('ready')
        tally.published(batch.length - answer.existed)
        if (answer.existed > 0 && !inDoubt) tally.fenced(answer.existed)
        from.taken(batch.length)
        const { id } = entries.at(-1) ?? { id: place.tail }
        tally.at(id)
        return { ...place, tail: id, previous: batch.at(-1)?.position ?? place.previous }
      } catch (error) {
        if (!(error instanceof StreamUnavailable)) throw error
        inDoubt = true
        tally.failed(error.code)
        tally.turn('away', error.code)
        await pause(pauseMs)
      }
    }
    return 'moved'
  }

  /** Publishes from a place on until the stream turns out to end elsewhere, or an epoch is due. */
  const follow = async (stream: LifecycleStream, begin: Known, epochs: Awaited<ReturnType<typeof settleEpoch>>, from: Reading): Promise<void> => {
    let place = begin
    let looked = performance.now()
    let noted = performance.now()
    let open = epochs.open
    while (!signal.aborted) {
      const changed = from.changed()
      if (from.failed !== undefined) throw from.failed
      if ([...from.epochs].some((id) => !epochs.begun.has(id))) return
      if (from.queue.length > 0) {
        const next = await publish(stream, from, place)
        if (next === 'moved') return
        place = next
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

  const note = async (stream: LifecycleStream, place: Known, { lastRead, queue }: Reading): Promise<void> => {
    if (lastRead !== undefined && lastRead.position > place.previous && queue.length === 0) await stream.noteReadTo(place.tail, lastRead).catch(() => {})
  }

  /** One attempt: settles epochs, finds the place, follows the log from there. */
  const attempt = async (stream: LifecycleStream): Promise<void> => {
    const epochs = await settleEpoch(stream)
    const state = await stream.state()
    tally.at(state.tail)
    const place = await locate(events, state, () => windowFor(stream), trustHint)
    trustHint = true
    if (place.kind === 'foreign') {
      tally.turn('stopped')
      tally.alarms('place', [foreign(key, place.entryId)])
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

  /** The retained window; further back where a consumer that is known to lag still needs it. */
  const windowFor = async (stream: LifecycleStream) => {
    const registered = await deps.consumers().catch(() => undefined)
    const acknowledged = [...await stream.acknowledged()]
      .filter(([name]) => registered?.some((consumer) => consumer.name === name) ?? true).map(([, position]) => position)
    const needed = acknowledged.length === 0 ? undefined : acknowledged.reduce((least, position) => position < least ? position : least)
    return windowStart(events, { cutoffMs: deps.clock.now().getTime() - deps.retentionMs, needed })
  }

  const trouble = async (error: unknown, failures: number): Promise<void> => {
    if (error instanceof StreamUnavailable) tally.turn('away', error.code)
    else if (error instanceof LogForked) trustHint = false
    else if (error instanceof UnreadableEvent) {
      tally.turn('stopped')
      tally.alarms('place', [unreadable(error)])
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
      await tending.stop()
    }
  }
}

const noWindow = () => Promise.resolve({ previous: 0n, previousId: undefined })

const foreign = (key: string, entryId: string) => ({
  reason: 'foreign_entry' as const,
  message: `The stream ${key} ends with ${entryId === EMPTY ? 'nothing' : `entry ${entryId}`}, which this log did not make: somebody else wrote there, or the log is another one. Nothing is published.`,
  hint: 'Find out who has write access. If the log is the right one: chancery lifecycle epoch.'
})

const unreadable = (error: UnreadableEvent) => ({ reason: 'unreadable_event' as const, message: error.message, hint: 'Run a version of the service that reads this event.' })

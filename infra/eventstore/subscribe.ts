// The live feed of Chancery's events: one subscription after another, none of which may lose, repeat or silently stop.
import { setTimeout as delay } from 'node:timers/promises'
import { LogForked, UnreadableEvent } from '../../src/log-errors.ts'
import type { Delivery, SubscribeOptions } from '../../src/ports.ts'
import { decode } from './codec.ts'
import { isPassing } from './failures.ts'
import type { Link } from './link.ts'
import { proveUnforked } from './fork.ts'
import { isForeignPosition, type Reader } from './read.ts'
import { receive, type ReadResponse } from './receive.ts'
import { storedEventOf } from './records.ts'
import { allRequest, type Place } from './requests.ts'
import { watchful } from './watchdog.ts'

export interface Feed {
  /** A link of its own: a slow reader must not share a connection with appends. */
  link: Link
  reader: Reader
  prefix: string
  categories: readonly string[]
  /** Milliseconds of silence after which the end of the log is compared with what was delivered. */
  watchdogMs: number
  /** Told of every drop that is being mended. */
  onDrop (error: unknown): void
}

const MAX_BACKOFF_MS = 1_000

/** Where a subscription stands between two connections. */
interface Progress {
  from: Place | undefined
  /** Everything of ours up to here was delivered. */
  delivered: bigint
  last: { position: bigint, id: string } | undefined
}

export async function * subscribe (feed: Feed, { after, last, signal }: SubscribeOptions): AsyncGenerator<Delivery, void, undefined> {
  const start = after === 0n ? undefined : after
  const progress: Progress = { from: start === undefined ? undefined : { commit: start, prepare: start }, delivered: start ?? 0n, last }
  let backoff = 0
  while (!signal.aborted) {
    try {
      await proveUnforked(feed.reader, progress.delivered, progress.last)
      for await (const delivery of connected(feed, progress, signal)) {
        backoff = 0
        yield delivery
      }
      if (!signal.aborted) feed.onDrop(new Error('the server ended the subscription'))
    } catch (error) {
      if (signal.aborted) return
      if (isForeignPosition(error)) throw new LogForked(progress.delivered, 'the position belongs to no event any more')
      if (isFinal(error)) throw error
      feed.onDrop(error)
    }
    backoff = Math.min(MAX_BACKOFF_MS, Math.max(20, backoff * 2))
    await delay(backoff, undefined, { signal }).catch(() => {})
  }
}

const isFinal = (error: unknown): boolean =>
  error instanceof UnreadableEvent || error instanceof LogForked || !(isPassing(error) || (error as Error).name === 'LogUnavailable')

/** One connection's worth; moves `progress` before it delivers. */
async function * connected (feed: Feed, progress: Progress, signal: AbortSignal): AsyncGenerator<Delivery, void, undefined> {
  const { connection } = await feed.link.get()
  const request = allRequest({ from: progress.from ?? 'start', prefixes: feed.categories, subscribe: true })
  const wait = watchful(feed.reader, feed.watchdogMs, () => progress.delivered, signal)
  for await (const response of receive(connection, request, wait)) {
    const delivery = deliveryOf(feed, progress, response)
    if (delivery !== undefined) yield delivery
    if (signal.aborted) return
  }
}

const deliveryOf = (feed: Feed, progress: Progress, response: ReadResponse): Delivery | undefined => {
  const stored = storedEventOf(response, feed.prefix)
  if (stored !== undefined) {
    const event = decode(stored)
    progress.from = { commit: stored.position, prepare: stored.position }
    progress.delivered = stored.position
    progress.last = { position: stored.position, id: stored.id }
    return { kind: 'event', event }
  }
  const checkpoint = response.getCheckpoint()
  if (checkpoint !== undefined) {
    const place = { commit: BigInt(checkpoint.getCommitPosition()), prepare: BigInt(checkpoint.getPreparePosition()) }
    progress.from = place
    // While catching up a store may say (commit, 0): good for resuming, but not the one number that positions are outside.
    if (place.commit !== place.prepare || place.commit <= progress.delivered) return undefined
    progress.delivered = place.commit
    return { kind: 'checkpoint', position: place.commit }
  }
  return response.hasCaughtUp() ? { kind: 'caught_up' } : undefined
}

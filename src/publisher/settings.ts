// What a publisher is given, and how long it waits for what.
import type { LifecycleStream, RegisteredConsumer } from '../lifecycle-stream.ts'
import type { Clock, EventStore } from '../ports.ts'
import type { Sign } from './entries.ts'

export interface PublisherLog {
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}

export interface PublisherDeps {
  events: Pick<EventStore, 'at' | 'rawAll' | 'readAll' | 'readStream' | 'subscribe'>
  /** Resolves once there is a Redis to publish to; rejects with the signal's reason. */
  stream: (signal: AbortSignal) => Promise<LifecycleStream>
  /** Key of the stream: known before Redis is. */
  key: string
  sign: Sign
  clock: Clock
  /** How long the stream reaches back. */
  retentionMs: number
  /** Who follows the stream. While this rejects, nothing is trimmed. */
  consumers: () => Promise<readonly RegisteredConsumer[]>
  /** Who followed it once: what they left in Redis is cleared away. */
  retired?: () => Promise<readonly RegisteredConsumer[]>
  /** Appends that an epoch's new stream holds what it should; nothing if that was said. */
  completeEpoch: (epochId: string, entries: number) => Promise<void>
  log: PublisherLog
  /** For tests of crashes: dies at a named moment, or does nothing. */
  failpoint?: (moment: 'publisher.before_append' | 'publisher.after_append' | 'publisher.after_epoch') => void
  timing?: Partial<Timing>
}

export interface Timing {
  /** Pause after the first failure, and the longest. */
  firstPauseMs: number
  longestPauseMs: number
  /** So often an idle publisher looks whether the stream is still the one it left. */
  lookEveryMs: number
  /** So often, at the most, it keeps how far it has read. */
  noteEveryMs: number
  /** So often the stream is compared with the log and trimmed. */
  tendEveryMs: number
  /** A process in which nothing ran for so long was held up; whoever overtook it meanwhile has fenced it. */
  silenceMs: number
}

export const timing: Timing = { firstPauseMs: 50, longestPauseMs: 1_000, lookEveryMs: 1_000, noteEveryMs: 10_000, tendEveryMs: 60_000, silenceMs: 1_000 }

/** Entries in one call: longer pipelines are slower in Redis. */
export const BATCH = 128

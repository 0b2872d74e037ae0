// What a consumer is told and asked: its options, its events, its state.
import type { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'
import type { LifecycleEntry, MacKeys } from './entry.ts'
import type { LifecycleService, Snapshot } from './service.ts'
import type { ConsumerStore, ParkedEntry } from './store.ts'

export interface LifecycleConsumerOptions<Tx> {
  /** Under which it is registered with Chancery; one member of a name is active at a time. */
  name: string
  /** `redis://…`, or a client whose settings are taken over; it is neither used nor closed. */
  redis: string | Redis
  /** Key of the stream, with its namespace if there is one. Default `user:lifecycle_events`. */
  stream?: string
  /** The registered consumer group. Without one the consumer follows from a pinned position and leaves nothing in Redis. */
  group?: string
  /** Where a consumer begins that is new in its store: everything up to here counts as known. Default 0, the beginning. */
  from?: bigint
  store: ConsumerStore<Tx>
  macKeys: MacKeys
  /**
   * Does what follows from an entry, with `tx` in the transaction that also notes it as settled: all or nothing. What
   * it does outside that transaction may happen again.
   */
  handle: (entry: LifecycleEntry, tx: Tx) => Promise<void>
  /** Puts the consumer's data right by a snapshot, after entries were trimmed that it had not read. Needs `service`. */
  onSnapshotNeeded?: (need: SnapshotNeed, tx: Tx) => Promise<void>
  /** For snapshots and digests: see createLifecycleService. */
  service?: Pick<LifecycleService, 'snapshot' | 'digest'>
  /** Users whose entries are handled side by side; default 8. The store needs two connections more. */
  parallel?: number
  /** How often the handler is tried before the entry is parked; default 5. */
  attempts?: number
  /** Pause after the first failure, in ms, doubled up to 50 times as much; default 100. */
  backoffMs?: number
  /** How long the name stays taken when a member dies, in ms; default 10,000. */
  leaseMs?: number
  /** How often the digest is compared, if there is a service, in ms; 0: never. Default 60,000. */
  digestEveryMs?: number
}

export interface SnapshotNeed {
  /** Read and settled up to here; on a resync: proven. */
  after: bigint
  /** The last entry that was trimmed unread; on a resync: the last that was settled. The snapshot is as of it. */
  upTo: bigint
  snapshot: Snapshot
}

export type AlarmReason =
  /** The entry is not one of Chancery's: the MAC fails, the key is unknown, or it has no valid form. */
  | 'bad_mac' | 'unknown_key' | 'malformed'
  /** Entries were trimmed before they were read, and there is no way to get a snapshot. */
  | 'trimmed' | 'snapshot_failed'
  /** The entry names a predecessor before one that was settled: the log was replaced. */
  | 'forked'
  /** Count or hash of what was settled is not what the log says. */
  | 'digest_mismatch'

export interface Alarm { reason: AlarmReason, detail: string, entryId?: string }

/** Names and arguments of the events. */
export interface LifecycleConsumerEvents {
  /** This member works. */
  active: [{ fence: bigint }]
  /** Another member works, or the name is free for a moment. */
  standby: []
  /** `repeated`: it was noted before, and the handler did not run. */
  settled: [entry: LifecycleEntry, outcome: 'settled' | 'repeated']
  /** The handler failed; it is tried again, or parked. */
  failed: [entry: LifecycleEntry, error: unknown, attempt: number]
  parked: [entry: LifecycleEntry, why: Pick<ParkedEntry, 'attempts' | 'error'>]
  unparked: [entry: LifecycleEntry]
  /** Entries up to `upTo` were trimmed unread; with a snapshot it goes on. */
  trimmed: [{ after: bigint, upTo: bigint }]
  /** The snapshot is in; reading goes on after its position. */
  restarted: [{ position: bigint }]
  /** It reads no further until this is over, and keeps looking; only `digest_mismatch` does not hold it up: that ends by a resync. */
  alarm: [Alarm]
  recovered: [Alarm]
  /** The range was compared with the log, and is the same. */
  proven: [{ from: bigint, to: bigint, count: number }]
  /** Redis, the store or the service did not answer; it is tried again. */
  trouble: [error: unknown]
}

export interface LifecycleConsumerState {
  doing: 'stopped' | 'standing_by' | 'working'
  /** Everything up to here is settled, as far as this member knows. */
  position?: bigint
  /** Entries read and not settled. */
  underWay: number
  alarm?: Alarm
}

export interface LifecycleConsumer extends EventEmitter<LifecycleConsumerEvents> {
  start (): void
  /** Lets handlers end that have begun, at most 10 s, and gives the lease back. */
  stop (): Promise<void>
  state (): LifecycleConsumerState
  /**
   * Puts everything right by a snapshot, as after a gap: the way out of `digest_mismatch`. Rejects if this member is not the
   * active one, if no snapshot can be taken, or if onSnapshotNeeded rejects; then nothing has changed.
   */
  resync (): Promise<void>
  parked (): Promise<ParkedEntry[]>
  /** Has parked entries tried again by the active member, wherever it is: those of one user, or all. How many. */
  retry (userId?: string): Promise<number>
}

export type Tell = <E extends keyof LifecycleConsumerEvents>(event: E, ...said: LifecycleConsumerEvents[E]) => void

/** Options with every default filled in. */
export type Settings<Tx> = LifecycleConsumerOptions<Tx> &
  Required<Pick<LifecycleConsumerOptions<Tx>, 'stream' | 'from' | 'parallel' | 'attempts' | 'backoffMs' | 'leaseMs' | 'digestEveryMs'>>

// What the kit needs of the consumer's own database: lease, position and effects in one transaction. Postgres: postgres.ts.
import type { RollingDigest } from './digest.ts'
import type { LifecycleEntry } from './entry.ts'

/** The right to work under a consumer's name. `fence` rises with every holder: an older one can commit nothing. */
export interface Lease { name: string, holder: string, fence: bigint }

/** Where a consumer stands. */
export interface Standing {
  /** Everything up to here is settled; what was settled beyond it is in `beyond`. */
  position: bigint
  /** Event at that position; absent where the position was set (at the first start, by a snapshot) and may belong to no entry. */
  eventId?: string
  digest: RollingDigest
  /** Positions settled beyond the prefix. */
  beyond: ReadonlySet<bigint>
  /** Users with a parked entry: their later entries are parked too. */
  parkedUsers: ReadonlySet<string>
}

export interface ParkedEntry {
  entry: LifecycleEntry
  /** How often the handler failed; 0 if it was parked because an earlier one of its user is. */
  attempts: number
  /** What the handler said the last time. */
  error: string
  parkedAt: Date
  /** Somebody asked to try it again. */
  retry: boolean
}

/** The handler failed, and its transaction was rolled back. Whatever else a store throws may be trouble of the database. */
export class HandlerFailed extends Error {
  constructor (cause: unknown) {
    super(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause), { cause })
    this.name = 'HandlerFailed'
  }
}

/** Another member has the lease; the transaction was rolled back. */
export class LeaseLost extends Error {
  constructor (name: string) {
    super(`another member works under the name ${name}`)
    this.name = 'LeaseLost'
  }
}

/**
 * Adapter to a database with transactions. Every method that takes a lease does its work in one transaction which
 * fails with `LeaseLost`, leaving nothing behind, if the lease's fence is no longer the current one at its end; a
 * takeover waits for transactions that have passed this check.
 */
export interface ConsumerStore<Tx> {
  /** Makes what it needs; called before anything else, by any number of members at once. */
  prepare (): Promise<void>
  /**
   * Takes the lease if nobody has it, its time is over, or `holder` has it already.
   * @param from the position of a consumer that is new here
   */
  acquire (name: string, holder: string, leaseMs: number, from: bigint): Promise<Lease | undefined>
  /** Puts the lease's end off; false if another member has it. */
  renew (lease: Lease, leaseMs: number): Promise<boolean>
  /** Gives it back, if it is still held. */
  release (lease: Lease): Promise<void>
  load (name: string): Promise<Standing | undefined>
  /**
   * Runs `work` and notes the entry as settled, in one transaction. `repeated` if position or event id are noted already:
   * then `work` did not run.
   * @throws HandlerFailed if `work` rejected
   */
  settle (lease: Lease, entry: LifecycleEntry, work: (tx: Tx) => Promise<void>): Promise<'settled' | 'repeated'>
  /** Notes the entry as settled and parked. */
  park (lease: Lease, entry: LifecycleEntry, why: Pick<ParkedEntry, 'attempts' | 'error'>): Promise<void>
  /** Moves the prefix and forgets what it has passed. */
  advance (lease: Lease, to: { position: bigint, eventId: string, digest: RollingDigest }): Promise<void>
  /**
   * Runs `work` and sets the position, forgetting what was settled or parked up to it. What was settled beyond it stays so.
   * @throws HandlerFailed if `work` rejected
   */
  restart (lease: Lease, position: bigint, work: (tx: Tx) => Promise<void>): Promise<void>
  /** In the order of the stream. */
  parked (name: string): Promise<ParkedEntry[]>
  /** Marks parked entries, of one user or all, to be tried again by the active member; how many. */
  askRetry (name: string, userId?: string): Promise<number>
  /** Runs `work` and takes the entry off the parked ones. `gone` if it is not there: then `work` did not run. */
  unpark (lease: Lease, position: bigint, work: (tx: Tx) => Promise<void>): Promise<'settled' | 'gone'>
  /** Notes that it failed again; it stays parked. */
  parkAgain (lease: Lease, position: bigint, error: string): Promise<void>
}

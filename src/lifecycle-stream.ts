// The lifecycle stream in Redis as the program sees it: what infra/redis provides, and what the publisher tells of it.

/** An entry as Redis has it. */
export interface StreamEntry { id: string, fields: Readonly<Record<string, string>> }

/** The stream at one moment. */
export interface StreamState {
  /** `last-generated-id`; `0-0` for a stream that is absent or was never written, `none` if the key holds something else. */
  tail: string
  length: number
  first: StreamEntry | undefined
  last: StreamEntry | undefined
  /** Entries ever added to this key, and the highest id that was deleted singly: they tell a stream that was tampered with. */
  added: number
  maxDeleted: string
  /** Up to where the log holds no lifecycle event after `after`: saves reading it again. Counts only if `after` is the tail. */
  readTo: { after: string, position: bigint, eventId: string } | undefined
  /** The last epoch that was begun in this Redis. */
  epoch: string | undefined
}

export type AppendAnswer =
  /** All of them are in the stream; the first `existed` of them were already, from another publisher. */
  | { outcome: 'appended', existed: number }
  /** The stream ends elsewhere than was expected: nothing was written. */
  | { outcome: 'moved', tail: string }

export interface TrimOrder {
  /** Position of the newest entry that goes, and the id of the oldest that stays, which has to exist. */
  upTo: bigint
  keep: string
  /** The groups that may exist; a strange one stops the trimming. */
  groups: readonly string[]
  /** Whoever has to have acknowledged what goes. */
  consumers: readonly string[]
}

export type TrimAnswer =
  | { outcome: 'trimmed', entries: number }
  | { outcome: 'refused', because: 'unknown_group' | 'held_back' | 'moved', name: string }

export interface EpochOrder {
  epochId: string
  renamedTo: string
  groups: ReadonlyArray<{ group: string, position: string }>
  /** The last epoch that was begun in this Redis when the log was asked: another one since, and this order is old. */
  after: string | undefined
}

/** Every call is one atomic step in Redis. All throw StreamUnavailable. */
export interface LifecycleStream {
  readonly key: string
  state (): Promise<StreamState>
  /** Appends behind `after` and nowhere else; at most 128 entries. */
  append (after: string, entries: readonly StreamEntry[]): Promise<AppendAnswer>
  /** Keeps the hint that the log was read up to there, if the stream still ends at `after`. */
  noteReadTo (after: string, place: { position: bigint, id: string }): Promise<void>
  /** Entries after an id, in order. */
  page (after: string, limit: number): Promise<StreamEntry[]>
  groups (): Promise<string[]>
  /** Consumer → position up to which it has acknowledged. */
  acknowledged (): Promise<ReadonlyMap<string, bigint>>
  trim (order: TrimOrder): Promise<TrimAnswer>
  /** Takes away the groups and the acknowledged positions of consumers that are retired; what is not there is no matter. */
  forget (gone: { groups: readonly string[], consumers: readonly string[] }): Promise<void>
  /** Puts the stream aside under another name and begins an empty one with its groups; false if another epoch than `after` was begun last. */
  beginAnew (order: EpochOrder): Promise<boolean>
  close (): void
}

/** Redis was not reached, was full, is loading, is a replica …: `code` is its own word for it. The answer may be lost, and the effect there. */
export class StreamUnavailable extends Error {
  readonly code: string

  constructor (code: string, options?: ErrorOptions) {
    super(`Redis: ${code}`, options)
    this.name = 'StreamUnavailable'
    this.code = code
  }
}

// --- what operators see ------------------------------------------------------------------------------------------

export const alarmReasons = ['foreign_entry', 'unreadable_event', 'mismatch', 'held_back', 'unknown_group'] as const
export const mismatchKinds = ['missing', 'extra', 'different', 'out_of_order'] as const
/** `waiting`: no Redis yet, or not yet looked at; `away`: it does not take what is to be published; `stopped`: an alarm says why. */
export const publisherStates = ['waiting', 'away', 'stopped', 'ready'] as const

/** Something that somebody has to do something about. Names no person. */
export interface LifecycleAlarm {
  reason: typeof alarmReasons[number]
  message: string
  hint: string
}

export interface Mismatch {
  kind: typeof mismatchKinds[number]
  /** Of the entry, or the one it should have. */
  entryId: string
  eventId: string
}

export interface Verification {
  /** Positions in the log between which it was compared: (from, to]. */
  from: bigint
  to: bigint
  entries: number
  missing: number
  extra: number
  different: number
  outOfOrder: number
  /** Of the missing: how many lie behind the stream's end, where nothing was believed to be left. */
  passedOver: number
  /** At most 20. */
  samples: readonly Mismatch[]
  at: Date
  tookMs: number
}

export interface PublisherStatus {
  state: typeof publisherStates[number]
  /** Why it is away: Redis's own word. */
  cause: string | undefined
  stream: string
  tail: string | undefined
  /** Lifecycle events that the stream still lacks, at least; undefined while that is not known. */
  lagEntries: number | undefined
  /** Age of the oldest of them in ms by the store's time of append. */
  lagMs: number | undefined
  /** Counted since this process started. */
  published: number
  failures: number
  /** Entries that another publisher had written when this one was about to. */
  overtaken: number
  /** The same, after this process had been held up: it woke into a stream that had gone on. */
  fenced: number
  trimmed: number
  alarms: readonly LifecycleAlarm[]
  verified: Verification | undefined
}

/** What Redis holds beside the log's own knowledge. */
export interface StreamReport {
  state: StreamState
  /** The end of the stream, if no event of the log has it. */
  strayEntryId: string | undefined
  groups: readonly string[]
  consumers: ReadonlyArray<RegisteredConsumer & { acknowledged: bigint | undefined }>
}

/** What operators do with the stream. All but `status` throw StreamUnavailable and LogUnavailable. */
export interface LifecycleOperations {
  /** Undefined where this process does not publish. */
  status (): PublisherStatus | undefined
  report (): Promise<StreamReport>
  /** Compares the whole retained window with the log. */
  verify (): Promise<Verification>
}

/** A consumer of the stream as far as trimming and epochs concern it. */
export interface RegisteredConsumer { name: string, group: string }

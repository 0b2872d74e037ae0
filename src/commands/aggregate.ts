// An aggregate as the load-decide-append loop sees it, and what is known of one of its streams.
import type { Category, EventOf, RecordedOf } from '../domain/catalogue.ts'
import type { ExpectedRevision } from '../ports.ts'

/** One folded stream category: where its streams are, how a state begins and how a fact changes it. */
export interface Aggregate<State, C extends Category> {
  category: C
  initial: State
  /** Folds one fact. Never throws. */
  evolve (state: State, event: RecordedOf<C>): State
}

/** What one command recorded in one stream. */
export interface RecordedCommand {
  fingerprint: string | undefined
  first: bigint
  last: bigint
  /** Position of its last event. */
  position: bigint
}

/** A stream folded up to a revision. */
export interface Loaded<State> {
  state: State
  revision: ExpectedRevision
  /** Position of its last event; 0 when there is none. */
  position: bigint
  /** Command id → what it recorded here. */
  commands: ReadonlyMap<string, RecordedCommand>
}

/** The state as it will be once these facts are appended to what the decision is taken on: for facts that follow from them. */
export type After<State, C extends Category> = (facts: ReadonlyArray<EventOf<C>>) => State

/** Decides on a state: new facts, none if there is nothing to record, or a thrown Refusal. Pure. */
export type Decide<State, C extends Category> = (state: State, loaded: Loaded<State>, after: After<State, C>) => ReadonlyArray<EventOf<C>>

/** The answer of the loop. `events` are the facts that this command recorded, also when it is repeated. */
export interface Receipt<State, C extends Category> {
  stream: string
  revision: ExpectedRevision
  /** Position of the command's last event; of the stream's last event if it recorded none. */
  position: bigint
  state: State
  events: ReadonlyArray<RecordedOf<C>>
  /** True if the first answer to this command id was given again. */
  replayed: boolean
}

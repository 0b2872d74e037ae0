// The only load-decide-append loop: idempotent by command id, one append for a warm accepted command,
// one tail read for a warm refusal (decisions 1 and 4, docs/explanation/write-path.md).
import { LRUCache } from 'lru-cache'
import { streamName, type Category, type ChanceryEvent, type EventOf, type RecordedOf } from '../domain/catalogue.ts'
import { Refusal, refuse } from '../domain/codes.ts'
import { WrongExpectedRevision } from '../log-errors.ts'
import type { EventStore, ExpectedRevision, Ids } from '../ports.ts'
import type { After, Aggregate, Decide, Loaded, Receipt, RecordedCommand } from './aggregate.ts'
import type { CommandContext } from './context.ts'
import { dress } from './metadata.ts'
import { createQueues } from './queues.ts'

/** Lost races that are decided again before the caller is told to come back. */
const MAX_ATTEMPTS = 5

export interface Execution<State, C extends Category> {
  aggregate: Aggregate<State, C>
  id: string
  decide: Decide<State, C>
  context: CommandContext
  /** The caller's own expected revision (`If-Match`): then a race is the caller's to settle (412). */
  ifMatch?: bigint
  /** The stream is most likely absent: it is decided so without a read, and the append proves it. */
  likelyNew?: boolean
}

export interface Aggregates {
  /** Runs one command on one stream; commands on one stream of this process queue. */
  execute<State, C extends Category> (execution: Execution<State, C>): Promise<Receipt<State, C>>
  /** The state proven by a read of the stream's tail: for what is decided across streams. */
  current<State, C extends Category> (aggregate: Aggregate<State, C>, id: string): Promise<Loaded<State>>
  /** The state as cached, read only if it is not: good enough where an append will prove it, or in single mode. */
  cached<State, C extends Category> (aggregate: Aggregate<State, C>, id: string): Promise<Loaded<State>>
}

/**
 * @param options.cacheSize bound of the cache, counted in folded commands over all streams
 */
export const createAggregates = (events: EventStore, ids: Ids, options: { cacheSize?: number } = {}): Aggregates => {
  const cache = new LRUCache<string, Loaded<unknown>>({
    maxSize: options.cacheSize ?? 200_000, sizeCalculation: (loaded) => 1 + loaded.commands.size
  })
  const inTurn = createQueues()

  /** Keeps the newer of what is known: a slow read must not push back what an append has learnt meanwhile. */
  const remember = <State>(stream: string, loaded: Loaded<State>): Loaded<State> => {
    // An absent stream is cheap to read and may be anybody's invention: it must not push out one that is in use.
    if (loaded.revision === 'no_stream') return loaded
    const kept = cache.peek(stream)
    if (kept === undefined || next(kept.revision) <= next(loaded.revision)) cache.set(stream, loaded)
    return loaded
  }

  /** Reads what the stream holds beyond `from` and folds it on. */
  const refresh = async <State, C extends Category>(
    aggregate: Aggregate<State, C>, stream: string, from: Loaded<State>
  ): Promise<Loaded<State>> => {
    let state = from.state
    let revision = from.revision
    let position = from.position
    let commands: Map<string, RecordedCommand> | undefined
    for await (const event of events.readStream(stream, { from: next(from.revision) })) {
      commands ??= new Map(from.commands)
      state = aggregate.evolve(state, event as unknown as RecordedOf<C>)
      revision = event.revision
      position = event.position
      note(commands, event, event.position)
    }
    return remember(stream, commands === undefined ? from : { state, revision, position, commands })
  }

  const empty = <State, C extends Category>(aggregate: Aggregate<State, C>): Loaded<State> =>
    ({ state: aggregate.initial, revision: 'no_stream', position: 0n, commands: new Map() })

  const known = <State>(stream: string) => cache.get(stream) as Loaded<State> | undefined

  /** Facts are folded with the place that they will have: an append at another revision is none. */
  const afterOn = <State, C extends Category>({ aggregate, context }: Execution<State, C>, stream: string, loaded: Loaded<State>): After<State, C> => (facts) =>
    dress(facts as readonly ChanceryEvent[], context, ids).reduce((state, fact, nth) => {
      const event = { ...fact, stream, revision: next(loaded.revision) + BigInt(nth) }
      return aggregate.evolve(state, event as unknown as RecordedOf<C>)
    }, loaded.state)

  const append = async <State, C extends Category>(
    { aggregate, context }: Execution<State, C>, stream: string, loaded: Loaded<State>, facts: ReadonlyArray<EventOf<C>>
  ): Promise<Receipt<State, C>> => {
    const appended = await events.append(stream, loaded.revision, dress(facts as readonly ChanceryEvent[], context, ids))
    const recorded = appended.events as unknown as Array<RecordedOf<C>>
    const commands = new Map(loaded.commands)
    for (const event of appended.events) note(commands, event, appended.position)
    const { revision, position } = appended
    const state = recorded.reduce((folded, event) => aggregate.evolve(folded, event), loaded.state)
    remember(stream, { state, revision, position, commands })
    return { stream, revision, position, state, events: recorded, replayed: false }
  }

  const replay = async <State, C extends Category>(
    { context }: Execution<State, C>, stream: string, loaded: Loaded<State>, recorded: RecordedCommand
  ): Promise<Receipt<State, C>> => {
    notReused(loaded, context)
    const own: Array<RecordedOf<C>> = []
    const limit = Number(recorded.last - recorded.first) + 1
    for await (const event of events.readStream(stream, { from: recorded.first, limit })) {
      if (event.metadata.commandId === context.commandId) own.push(event as unknown as RecordedOf<C>)
    }
    return { stream, revision: recorded.last, position: recorded.position, state: loaded.state, events: own, replayed: true }
  }

  const run = async <State, C extends Category>(execution: Execution<State, C>, stream: string): Promise<Receipt<State, C>> => {
    const { aggregate, context } = execution
    const warm = known<State>(stream) ?? (execution.likelyNew === true ? empty(aggregate) : undefined)
    let loaded = warm ?? await refresh(aggregate, stream, empty(aggregate))
    let proven = warm === undefined
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const repeated = loaded.commands.get(context.commandId)
      if (repeated !== undefined) return replay(execution, stream, loaded, repeated)

      const decided = decideOn(execution, loaded, afterOn(execution, stream, loaded))
      if (decided instanceof Refusal || decided.length === 0) {
        if (proven) {
          if (decided instanceof Refusal) throw decided
          const { revision, position, state } = loaded
          return { stream, revision, position, state, events: [], replayed: false }
        }
        loaded = await refresh(aggregate, stream, loaded)
        proven = true
        continue
      }

      try {
        return await append(execution, stream, loaded, decided)
      } catch (error) {
        if (!(error instanceof WrongExpectedRevision)) {
          cache.delete(stream)
          throw error
        }
        loaded = await refresh(aggregate, stream, loaded)
        proven = true
      }
    }
    return refuse('conflict', 'Others keep changing the same subject. Nothing was recorded; send the request again.', { stream })
  }

  return {
    execute: (execution) => {
      const stream = streamName(execution.aggregate.category, execution.id)
      return inTurn(stream, () => run(execution, stream))
    },
    current: async (aggregate, id) => {
      const stream = streamName(aggregate.category, id)
      return refresh(aggregate, stream, known(stream) ?? empty(aggregate))
    },
    cached: async (aggregate, id) => {
      const stream = streamName(aggregate.category, id)
      return known(stream) ?? refresh(aggregate, stream, empty(aggregate))
    }
  }
}

/**
 * Refuses with `idempotency_key_reused` if the command id stands in this stream with another request. A command of
 * several streams asks all of them before its first append: a refusal by the second would come too late (decision 4).
 */
export const notReused = ({ commands }: Pick<Loaded<unknown>, 'commands'>, { commandId, fingerprint }: CommandContext): void => {
  const recorded = commands.get(commandId)
  if (recorded === undefined || recorded.fingerprint === fingerprint) return
  refuse('idempotency_key_reused', 'This Idempotency-Key was used for another request. Send a new key with a new request.')
}

const next = (revision: ExpectedRevision): bigint => revision === 'no_stream' ? 0n : revision + 1n

const note = (
  commands: Map<string, RecordedCommand>,
  event: { revision: bigint, metadata: { commandId: string, commandFingerprint?: string } }, position: bigint
): void => {
  const { commandId, commandFingerprint } = event.metadata
  const first = commands.get(commandId)?.first ?? event.revision
  commands.set(commandId, { fingerprint: commandFingerprint, first, last: event.revision, position })
}

const decideOn = <State, C extends Category>({ decide, ifMatch }: Execution<State, C>, loaded: Loaded<State>, after: After<State, C>) => {
  try {
    if (ifMatch !== undefined && loaded.revision !== ifMatch) {
      refuse('precondition_failed', 'The resource changed since it was read. Read it again and decide on what it is now.', { revision: String(loaded.revision) })
    }
    return decide(loaded.state, loaded, after)
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

// The event store in memory, with the real codec: the port for tests that append millions of facts; a contract holds it equal to the real one.
import { categories, categoryOf, type LogEvent } from '../../src/domain/catalogue.ts'
import { WrongExpectedRevision } from '../../src/log-errors.ts'
import type { Appended, Delivery, EventStore, NewEvent, RawEvent, ReadAllOptions, ReadOptions, Vault } from '../../src/ports.ts'
import { encode } from '../../infra/eventstore/codec.ts'

export interface MemoryLog extends EventStore {
  /** Told of each append before anybody else is, its caller included. */
  onAppend: (events: readonly LogEvent[]) => void
  /** All events, in order. */
  readonly events: readonly LogEvent[]
}

/** Seals nothing really, but hides the text, and puts the envelope where the codec wants it. */
const memoryVault: Vault = {
  seal: async (_text, { subject, stream, eventId, field }) => ({ sealed: 'v1', subject, at: `${stream}/${eventId}/${field}`, value: 'AAAA' }),
  open: async () => ({ status: 'open', text: 'sealed in memory' })
}

/** @param options.now the store's time of append; `from`: what it holds already, of another such log */
export const memoryLog = (options: { now?: () => Date, vault?: Vault, from?: readonly LogEvent[] } = {}): MemoryLog => {
  const { now = () => new Date(), vault = memoryVault, from: before = [] } = options
  const all: LogEvent[] = [...before]
  const streams = new Map<string, LogEvent[]>()
  for (const event of before) streams.set(event.stream, [...streams.get(event.stream) ?? [], event])
  let wakers: Array<() => void> = []

  const ours = (event: LogEvent): boolean => (categories as readonly string[]).includes(categoryOf(event.stream))
  const limited = function * (events: readonly LogEvent[], { direction, limit = Infinity }: { direction?: string, limit?: number }): Generator<LogEvent> {
    const count = Math.min(limit, events.length)
    for (let n = 0; n < count; n++) yield events[direction === 'backwards' ? events.length - 1 - n : n] as LogEvent
  }
  const readStream = function * (stream: string, { from, direction, limit }: ReadOptions = {}): Generator<LogEvent> {
    const events = streams.get(stream) ?? []
    const part = from === undefined ? events : direction === 'backwards' ? events.slice(0, Number(from) + 1) : events.slice(Number(from))
    yield * limited(part, { ...direction && { direction }, ...limit !== undefined && { limit } })
  }
  const readAll = function * ({ after, direction, limit }: ReadAllOptions = {}): Generator<LogEvent> {
    const wanted = (event: LogEvent) => after === undefined || (direction === 'backwards' ? event.position < after : event.position > after)
    yield * limited(all.filter((event) => ours(event) && wanted(event)), { ...direction && { direction }, ...limit !== undefined && { limit } })
  }
  const rawOf = ({ id, stream, type, revision, position, created, data, metadata }: LogEvent): RawEvent =>
    ({ id, stream, type, revision, position, created, data, metadata })
  /** Each as a reader of a real store gets it: an answer, not the array that goes on growing. */
  const asynchronously = async function * <T>(items: Iterable<T>): AsyncGenerator<T, void, undefined> { yield * [...items] }

  const log: MemoryLog = {
    onAppend: () => {},
    events: all,
    append: async (stream, expected, events): Promise<Appended> => {
      if (events.length === 0) throw new RangeError('an append holds at least one event')
      const sealed: Array<Pick<LogEvent, 'id' | 'type' | 'data' | 'metadata'>> = []
      for (const event of events) sealed.push(await recorded(vault, stream, event))
      const before = streams.get(stream) ?? []
      const first = expected === 'no_stream' ? 0 : Number(expected) + 1
      const repeated = sealed.every(({ id }, n) => before[first + n]?.id === id)
      if (!repeated) {
        if (before.length !== first) throw new WrongExpectedRevision(stream, before.length === 0 ? 'no_stream' : BigInt(before.length - 1))
        const created = now()
        const appended = sealed.map((event, n) =>
          ({ ...event, stream, revision: BigInt(first + n), position: BigInt((all.length + n + 1) * 100), created }) as LogEvent)
        streams.set(stream, before)
        before.push(...appended)
        all.push(...appended)
        log.onAppend(appended)
        const woken = wakers
        wakers = []
        for (const wake of woken) wake()
      }
      const own = before.slice(first, first + sealed.length)
      const last = own.at(-1) as LogEvent
      return {
        revision: last.revision,
        position: last.position,
        events: own.map(({ id, type, data, metadata, revision }) => ({ id, type, data, metadata, stream, revision }) as Appended['events'][number])
      }
    },
    readStream: (stream, options) => asynchronously(readStream(stream, options)),
    readAll: (options) => asynchronously(readAll(options)),
    rawStream: async function * (stream, options) { for (const event of readStream(stream, options)) yield rawOf(event) },
    rawAll: async function * (options) { for (const event of readAll(options)) yield rawOf(event) },
    at: async (position) => {
      const found = all.find((event) => event.position === position)
      return found && rawOf(found)
    },
    last: async () => all.findLast(ours),
    subscribe: async function * ({ after, signal }): AsyncGenerator<Delivery, void, undefined> {
      let read = after ?? 0n
      let told = false
      while (!signal.aborted) {
        for (const event of [...readAll({ after: read })]) {
          if (signal.aborted) return
          read = event.position
          yield { kind: 'event', event }
        }
        if (!told) yield { kind: 'caught_up' }
        told = true
        if (signal.aborted || (all.at(-1)?.position ?? 0n) > read) continue
        await new Promise<void>((resolve) => {
          wakers.push(resolve)
          signal.addEventListener('abort', () => { resolve() }, { once: true })
        })
      }
    },
    ping: async () => {}
  }
  return log
}

/** Through bytes and back, as a store does it: nobody shares an object with whoever appended it, and what JSON leaves out is gone. */
const recorded = async (vault: Vault, stream: string, event: NewEvent): Promise<Pick<LogEvent, 'id' | 'type' | 'data' | 'metadata'>> => {
  const { bytes } = await encode(vault, stream, event)
  const parse = (part: Uint8Array): unknown => JSON.parse(Buffer.from(part).toString('utf8'))
  return { id: bytes.id, type: bytes.type, data: parse(bytes.data), metadata: parse(bytes.metadata) } as Pick<LogEvent, 'id' | 'type' | 'data' | 'metadata'>
}

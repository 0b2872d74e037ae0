// Opens the log: the EventStore port on an EventStoreDB, ours or a real one.
import { setTimeout as delay } from 'node:timers/promises'
import { categories, type LogEvent } from '../../src/domain/catalogue.ts'
import type { Appended, EventStore, ReadAllOptions, ReadOptions, Vault } from '../../src/ports.ts'
import { append } from './append.ts'
import { decode, encode } from './codec.ts'
import { asReadFailure } from './failures.ts'
import { createLink } from './link.ts'
import { defaultPatience, type Patience } from './patience.ts'
import { createReader, first } from './read.ts'
import { rawEventOf, type StoredEvent } from './records.ts'
import { subscribe } from './subscribe.ts'

export interface LogOptions {
  /** `esdb://…` or `esdb+discover://…` */
  url: string
  /** In front of every stream name, with a dot. */
  namespace?: string | undefined
  vault: Vault
  /** Told of every dropped subscription; it is resumed in any case. */
  onDrop?: ((error: unknown) => void) | undefined
  /** For tests: how long silence is borne. */
  patience?: Partial<Patience>
  watchdogMs?: number
}

export type Log = EventStore & { close (): Promise<void> }

/** How long open calls may take to end at `close`; a server that does not answer must not keep the process. */
const CLOSE_MS = 1_000

/**
 * Connects on first use: a store that is away is told by the calls, not here.
 * @throws Error if the connection string or the namespace is malformed
 */
export const openLog = async (options: LogOptions): Promise<Log> => {
  const { url, namespace = '', vault, onDrop = () => {}, watchdogMs = 5_000 } = options
  if (!/^[A-Za-z0-9_]*$/.test(namespace)) throw new Error(`the namespace "${namespace}" may hold letters, digits and underscores only`)
  const prefix = namespace === '' ? '' : `${namespace}.`
  const ours = categories.map((category) => `${prefix}${category}-`)
  const patience = { ...defaultPatience, ...options.patience }
  const closing = new AbortController()
  const link = createLink(url)
  const reader = createReader(link, patience, prefix, ours)
  const open = new Set<Promise<void>>()

  return {
    append: async (stream, expected, events): Promise<Appended> => {
      if (events.length === 0) throw new RangeError('an append holds at least one event')
      const encoded = []
      for (const event of events) encoded.push(await encode(vault, stream, event))
      const { revision, place } = await append(link, patience, { stream: prefix + stream, expected, events: encoded.map(({ bytes }) => bytes) })
      if (place.commit !== place.prepare) throw new Error(`${stream}: the store's commit and prepare positions differ, which it does for no append of ours`)
      const first = revision - BigInt(encoded.length) + 1n
      return {
        revision,
        position: place.commit,
        events: encoded.map(({ sealed }, i) => ({ ...sealed, stream, revision: first + BigInt(i) }) as Appended['events'][number])
      }
    },
    readStream: (stream: string, options?: ReadOptions) => decoded(reader.stream(stream, options)),
    readAll: (options?: ReadAllOptions) => decoded(reader.all(options)),
    rawStream: (stream, options) => raw(reader.stream(stream, options)),
    rawAll: (options) => raw(reader.all(options)),
    at: async (position) => {
      const found = await reader.at(position)
      return found && rawEventOf(found)
    },
    last: async () => {
      const found = await first(reader.all({ direction: 'backwards', limit: 1 }))
      return found && decode(found)
    },
    subscribe: async function * (options) {
      const own = createLink(url)
      const signal = AbortSignal.any([options.signal, closing.signal])
      let ended = () => {}
      const running = new Promise<void>((resolve) => { ended = resolve })
      open.add(running)
      const leave = () => { own.close() }
      try {
        signal.addEventListener('abort', leave, { once: true })
        yield * subscribe({
          link: own, reader: createReader(own, patience, prefix, ours), prefix, categories: ours, watchdogMs, onDrop
        }, { ...options, signal })
      } finally {
        signal.removeEventListener('abort', leave)
        own.close()
        open.delete(running)
        ended()
      }
    },
    ping: async () => {
      try {
        const linked = await link.get()
        await linked.connection.alive().catch((error: unknown) => {
          link.discard(linked)
          throw error
        })
      } catch (error) {
        throw asReadFailure(error)
      }
    },
    close: async () => {
      closing.abort()
      await Promise.race([Promise.allSettled([...open]), delay(CLOSE_MS, undefined, { ref: false })])
      link.close()
    }
  }
}

/**
 * True if the log holds facts of ours. Asked before there are keys, so it looks at none of their content.
 * @throws LogUnavailable
 */
export const holdsFacts = async ({ url, namespace }: Pick<LogOptions, 'url' | 'namespace'>): Promise<boolean> => {
  const never = () => Promise.reject(new Error('there are no keys yet'))
  const log = await openLog({ url, namespace, vault: { seal: never, open: never } })
  try {
    return await first(log.rawAll({ limit: 1 })) !== undefined
  } finally {
    await log.close()
  }
}

async function * decoded (events: AsyncIterable<StoredEvent>): AsyncGenerator<LogEvent, void, undefined> {
  for await (const event of events) yield decode(event)
}

async function * raw (events: AsyncIterable<StoredEvent>) {
  for await (const event of events) yield rawEventOf(event)
}

// Bounded reads of one stream or of Chancery's part of $all.
import { NoAnswer, asReadFailure, grpcCode } from './failures.ts'
import type { Link, Linked } from './link.ts'
import { whileAlive, type Patience } from './patience.ts'
import { receive, type ReadRequest } from './receive.ts'
import { storedEventOf, type StoredEvent } from './records.ts'
import { allRequest, streamRequest } from './requests.ts'
import type { ReadAllOptions, ReadOptions } from '../../src/ports.ts'

export interface Reader {
  stream (stream: string, options?: ReadOptions): AsyncGenerator<StoredEvent, void, undefined>
  all (options?: ReadAllOptions): AsyncGenerator<StoredEvent, void, undefined>
  /** The event at exactly this position, of whomever. */
  at (position: bigint): Promise<StoredEvent | undefined>
}

/** The first of a read, which is then left. */
export const first = async <T>(items: AsyncIterable<T>): Promise<T | undefined> => {
  const iterator = items[Symbol.asyncIterator]()
  const result = await iterator.next()
  await iterator.return?.()
  return result.done === true ? undefined : result.value
}

/** Where a store says that a position belongs to no event: an invalid argument, or in words. */
export const isForeignPosition = (error: unknown): boolean =>
  grpcCode(error) === 3 || (grpcCode(error) === 2 && error instanceof Error && /position/i.test(error.message))

/**
 * @param prefix namespace in front of stream names
 * @param categories prefixes of the streams that are ours, namespace included
 */
export const createReader = (link: Link, patience: Patience, prefix: string, categories: readonly string[]): Reader => {
  const events = async function * (request: () => ReadRequest): AsyncGenerator<StoredEvent, void, undefined> {
    let linked: Linked | undefined
    try {
      const { connection } = linked = await link.get()
      for await (const response of receive(connection, request(), (next) => whileAlive(connection, patience, next))) {
        const event = storedEventOf(response, prefix)
        if (event !== undefined) yield event
      }
    } catch (error) {
      if (linked !== undefined && error instanceof NoAnswer) link.discard(linked)
      throw asReadFailure(error)
    }
  }

  return {
    stream: async function * (stream, { from, direction, limit } = {}) {
      if (limit === 0) return
      const backwards = direction === 'backwards'
      yield * events(() => streamRequest({ stream: prefix + stream, from: from ?? (backwards ? 'end' : 'start'), backwards, limit }))
    },
    all: async function * ({ after, direction, limit } = {}) {
      if (limit === 0) return
      const backwards = direction === 'backwards'
      const from = after === undefined ? (backwards ? 'end' : 'start') : { commit: after, prepare: after }
      // Forwards a store begins at the position itself: one more than wanted, if that is an event of ours.
      const more = !backwards && after !== undefined ? 1 : 0
      let left = limit ?? Infinity
      for await (const event of events(() => allRequest({ from, backwards, prefixes: categories, ...(limit !== undefined && { limit: limit + more }) }))) {
        if (event.position === after) continue
        yield event
        if (--left === 0) return
      }
    },
    at: async (position) => {
      try {
        const found = await first(events(() => allRequest({ from: { commit: position, prepare: position }, limit: 1 })))
        return found?.position === position ? found : undefined
      } catch (error) {
        if (isForeignPosition(error)) return undefined
        throw error
      }
    }
  }
}

// Folds the log into a generation that does not serve yet: for a first start, a new version, a rebuild, a verification.
import type { Connection, Database, EventStore } from '../ports.ts'
import { applyBatch, blockedBy, itemsOf, poisonOf, type Item } from './batch.ts'
import type { Projector } from './define.ts'
import type { Generation } from './generations.ts'

/** Another process moved the checkpoint, or the generation was aborted: read it again. */
export class Moved extends Error {}

export interface Filling {
  log: EventStore
  connection: Connection
  projector: Projector
  isPassing: Database['isPassing']
  signal: AbortSignal
  batch: number
  onProgress: (generation: Generation) => void
}

/**
 * Applies what the log holds beyond the checkpoint, to its end or up to and including `upTo`.
 * The next batch is read while the last one commits.
 * @returns the checkpoint then, and how many events it took
 * @throws Moved; Poison; LogUnavailable; pg errors, after which the checkpoint has to be read again
 */
export const fill = async (filling: Filling, from: Generation, upTo?: bigint): Promise<{ generation: Generation, events: number }> => {
  const { log, connection, projector, signal, batch, onProgress } = filling
  const passing = (error: unknown): boolean => error instanceof Moved || connection.lost || filling.isPassing(error)
  let events = 0
  let committed = Promise.resolve(from)

  const commit = async (at: Generation, items: readonly Item[]): Promise<Generation> => {
    const next = await applyBatch(connection, projector, at, items)
    if (next === undefined) throw new Moved()
    onProgress(next)
    return next
  }
  const apply = async (at: Generation, items: readonly Item[]): Promise<Generation> => {
    try {
      return await commit(at, items)
    } catch (error) {
      if (passing(error)) throw error
      return oneByOne(at, items)
    }
  }
  /** Finds the event that a batch failed on, and applies those before it. */
  const oneByOne = async (at: Generation, items: readonly Item[]): Promise<Generation> => {
    for (const item of items) {
      try {
        at = await commit(at, [item])
      } catch (error) {
        throw passing(error) ? error : poisonOf(projector, item, error)
      }
    }
    return at
  }

  let items: Item[] = []
  const flush = (): void => {
    const taken = items
    items = []
    events += taken.length
    committed = committed.then((at) => apply(at, taken))
    committed.catch(() => {}) // heard below, where it is awaited
  }
  try {
    for await (const item of itemsOf(log, from.position)) {
      if (signal.aborted) throw new Moved()
      if (upTo !== undefined && item.position > upTo) break
      const poison = blockedBy(projector, item)
      if (poison !== undefined) {
        flush()
        await committed
        throw poison
      }
      items.push(item)
      if (items.length < batch) continue
      await committed
      flush()
    }
    if (items.length > 0) flush()
    return { generation: await committed, events }
  } finally {
    // The connection is used again: nothing of ours may still be on its way.
    await committed.catch(() => {})
  }
}

// One subscription that feeds all read models of the process (decision 11).
import { UnreadableEvent } from '../log-errors.ts'
import type { EventStore } from '../ports.ts'
import { itemOf, unreadableItem, type Item } from './batch.ts'
import { createBackoff, type EngineLogger, type EngineSettings } from './settings.ts'
import { aborted, pause } from './waiting.ts'
import type { Worker } from './worker.ts'

export interface Feed {
  /** Reads the checkpoints and begins again from the smallest of them. */
  restart (): void
  close (): Promise<void>
}

export const createFeed = ({ log, workers, settings, logger }: {
  log: EventStore, workers: readonly Worker[], settings: EngineSettings, logger: EngineLogger
}): Feed => {
  const closing = new AbortController()
  const backoff = createBackoff(settings.backoff)
  let current = new AbortController()

  const offerAll = async (item: Item): Promise<void> => {
    for (const worker of workers) await worker.offer(item)
  }

  const pump = async (from: bigint | null, signal: AbortSignal): Promise<void> => {
    let after = from
    signal.addEventListener('abort', () => { for (const worker of workers) worker.release() })
    while (!signal.aborted) {
      try {
        for await (const delivery of log.subscribe({ ...(after !== null && { after }), signal })) {
          backoff.reset()
          if (delivery.kind === 'checkpoint') for (const worker of workers) worker.lookedAt(delivery.position)
          if (delivery.kind !== 'event') continue
          after = delivery.event.position
          await offerAll(itemOf(delivery.event))
          if (signal.aborted) return
        }
        return
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof UnreadableEvent)) throw error
        const item = await unreadableItem(log, error)
        after = item.position
        await offerAll(item)
      }
    }
  }

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      current = new AbortController()
      const signal = AbortSignal.any([closing.signal, current.signal])
      try {
        const starts = await Promise.all(workers.map((worker) => worker.prepare()))
        const active = starts.filter((start) => start !== 'idle')
        if (active.length === 0) await aborted(signal)
        else await pump(smallest(active), signal)
      } catch (error) {
        logger.warn({ err: error }, 'the projections wait for the event store or Postgres')
      }
      if (!current.signal.aborted) await pause(backoff.next(), signal)
    }
  }
  const running = run()

  return {
    restart: () => current.abort(),
    close: async () => {
      closing.abort()
      await running
    }
  }
}

const smallest = (positions: ReadonlyArray<bigint | null>): bigint | null =>
  positions.reduce((least, position) => least === null || position === null ? null : position < least ? position : least)

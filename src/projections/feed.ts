// One subscription that feeds all read models of the process (decision 11).
import { LogForked, UnreadableEvent } from '../log-errors.ts'
import type { EventStore } from '../ports.ts'
import { itemOf, unreadableItem, type Item } from './batch.ts'
import type { Generation } from './generations.ts'
import { createBackoff, type EngineLogger, type EngineSettings } from './settings.ts'
import { aborted, pause } from './waiting.ts'
import type { Worker } from './worker.ts'

export interface Feed {
  /** Reads the checkpoints and begins again from the smallest of them. */
  restart (): void
  close (): Promise<void>
}

interface Start { after: bigint | null, last: { position: bigint, id: string } | undefined }

export const createFeed = ({ log, workers, settings, logger }: {
  log: EventStore, workers: readonly Worker[], settings: EngineSettings, logger: EngineLogger
}): Feed => {
  const closing = new AbortController()
  const backoff = createBackoff(settings.backoff)
  let current = new AbortController()
  /** After a fork: resume from the last event of ours, since nothing proves what was looked at beyond it. */
  let cautious = false

  const offerAll = async (item: Item): Promise<void> => {
    for (const worker of workers) await worker.offer(item)
  }

  const pump = async (from: Start, signal: AbortSignal): Promise<void> => {
    let { after, last } = from
    signal.addEventListener('abort', () => { for (const worker of workers) worker.release() })
    while (!signal.aborted) {
      try {
        for await (const delivery of log.subscribe({ ...(after !== null && { after }), ...(last && { last }), signal })) {
          backoff.reset()
          cautious = false
          if (delivery.kind === 'checkpoint') for (const worker of workers) worker.lookedAt(delivery.position)
          if (delivery.kind !== 'event') continue
          await offerAll(itemOf(delivery.event))
          if (signal.aborted) return
        }
        return
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof UnreadableEvent)) throw error
        const item = await unreadableItem(log, error)
        after = item.position
        last = { position: item.position, id: item.id }
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
        const from = earliest(starts.filter((start) => start !== 'idle').map((start) => startOf(start, cautious)))
        if (from === undefined) await aborted(signal)
        else await pump(from, signal)
      } catch (error) {
        cautious = error instanceof LogForked
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

const startOf = ({ read_to: readTo, position, event_id: id }: Generation, cautious: boolean): Start => ({
  after: cautious ? position : readTo,
  last: position === null || id === null ? undefined : { position, id }
})

/** The start that comes first in the log; null is its beginning. */
const earliest = (starts: readonly Start[]): Start | undefined =>
  starts.toSorted((a, b) => a.after === b.after ? 0 : a.after === null || (b.after !== null && a.after < b.after) ? -1 : 1)[0]

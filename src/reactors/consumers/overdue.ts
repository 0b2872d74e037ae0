// Keeps an eye on what the consumers of the lifecycle stream owe: a gauge, and a line when one falls behind and when it has caught up.
import type { Clock } from '../../ports.ts'
import type { ConsumerQueries } from '../../account-queries.ts'

export interface OverdueSettings {
  consumers: Pick<ConsumerQueries, 'overdue'>
  clock: Clock
  log: {
    info (fields: object, message: string): void
    warn (fields: object, message: string): void
  }
  /** Told for every registered consumer at each look: how many entries are overdue. */
  show: (consumer: string, overdue: number) => void
  /** Told of a consumer that is registered no more. */
  hide: (consumer: string) => void
  /** Default 10,000. */
  everyMs?: number
}

export interface OverdueWatch {
  /** One look. Rejects if the read models cannot be asked. */
  look (): Promise<void>
  stop (): Promise<void>
}

const EVERY_MS = 10_000
/** Entries looked at for each consumer: more than these are not counted. */
const LIMIT = 10_000

/** Looks at once, and from time to time. Receipts that come late are no failure of ours: it only tells. */
export const watchOverdue = ({ consumers, clock, log, show, hide, everyMs = EVERY_MS }: OverdueSettings): OverdueWatch => {
  const settledTo = new Map<string, bigint>()
  const behind = new Set<string>()
  let shown = new Set<string>()

  const look = async (): Promise<void> => {
    const found = await consumers.overdue(clock.now(), settledTo, LIMIT)
    for (const { consumer, count, oldest, settledTo: upTo } of found) {
      if (upTo !== null) settledTo.set(consumer, upTo)
      show(consumer, Number(count))
      if (count > 0n && !behind.has(consumer)) {
        behind.add(consumer)
        log.warn({ consumer, overdue: Number(count), position: String(oldest) }, `the consumer ${consumer} is overdue: no receipt for the lifecycle entry at position ${oldest}`)
      }
      if (count === 0n && behind.delete(consumer)) log.info({ consumer }, `the consumer ${consumer} has caught up with its receipts`)
    }
    const now = new Set(found.map(({ consumer }) => consumer))
    for (const consumer of shown) {
      if (now.has(consumer)) continue
      hide(consumer)
      behind.delete(consumer)
    }
    shown = now
  }

  let looking: Promise<void> | undefined
  const turn = (): void => {
    // While the read models are away, their own alarms say so.
    looking ??= look().catch(() => {}).finally(() => { looking = undefined })
  }
  const timer = setInterval(turn, everyMs).unref()
  turn()
  return {
    look,
    stop: async () => {
      clearInterval(timer)
      await looking
    }
  }
}

// Reads the log from a place on and keeps the lifecycle events until they are published.
import type { LifecycleEvent } from '../domain/lifecycle/entry.ts'
import { isLifecycleType } from '../domain/lifecycle/fields.ts'
import { UnreadableEvent } from '../log-errors.ts'
import type { EventStore, SubscribeOptions } from '../ports.ts'

/** Events kept while Redis is away; beyond that the log is read no further, and the lag says "at least". */
const MOST = 10_000
/** So often the writer is woken while there is only other people's history. */
const WAKE_EVERY = 2_000

export interface Reading {
  /** In the order of the log; the writer takes them from the front. */
  readonly queue: LifecycleEvent[]
  /** The last event of ours that was read, of whatever kind. */
  readonly lastRead: { position: bigint, id: string } | undefined
  readonly caughtUp: boolean
  /** Every lifecycle event up to there was published, or was passed over on the word of a hint. */
  readonly settledUpTo: bigint
  /** Ids of epochs that were met on the way. */
  readonly epochs: ReadonlySet<string>
  readonly failed: Error | undefined
  /** Resolves at the next change. */
  changed (): Promise<void>
  /** Says that the first `count` are published. */
  taken (count: number): void
  stop (): Promise<void>
}

export const readFrom = (events: Pick<EventStore, 'subscribe'>, from: Pick<SubscribeOptions, 'after' | 'last'>, signal: AbortSignal): Reading => {
  const stopping = new AbortController()
  const bell = createBell()
  const room = createBell()
  const epochs = new Set<string>()
  const queue: LifecycleEvent[] = []
  let lastRead: Reading['lastRead']
  let caughtUp = false
  let failed: Error | undefined
  let count = 0

  const take = async (options: SubscribeOptions): Promise<void> => {
    for await (const delivery of events.subscribe(options)) {
      if (delivery.kind === 'caught_up') {
        caughtUp = true
        bell.ring()
      }
      if (delivery.kind !== 'event') continue
      const { event } = delivery
      while (queue.length >= MOST && !options.signal.aborted) await room.wait()
      lastRead = { position: event.position, id: event.id }
      if (isLifecycleType(event.type)) queue.push(event as LifecycleEvent)
      if (event.type === 'lifecycle.epoch_begun') epochs.add(event.data.epochId)
      if (caughtUp || isLifecycleType(event.type) || ++count % WAKE_EVERY === 0) bell.ring()
    }
  }
  const run = async (): Promise<void> => {
    const all = AbortSignal.any([signal, stopping.signal])
    all.addEventListener('abort', () => { bell.ring(); room.ring() }, { once: true })
    for (let options: SubscribeOptions = { ...from, signal: all }; !all.aborted;) {
      try {
        await take(options)
        if (!all.aborted) throw new Error('the subscription ended')
      } catch (error) {
        // What is no lifecycle event cannot be published and need not be read.
        if (!(error instanceof UnreadableEvent) || isLifecycleType(error.eventType)) throw error
        options = { after: error.position, signal: all }
      }
    }
  }
  const running = run().catch((error: unknown) => {
    failed = error instanceof Error ? error : new Error(String(error))
    bell.ring()
  })

  return {
    queue,
    epochs,
    get lastRead () { return lastRead },
    get caughtUp () { return caughtUp },
    get settledUpTo () {
      const [next] = queue
      return next === undefined ? lastRead?.position ?? from.after ?? 0n : next.position - 1n
    },
    get failed () { return failed },
    changed: () => bell.wait(),
    taken: (count) => {
      queue.splice(0, count)
      room.ring()
    },
    stop: async () => {
      stopping.abort()
      await running
    }
  }
}

const createBell = () => {
  let ring = () => {}
  const hang = () => new Promise<void>((resolve) => { ring = resolve })
  let next = hang()
  return {
    wait: () => next,
    ring: () => {
      ring()
      next = hang()
    }
  }
}

// Many at a time, but not all: bounded concurrency, and outcomes gathered while the ones before are being appended.

/** Requests under way at a time: enough for hundreds of slow consumers at once, and a bound for memory and sockets. */
const PARALLEL = 256
/** Outcomes in one fact. */
const FACT = 100
/** And in one append, which takes 1 MiB. */
const APPEND = 400
const APPEND_BYTES = 512 * 1024

/** Runs `work` for each item, so many at a time; the first failure is thrown once none is under way. */
export const eachOf = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  const rest = items.values()
  const failures: unknown[] = []
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, async () => {
    for (const item of rest) {
      if (failures.length > 0) return
      await work(item).catch((error: unknown) => { failures.push(error) })
    }
  }))
  if (failures.length > 0) throw failures[0]
}

/** A batch as what one fact holds at the most, each: they are appended together. */
export const inFacts = <T>(batch: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(batch.length / FACT) }, (_, n) => batch.slice(n * FACT, (n + 1) * FACT))

/** So long outcomes are gathered before they are appended, in ms: a board does not show less, and hundreds are one append. */
const GATHER_MS = 10

/** Appends what was gathered meanwhile, one append after the other; without waiting once the last outcome has come. */
export const gather = <T>(append: (batch: T[]) => Promise<void>, pause: (milliseconds: number) => Promise<unknown>) => {
  const waiting: T[] = []
  const now: { running?: Promise<void> | undefined, failure?: { error: unknown } } = {}
  let hasten = (): void => {}
  const complete = new Promise<void>((resolve) => { hasten = resolve })
  const run = async (): Promise<void> => {
    while (waiting.length > 0 && now.failure === undefined) {
      await Promise.race([pause(GATHER_MS), complete])
      await append(waiting.splice(0, fitting(waiting)))
    }
  }
  const go = (): Promise<void> => {
    now.running ??= run().catch((error: unknown) => { now.failure = { error } }).finally(() => { now.running = undefined })
    return now.running
  }
  return {
    add: (item: T): void => {
      waiting.push(item)
      void go()
    },
    /** Resolves when everything is appended; throws what an append threw. */
    end: async (): Promise<void> => {
      hasten()
      while (now.failure === undefined && (now.running !== undefined || waiting.length > 0)) await go()
      // An append that failed is waited for, so that nothing of it goes on behind the caller's back.
      await now.running
      if (now.failure !== undefined) throw now.failure.error
    }
  }
}

/** How many from the front fit into one append; one always does. */
const fitting = (items: readonly unknown[]): number => {
  const most = items.slice(0, APPEND)
  let bytes = 0
  const over = most.findIndex((item, at) => {
    bytes += Buffer.byteLength(JSON.stringify(item), 'utf8')
    return at > 0 && bytes > APPEND_BYTES
  })
  return over === -1 ? most.length : over
}

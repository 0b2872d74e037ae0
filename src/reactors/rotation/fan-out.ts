// Many at a time, but not all: bounded concurrency, and outcomes gathered while the ones before are being appended.

/** Requests under way at a time: enough for hundreds of slow consumers at once, and a bound for memory and sockets. */
const PARALLEL = 256
/** Outcomes in one fact, and their bytes: an append takes 1 MiB. */
const BATCH = 100
const BATCH_BYTES = 512 * 1024

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

/** Appends what was gathered as soon as the append before has ended: one fact when it is quiet, up to a hundred outcomes a fact when it is not. */
export const gather = <T>(append: (batch: T[]) => Promise<void>) => {
  const waiting: T[] = []
  const now: { running?: Promise<void> | undefined, failure?: { error: unknown } } = {}
  const run = async (): Promise<void> => {
    // Those that answer at the same moment belong into the same fact.
    await Promise.resolve()
    while (waiting.length > 0 && now.failure === undefined) await append(waiting.splice(0, fitting(waiting)))
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
      while (now.failure === undefined && (now.running !== undefined || waiting.length > 0)) await go()
      // An append that failed is waited for, so that nothing of it goes on behind the caller's back.
      await now.running
      if (now.failure !== undefined) throw now.failure.error
    }
  }
}

/** How many from the front fit into one fact; one always does. */
const fitting = (items: readonly unknown[]): number => {
  let bytes = 0
  const over = items.slice(0, BATCH).findIndex((item, at) => {
    bytes += Buffer.byteLength(JSON.stringify(item), 'utf8')
    return at > 0 && bytes > BATCH_BYTES
  })
  return over === -1 ? Math.min(items.length, BATCH) : over
}

// How far everything is settled without a gap: entries are settled in any order, the position moves only over those at the front.

/** What is remembered of an entry until the prefix has passed it. */
export interface Passing { position: bigint, eventId: string, canonical: string }

export interface Prefix {
  /** Notes an entry that was read; positions must grow. */
  take (entry: Passing): void
  /** Notes that an entry is settled, and gives back those that the prefix passes by it, in their order. */
  settle (position: bigint): Passing[]
  /** Entries that were taken and not passed. */
  readonly size: number
}

/** An empty window: it says nothing of what was before. */
export const createPrefix = (): Prefix => {
  // Insertion order is the order of the stream.
  const window = new Map<bigint, { entry: Passing, settled: boolean }>()
  let last: bigint | undefined
  return {
    take: (entry) => {
      if (last !== undefined && entry.position <= last) throw new Error(`position ${entry.position} was taken after ${last}`)
      last = entry.position
      window.set(entry.position, { entry, settled: false })
    },
    settle: (position) => {
      const own = window.get(position)
      if (own === undefined) throw new Error(`position ${position} was not taken, or has been passed`)
      own.settled = true
      const passed: Passing[] = []
      for (const [at, { entry, settled }] of window) {
        if (!settled) break
        window.delete(at)
        passed.push(entry)
      }
      return passed
    },
    get size () { return window.size }
  }
}

// Joins questions that are asked in one turn of the event loop into one statement: many writers, few round trips.

/** As many keys as one statement takes. */
const MOST = 500

/**
 * Makes a function that answers for one key, out of `work` that answers for many. Keys come to `work` sorted, so that two
 * processes that store the same ones take their locks in one order.
 */
export const gather = <V>(work: (keys: string[]) => Promise<ReadonlyMap<string, V>>) => {
  let open: { keys: Set<string>, answer: Promise<ReadonlyMap<string, V>> } | undefined
  return async (key: string): Promise<V | undefined> => {
    if (open === undefined || open.keys.size >= MOST) {
      const keys = new Set<string>()
      const answer = new Promise<void>((resolve) => { setImmediate(resolve) }).then(() => {
        if (open?.keys === keys) open = undefined
        return work([...keys].sort())
      })
      open = { keys, answer }
    }
    open.keys.add(key)
    return (await open.answer).get(key)
  }
}

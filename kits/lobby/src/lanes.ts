// Work side by side, but in order for each key: a key always has the same lane, and a lane does one thing at a time.

export interface Lanes {
  /** Puts a task behind those of its lane. A task must not reject. */
  add: (key: string, task: () => Promise<void>) => void
  /** Resolves when nothing waits or runs. */
  idle: () => Promise<void>
}

export const createLanes = (count: number): Lanes => {
  const tails: Array<Promise<void>> = Array.from({ length: count }, () => Promise.resolve())
  return {
    add: (key, task) => {
      const lane = laneOf(key, count)
      tails[lane] = (tails[lane] ?? Promise.resolve()).then(task)
    },
    idle: async () => {
      for (let seen: unknown[] = []; seen.some((tail, lane) => tail !== tails[lane]) || seen.length === 0;) {
        seen = [...tails]
        await Promise.all(tails)
      }
    }
  }
}

/** FNV-1a: spreads ids evenly, and is the same in every process. */
export const laneOf = (key: string, count: number): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return (hash >>> 0) % count
}

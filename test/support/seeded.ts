// Random numbers that come again with their seed: what a failed test has drawn can be drawn again.

/** Whole numbers from 0 to `below` - 1, the same for the same seed (mulberry32). */
export const seeded = (seed: number): ((below: number) => number) => {
  let drawn = seed
  return (below) => {
    drawn = (drawn + 0x6d2b79f5) | 0
    let mixed = Math.imul(drawn ^ (drawn >>> 15), 1 | drawn)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

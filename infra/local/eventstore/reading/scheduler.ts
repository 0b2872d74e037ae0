// Lets many readers take turns: each reads one page, and no turn keeps the event loop for longer than a few milliseconds.

/** A piece of work that is done in turns; true means that it has more to do at once. */
export interface Turn {
  turn (): boolean
}

const SLICE_MS = 4

export class Scheduler {
  #waiting = new Set<Turn>()
  #scheduled = false

  /** Asks for a turn; asking twice gives one. */
  wake (reader: Turn): void {
    this.#waiting.add(reader)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => { this.#run() })
  }

  drop (reader: Turn): void {
    this.#waiting.delete(reader)
  }

  #run (): void {
    this.#scheduled = false
    const until = performance.now() + SLICE_MS
    // a reader that asks again during its turn goes behind the others: a Set keeps the order of insertion
    for (const reader of this.#waiting) {
      this.#waiting.delete(reader)
      if (reader.turn()) this.#waiting.add(reader)
      if (performance.now() > until) break
    }
    if (this.#waiting.size > 0 && !this.#scheduled) {
      this.#scheduled = true
      setImmediate(() => { this.#run() })
    }
  }
}

// Bounds what callers can make the server hold: messages and appends that are not complete yet, of all calls together.

export interface Holder {
  /** Bytes held for this call. */
  readonly held: number
  /** Ends the call because too much is held. */
  evict (): void
}

const ALL_HELD = 32 * 1024 * 1024

/** Whoever holds most goes first, so that ordinary appends are served beside a flood of unfinished ones. */
export class Inbound {
  readonly #holders = new Set<Holder>()
  #total = 0

  /** To be told whenever what a call holds has changed by `bytes`. */
  change (holder: Holder, bytes: number): void {
    this.#total += bytes
    if (holder.held > 0) this.#holders.add(holder)
    else this.#holders.delete(holder)
    while (this.#total > ALL_HELD) {
      let most = holder
      for (const other of this.#holders) if (other.held > most.held) most = other
      if (most.held === 0) return
      most.evict()
    }
  }
}

// A bounded memory of what was used recently: two generations, the older one dropped whole, so keeping it costs nothing.

export class RecentMap<K, V> {
  readonly #limit: number
  #young = new Map<K, V>()
  #old = new Map<K, V>()

  /** Remembers at least the last `limit` and at most twice as many entries. */
  constructor (limit: number) {
    this.#limit = limit
  }

  get (key: K): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set (key: K, value: V): void {
    this.#young.set(key, value)
    if (this.#young.size >= this.#limit) {
      this.#old = this.#young
      this.#young = new Map()
    }
  }

  delete (key: K): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear (): void {
    this.#young = new Map()
    this.#old = new Map()
  }
}

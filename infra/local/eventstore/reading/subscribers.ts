// Who is to be woken when a stream was written: subscribers of that stream, and those of $all.
import type { Pump } from './pump.ts'

export class Subscribers {
  readonly #all = new Set<Pump>()
  readonly #byStream = new Map<string, Set<Pump>>()

  /** `stream` undefined means $all. */
  add (stream: string | undefined, pump: Pump): void {
    if (stream === undefined) {
      this.#all.add(pump)
      return
    }
    const pumps = this.#byStream.get(stream)
    if (pumps) pumps.add(pump)
    else this.#byStream.set(stream, new Set([pump]))
  }

  delete (stream: string | undefined, pump: Pump): void {
    if (stream === undefined) {
      this.#all.delete(pump)
      return
    }
    const pumps = this.#byStream.get(stream)
    if (pumps?.delete(pump) && pumps.size === 0) this.#byStream.delete(stream)
  }

  wake (streams: ReadonlySet<string>): void {
    for (const pump of this.#all) pump.wake()
    if (this.#byStream.size === 0) return
    for (const stream of streams) for (const pump of this.#byStream.get(stream) ?? []) pump.wake()
  }
}

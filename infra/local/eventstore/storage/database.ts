// The LMDB tables below the log, and the reads that everything above is made of.
import { join } from 'node:path'
import { type Database, type RootDatabase, open } from 'lmdb'
import { eventKey, nameKey, numberKey, numberOf, tombstoneKey } from './keys.ts'
import { positionOf } from './record.ts'

type Table = Database<Buffer, Buffer>

/** Where a stream's event lies: its revision (Infinity for a tombstone) and its position in the log. */
export interface Place {
  readonly revision: number
  readonly position: number
}

// Address space only: the file grows as it is filled, and ten million events of 500 bytes are 7 GB.
const MAP_SIZE = 2 ** 40
/** Where the log of an empty store begins; position 0 means "before everything". */
const FIRST_POSITION = 64
/** Revisions above this are no revision of a stream; it keeps the key of a range below the tombstone's. */
const LAST_REVISION = Number.MAX_SAFE_INTEGER

const tableOptions = { encoding: 'binary', keyEncoding: 'binary', cache: false } as const

export class EventDatabase {
  readonly #env: RootDatabase<Buffer, Buffer>
  readonly #log: Table
  readonly #index: Table
  readonly #names: Table

  constructor (dataDir: string) {
    // overlappingSync off: a transaction that has returned is on disk (docs/adr/0011)
    this.#env = open<Buffer, Buffer>({ path: join(dataDir, 'events.mdb'), noSubdir: true, overlappingSync: false, mapSize: MAP_SIZE, maxDbs: 4, ...tableOptions })
    this.#log = this.#env.openDB<Buffer, Buffer>('log', tableOptions)
    this.#index = this.#env.openDB<Buffer, Buffer>('index', tableOptions)
    this.#names = this.#env.openDB<Buffer, Buffer>('names', tableOptions)
  }

  /** Runs `work` in one transaction that is on disk when this returns; if either throws, nothing was written. */
  write (work: () => void): void {
    try {
      this.#env.transactionSync(work)
    } catch (error) {
      // what is read from here on has to be what is on disk, not what was seen before
      this.#env.resetReadTxn()
      throw error
    }
  }

  putEvent (stream: number, revision: number | 'tombstone', position: number, stored: Buffer): void {
    const put: unknown = this.#log.putSync(numberKey(position), stored, { append: true })
    if (put === false) throw new Error(`position ${position} is not behind the log`)
    this.#index.putSync(revision === 'tombstone' ? tombstoneKey(stream) : eventKey(stream, revision), numberKey(position))
  }

  putName (name: Buffer, stream: number): void {
    this.#names.putSync(nameKey(name), numberKey(stream))
  }

  /** The id of a stream, or 0 if nothing was ever written to it. */
  streamId (name: Buffer): number {
    const found = this.#names.get(nameKey(name))
    return found === undefined ? 0 : numberOf(found)
  }

  /** The greatest entry of a stream's index. */
  lastPlace (stream: number): Place | undefined {
    const [found] = [...this.#index.getRange({ start: tombstoneKey(stream), end: eventKey(stream - 1, LAST_REVISION), reverse: true, limit: 1 })]
    return found && { revision: found.key[8] === 0x7f ? Infinity : numberOf(found.key, 8), position: numberOf(found.value) }
  }

  positionAt (stream: number, revision: number): number | undefined {
    const found = this.#index.get(eventKey(stream, revision))
    return found === undefined ? undefined : numberOf(found)
  }

  /** Positions of a stream's events from `from` to `to`, both included; backwards, `to` is the smaller one. No tombstones. */
  * places (stream: number, from: number, to: number, backwards: boolean): Generator<Place> {
    const start = eventKey(stream, from)
    const before = to === 0 ? eventKey(stream - 1, LAST_REVISION) : eventKey(stream, to - 1)
    const range = backwards ? { start, end: before, reverse: true } : { start, end: eventKey(stream, to + 1) }
    for (const { key, value } of this.#index.getRange(range)) {
      yield { revision: numberOf(key, 8), position: numberOf(value) }
    }
  }

  /** The stored event of a stream's tombstone. */
  tombstone (stream: number): Buffer | undefined {
    const found = this.#index.get(tombstoneKey(stream))
    return found === undefined ? undefined : this.event(numberOf(found))
  }

  event (position: number): Buffer | undefined {
    return this.#log.get(numberKey(position))
  }

  /** Stored events from a position on, which is included forwards and excluded backwards. */
  events (from: number, backwards: boolean): Iterable<{ value: Buffer }> {
    return backwards
      ? this.#log.getRange({ start: numberKey(Math.max(0, from - 1)), reverse: true })
      : this.#log.getRange({ start: numberKey(from) })
  }

  /** Where the next event will be put: positions advance by stored length, so no two events are neighbours. */
  end (): { last: number, next: number } {
    const [found] = [...this.#log.getRange({ reverse: true, limit: 1 })]
    if (!found) return { last: 0, next: FIRST_POSITION }
    const last = positionOf(found.value)
    return { last, next: last + found.value.length }
  }

  async close (): Promise<void> {
    await this.#env.close()
  }
}

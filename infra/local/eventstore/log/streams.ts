// What is known of each stream: where it ends, whether it is deleted, what its metadata says; read on demand, cached.
import type { EventDatabase } from '../storage/database.ts'
import { RecentMap } from '../storage/recent-map.ts'
import { dataOf, isJson } from '../storage/record.ts'
import { METASTREAM_METADATA, NO_METADATA, type StreamMetadata, isMetastream, isSoftDeleted, metastreamOf, parseMetadata, streamOfMetastream } from './metadata.ts'

export interface StreamState {
  /** 0 until the first event is written. */
  id: number
  /** -1 if there is none; a tombstone does not count. */
  last: number
  lastPosition: number
  tombstoned: boolean
  metadata: StreamMetadata | undefined
}

const CACHED_STREAMS = 10_000
// A stream name may have 100,000 characters; a cache of such names would be a gigabyte.
const CACHED_NAME_LENGTH = 1_000

export class Streams {
  readonly #database: EventDatabase
  readonly #cache = new RecentMap<string, StreamState>(CACHED_STREAMS)

  constructor (database: EventDatabase) {
    this.#database = database
  }

  /** After a transaction that failed, nothing that was cached can be trusted. */
  forget (): void {
    this.#cache.clear()
  }

  get (name: string): StreamState {
    const cached = this.#cache.get(name)
    if (cached) return cached
    const state = this.#load(name)
    if (name.length <= CACHED_NAME_LENGTH) this.#cache.set(name, state)
    return state
  }

  #load (name: string): StreamState {
    const id = this.#database.streamId(Buffer.from(name, 'utf8'))
    const state: StreamState = { id, last: -1, lastPosition: 0, tombstoned: false, metadata: undefined }
    let place = id === 0 ? undefined : this.#database.lastPlace(id)
    if (place?.revision === Infinity) {
      state.tombstoned = true
      place = undefined
    }
    if (place) {
      state.last = place.revision
      state.lastPosition = place.position
    }
    return state
  }

  metadata (name: string): StreamMetadata {
    if (isMetastream(name)) return METASTREAM_METADATA
    const state = this.get(name)
    state.metadata ??= this.#readMetadata(name)
    return state.metadata
  }

  /** The stored event that holds a stream's metadata. */
  metadataEvent (name: string): Buffer | undefined {
    const meta = this.get(metastreamOf(name))
    return meta.last < 0 || meta.tombstoned ? undefined : this.#database.event(meta.lastPosition)
  }

  #readMetadata (name: string): StreamMetadata {
    const stored = this.metadataEvent(name)
    return stored && isJson(stored) ? parseMetadata(dataOf(stored)) : NO_METADATA
  }

  softDeleted (name: string): boolean {
    return isSoftDeleted(this.metadata(name))
  }

  /** Gone for good: tombstoned, or the metastream of a tombstoned stream (which can still be written to). */
  unreadable (name: string): boolean {
    if (this.get(name).tombstoned) return true
    return isMetastream(name) && this.get(streamOfMetastream(name)).tombstoned
  }

  /** To be told of every event written, so that metadata is read again. */
  written (name: string): void {
    if (isMetastream(name)) this.get(streamOfMetastream(name)).metadata = undefined
  }
}

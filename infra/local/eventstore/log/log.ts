// The log: the one writer of events, streams and tombstones; everything here runs inside a transaction of the committer.
import { randomUUID } from 'node:crypto'
import type { EventDatabase } from '../storage/database.ts'
import { RecentMap } from '../storage/recent-map.ts'
import { type NewEvent, TOMBSTONE_REVISION, dataOf, encodeRecord, idOf, isJson } from '../storage/record.ts'
import { ANY, type Expectation, NO_STREAM, STREAM_EXISTS, type Subject, decide } from './decide.ts'
import { SOFT_DELETE_JSON, firstVisible, isMetastream, metastreamOf, revivedMetadata, streamOfMetastream } from './metadata.ts'
import { type StreamState, Streams } from './streams.ts'

export type Outcome =
  /** `position` is undefined for the repeat of an append whose last event metadata hides by now. */
  | { kind: 'done', revision: number, position: number | undefined }
  | { kind: 'wrong-version', current: number }
  | { kind: 'deleted' }

const REMEMBERED_IDS = 50_000
const EMPTY = Buffer.alloc(0)

const jsonEvent = (type: string, json: string): NewEvent =>
  ({ id: randomUUID(), type, json: true, data: Buffer.from(json, 'utf8'), metadata: EMPTY })

export class EventLog {
  readonly database: EventDatabase
  readonly streams: Streams
  // Event id → stream id and revision: how a repeat that expects any revision is recognised until a restart.
  readonly #recent = new RecentMap<string, { stream: number, revision: number }>(REMEMBERED_IDS)
  #last: number
  #next: number
  /** Names of the streams written since the committer last took them. */
  touched = new Set<string>()

  constructor (database: EventDatabase) {
    this.database = database
    this.streams = new Streams(database)
    const { last, next } = database.end()
    this.#last = last
    this.#next = next
    if (last === 0) this.#seed()
  }

  /** Position of the last event. */
  get last (): number { return this.#last }
  /** Nothing is stored at this position or beyond. */
  get end (): number { return this.#next }

  /** Goes back to what is on disk, after a transaction that failed. */
  recover (): void {
    this.streams.forget()
    this.#recent.clear()
    this.touched.clear()
    const { last, next } = this.database.end()
    this.#last = last
    this.#next = next
  }

  append (name: string, expected: Expectation, events: readonly NewEvent[]): Outcome {
    const state = this.streams.get(name)
    const softDeleted = this.streams.softDeleted(name)
    const verdict = decide(this.#subject(name, state, softDeleted), expected.version, events.map(({ id }) => id))
    if (verdict.kind === 'wrong-version' || verdict.kind === 'deleted') return verdict
    if (verdict.kind === 'repeat') {
      const visible = verdict.last >= firstVisible(this.streams.metadata(name), state.last)
      return { kind: 'done', revision: verdict.last, position: visible ? this.database.positionAt(state.id, verdict.last) : undefined }
    }
    if (events.length === 0) return { kind: 'done', revision: state.last, position: this.#pass() }
    const first = state.last + 1
    const subject = isMetastream(name) && this.streams.softDeleted(streamOfMetastream(name)) ? streamOfMetastream(name) : undefined
    for (const event of events) this.#write(name, state, event)
    const done: Outcome = { kind: 'done', revision: state.last, position: state.lastPosition }
    if (softDeleted) this.#revive(name, first)
    // new metadata for a soft deleted stream is corrected at once, so that what was deleted stays hidden
    if (subject !== undefined) this.#revive(subject, this.streams.get(subject).last + 1)
    return done
  }

  /** Soft delete: the stream's metadata is replaced by one that hides everything. */
  delete (name: string, expected: Expectation): Outcome {
    const refusal = this.#refuseRemoval(name, expected, false)
    if (refusal) return refusal
    const metastream = metastreamOf(name)
    const meta = this.streams.get(metastream)
    this.#write(metastream, meta, jsonEvent('$metadata', SOFT_DELETE_JSON))
    return { kind: 'done', revision: meta.last, position: meta.lastPosition }
  }

  tombstone (name: string, expected: Expectation): Outcome {
    const refusal = this.#refuseRemoval(name, expected, true)
    if (refusal) return refusal
    const state = this.streams.get(name)
    const position = this.#put(name, state, { id: randomUUID(), type: '$streamDeleted', json: false, data: EMPTY, metadata: EMPTY }, 'tombstone')
    state.tombstoned = true
    return { kind: 'done', revision: state.last, position }
  }

  #refuseRemoval (name: string, { version }: Expectation, missingAllowed: boolean): Outcome | undefined {
    const state = this.streams.get(name)
    if (state.tombstoned) return { kind: 'deleted' }
    const softDeleted = this.streams.softDeleted(name)
    if (version === STREAM_EXISTS && softDeleted) return { kind: 'deleted' }
    const missing = state.last < 0
    const fits = version === ANY
      ? !missing || missingAllowed
      : version === NO_STREAM
        ? softDeleted || (missing && missingAllowed)
        : version === STREAM_EXISTS
          ? !missing
          : version === state.last
    return fits ? undefined : { kind: 'wrong-version', current: state.last }
  }

  #subject (name: string, state: StreamState, softDeleted: boolean): Subject {
    return {
      last: state.last,
      tombstoned: state.tombstoned,
      softDeleted: () => softDeleted,
      hasMetadata: () => this.streams.get(metastreamOf(name)).last >= 0,
      idAt: (revision) => {
        const position = this.database.positionAt(state.id, revision)
        const stored = position === undefined ? undefined : this.database.event(position)
        return stored && idOf(stored)
      },
      recent: (id) => {
        const found = this.#recent.get(id)
        return found?.stream === state.id ? found.revision : undefined
      }
    }
  }

  /** The write that follows a soft delete brings the stream back from its first new event on. */
  #revive (name: string, revision: number): void {
    const stored = this.streams.metadataEvent(name)
    const json = stored && isJson(stored) ? revivedMetadata(dataOf(stored), revision) : undefined
    if (json === undefined) return
    const metastream = metastreamOf(name)
    this.#write(metastream, this.streams.get(metastream), jsonEvent('$metadata', json))
  }

  #write (name: string, state: StreamState, event: NewEvent): void {
    const revision = state.last + 1
    state.lastPosition = this.#put(name, state, event, revision)
    state.last = revision
    // an id that is written twice stays known by its first place
    if (!this.#recent.get(event.id)) this.#recent.set(event.id, { stream: state.id, revision })
    this.streams.written(name)
  }

  #put (name: string, state: StreamState, event: NewEvent, revision: number | 'tombstone'): number {
    const position = this.#next
    const encodedName = Buffer.from(name, 'utf8')
    if (state.id === 0) {
      state.id = position
      this.database.putName(encodedName, position)
    }
    const stored = encodeRecord(event, encodedName, revision === 'tombstone' ? TOMBSTONE_REVISION : revision, position, Date.now())
    this.database.putEvent(state.id, revision, position, stored)
    this.#last = position
    this.#next = position + stored.length
    this.touched.add(name)
    return position
  }

  /** An append without events gets a position of its own, at which there is nothing. */
  #pass (): number {
    const position = this.#next
    this.#next += 2
    return position
  }

  /** A store is never empty: the first event says what it is, as a real one's does. */
  #seed (): void {
    this.database.write(() => {
      this.append('$$$scavenges', { version: ANY }, [jsonEvent('$metadata', '{"$maxAge":2592000}')])
    })
    this.touched.clear()
  }
}

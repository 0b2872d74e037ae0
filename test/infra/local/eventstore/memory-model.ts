// The event store as one would write it down on a page: arrays, and the rules of the contract. Slow, plain, for tests only.
import type { Expected } from './wire-client.ts'

interface ModelEvent { readonly id: string, readonly data: string }
interface ModelStream { events: ModelEvent[], tombstoned: boolean }

export type ModelOutcome = { kind: 'done', revision: number } | { kind: 'wrong-expected-version' } | { kind: 'stream-deleted' }

const WRONG: ModelOutcome = { kind: 'wrong-expected-version' }
const DELETED: ModelOutcome = { kind: 'stream-deleted' }
const SOFT_DELETED = '{"$tb":9223372036854775807}'

export class MemoryModel {
  readonly #streams = new Map<string, ModelStream>()
  readonly #all: ModelEvent[] = []
  readonly #proposed = new Set<string>()
  #remembered = new Map<string, { stream: string, revision: number }>()

  /** Repeats that expect any revision are recognised from memory, which a restart empties. */
  restart (): void { this.#remembered = new Map() }

  /** Ids are compared as they are; those that a server gave itself are all alike. */
  label (id: string): string { return this.#proposed.has(id) ? id : '(server)' }

  all (): string[] { return this.#all.map(({ id }) => this.label(id)) }

  #stream (name: string): ModelStream { return this.#streams.get(name) ?? { events: [], tombstoned: false } }

  #put (name: string, event: ModelEvent): void {
    const stream = this.#stream(name)
    this.#streams.set(name, stream)
    stream.events.push(event)
    this.#all.push(event)
    if (!this.#remembered.has(event.id)) this.#remembered.set(event.id, { stream: name, revision: stream.events.length - 1 })
  }

  #metadata (name: string): { hidden: number, softDeleted: boolean } {
    const last = this.#stream(name).events.length - 1
    if (name.startsWith('$$')) return { hidden: last, softDeleted: false }
    const meta = this.#stream(`$$${name}`)
    const json = meta.events.at(-1)?.data ?? '{}'
    if (json === SOFT_DELETED) return { hidden: Infinity, softDeleted: true }
    const parsed = JSON.parse(json) as { $maxCount?: number, $tb?: number }
    if (Array.isArray(parsed) || parsed.$maxCount === 0) return { hidden: 0, softDeleted: false }
    return { hidden: Math.max(0, parsed.$tb ?? 0, parsed.$maxCount === undefined ? 0 : last + 1 - parsed.$maxCount), softDeleted: false }
  }

  append (name: string, expected: Expected, events: ModelEvent[]): ModelOutcome {
    for (const { id } of events) this.#proposed.add(id)
    const stream = this.#stream(name)
    const last = stream.events.length - 1
    const { softDeleted } = this.#metadata(name)
    if (stream.tombstoned) return DELETED
    if (expected === 'stream_exists') {
      if (softDeleted) return DELETED
      if (last < 0 && this.#stream(`$$${name}`).events.length === 0) return WRONG
    }
    const repeated = this.#repeat(name, expected, events, last, softDeleted)
    if (repeated !== 'new') return repeated
    if (events.length === 0) return { kind: 'done', revision: last }
    const subject = name.startsWith('$$') ? name.slice(2) : undefined
    const revives = subject !== undefined && this.#metadata(subject).softDeleted
    for (const event of events) this.#put(name, event)
    if (softDeleted) this.#put(`$$${name}`, { id: '(server)', data: `{"$tb":${last + 1}}` })
    if (revives) {
      const object = JSON.parse(events.at(-1)?.data ?? '{}') as object
      if (!Array.isArray(object)) this.#put(name, { id: '(server)', data: JSON.stringify({ ...object, $tb: this.#stream(subject).events.length }) })
    }
    return { kind: 'done', revision: last + events.length }
  }

  #repeat (name: string, expected: Expected, events: ModelEvent[], last: number, softDeleted: boolean): ModelOutcome | 'new' {
    if (expected === 'any' || expected === 'stream_exists') {
      const places = events.map(({ id }) => this.#remembered.get(id)).map((place) => (place?.stream === name ? place.revision : undefined))
      if (places.length === 0 || places[0] === undefined) return 'new'
      return places.includes(undefined) ? WRONG : { kind: 'done', revision: places.at(-1) ?? 0 }
    }
    const version = expected === 'no_stream' ? -1 : expected
    if (version === last) return 'new'
    if (version > last) return WRONG
    const same = events.map(({ id }, i) => this.#stream(name).events[version + 1 + i]?.id === id)
    if (events.length > 0 && same.every(Boolean)) return { kind: 'done', revision: version + events.length }
    return version === -1 && softDeleted && same[0] !== true ? 'new' : WRONG
  }

  delete (name: string, expected: Expected): ModelOutcome {
    return this.#remove(name, expected, false) ?? this.#done(() => { this.#put(`$$${name}`, { id: '(server)', data: SOFT_DELETED }) })
  }

  tombstone (name: string, expected: Expected): ModelOutcome {
    return this.#remove(name, expected, true) ?? this.#done(() => {
      const stream = this.#stream(name)
      this.#streams.set(name, stream)
      stream.tombstoned = true
      this.#all.push({ id: '(server)', data: '' })
    })
  }

  #done (act: () => void): ModelOutcome {
    act()
    return { kind: 'done', revision: 0 }
  }

  #remove (name: string, expected: Expected, missingAllowed: boolean): ModelOutcome | undefined {
    const stream = this.#stream(name)
    const last = stream.events.length - 1
    const { softDeleted } = this.#metadata(name)
    if (stream.tombstoned) return DELETED
    if (expected === 'any') return last >= 0 || missingAllowed ? undefined : WRONG
    if (expected === 'no_stream') return softDeleted || (last < 0 && missingAllowed) ? undefined : WRONG
    if (expected === 'stream_exists') return softDeleted ? DELETED : last >= 0 ? undefined : WRONG
    return expected === last ? undefined : WRONG
  }

  read (name: string, from: 'start' | 'end' | number, backwards: boolean, count: number): string[] | string {
    const { events } = this.#stream(name)
    if (!backwards && from === 'end') return 'rejected'
    if (this.#stream(name).tombstoned || (name.startsWith('$$') && this.#stream(name.slice(2)).tombstoned)) return 'stream-deleted'
    const { hidden, softDeleted } = this.#metadata(name)
    if (events.length === 0 || softDeleted) return 'not found'
    const visible = events.map(({ id }, revision) => ({ id, revision })).filter(({ revision }) => revision >= hidden)
    const begin = from === 'start' ? 0 : from === 'end' ? Infinity : from
    const found = backwards ? visible.filter(({ revision }) => revision <= begin).reverse() : visible.filter(({ revision }) => revision >= begin)
    return found.slice(0, count).map(({ id }) => this.label(id))
  }
}

// Random programs of appends, deletes, tombstones, metadata, restarts and reads, against a model held in memory.
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { type RunningEventStore, openEventStore } from '../../../../infra/local/eventstore/index.ts'
import { MemoryModel, type ModelOutcome } from './memory-model.ts'
import { quickFolder } from './support.ts'
import { Appender, type Expected, type ReadOptions, type Status, WireClient, eventOf, kindOf, readRequest, streamRequest } from './wire-client.ts'

t.setTimeout(120_000)

const STREAM_NOT_FOUND = 4
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)

const stream = fc.constantFrom('a', 'b', 'c')
const expected: fc.Arbitrary<Expected> = fc.oneof({ weight: 3, arbitrary: fc.constant<Expected>('any') }, { weight: 2, arbitrary: fc.constant<Expected>('no_stream') },
  fc.constant<Expected>('stream_exists'), fc.integer({ min: 0, max: 9 }))
// few ids, so that programs repeat them; x… are fresh
const id = fc.oneof(fc.constantFrom('1', '2', '3', '4', '5'), fc.constant('x'))
const from = fc.oneof(fc.constantFrom('start' as const, 'end' as const), fc.integer({ min: 0, max: 12 }))

type Command =
  | { do: 'append', stream: string, expected: Expected, ids: string[] }
  | { do: 'delete' | 'tombstone', stream: string, expected: Expected }
  | { do: 'metadata', stream: string, json: string }
  | { do: 'read', stream: string, from: 'start' | 'end' | number, backwards: boolean, count: number }
  | { do: 'all', from: 'start' | 'end' | number, backwards: boolean, count: number }
  | { do: 'restart' }

const count = fc.constantFrom(1, 2, 3, 100)
const backwards = fc.boolean()
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('append' as const), stream, expected, ids: fc.array(id, { minLength: 0, maxLength: 4 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('delete' as const), stream, expected }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tombstone' as const), stream: fc.constantFrom('a', 'b'), expected }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('metadata' as const), stream, json: fc.constantFrom('{}', '{"$maxCount":2}', '{"$tb":3}', '{"$tb":2,"$maxCount":3}', '{"$maxCount":0}', '{"$maxAge":3600}', '[1]', '{"x":1}') }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('read' as const), stream: fc.oneof(stream, stream.map((name) => `$$${name}`)), from, backwards, count }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('all' as const), from, backwards, count }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) })

/** The store and the model, driven alike. */
class Pair {
  readonly #dataDir: string
  readonly #prefix: string
  readonly #model = new MemoryModel()
  #store: RunningEventStore
  #client: WireClient
  #appender: Appender
  /** Positions of all events, as the store told them. */
  readonly #positions: number[] = []

  static async open (dataDir: string, program: number): Promise<Pair> {
    return new Pair(dataDir, `${program}-`, await openEventStore({ dataDir, port: 0 }))
  }

  private constructor (dataDir: string, prefix: string, store: RunningEventStore) {
    this.#dataDir = dataDir
    this.#prefix = prefix
    this.#store = store
    this.#client = new WireClient(store.port)
    this.#appender = new Appender(this.#client)
  }

  #name (name: string): string { return name.replace(/^(\$*)/, `$1${this.#prefix}`) }
  #id (label: string): string { return label === 'x' ? randomUUID() : `00000000-0000-4000-8000-${this.#prefix.slice(0, -1).padStart(10, '0')}0${label}` }

  async close (): Promise<void> {
    this.#client.close()
    await this.#store.close()
  }

  async run (step: Command): Promise<{ told: unknown, right: unknown }> {
    switch (step.do) {
      case 'append': return await this.#append(step.stream, step.expected, step.ids.map((label) => this.#id(label)), '{}')
      case 'metadata': return await this.#append(`$$${step.stream}`, 'any', [randomUUID()], step.json)
      case 'delete': case 'tombstone': {
        const { status } = await this.#client.ask(step.do === 'delete' ? 'Delete' : 'Tombstone', streamRequest(this.#name(step.stream), step.expected))
        const right = this.#model[step.do](step.stream, step.expected)
        return { told: status.code === 0 ? 'done' : status.trailers['exception'], right: right.kind === 'done' ? 'done' : right.kind }
      }
      case 'read': {
        const { ids, status } = await this.#read({ stream: this.#name(step.stream), from: step.from, backwards: step.backwards, count: step.count })
        return { told: this.#known(ids, status), right: this.#model.read(step.stream, step.from, step.backwards, step.count) }
      }
      case 'all': return await this.#readAll(step)
      case 'restart': {
        await this.close()
        this.#store = await openEventStore({ dataDir: this.#dataDir, port: 0 })
        this.#client = new WireClient(this.#store.port)
        this.#appender = new Appender(this.#client)
        this.#model.restart()
        return { told: '', right: '' }
      }
    }
  }

  async #append (name: string, wanted: Expected, ids: string[], data: string): Promise<{ told: unknown, right: unknown }> {
    const answer = await this.#appender.append(this.#name(name), wanted, ids.map((eventId) => ({ id: eventId, data })))
    const right: ModelOutcome = this.#model.append(name, wanted, ids.map((eventId) => ({ id: eventId, data })))
    const told = 'revision' in answer ? { kind: 'done', revision: answer.revision } : { kind: answer.name }
    return { told, right: right.kind === 'done' ? right : { kind: right.kind === 'stream-deleted' ? 'StreamDeleted' : 'WrongExpectedVersion' } }
  }

  async #read (options: ReadOptions): Promise<{ ids: string[], status: Status, kinds: number[], positions: number[] }> {
    const { messages, status } = await this.#client.ask('Read', readRequest(options))
    const events = messages.flatMap((message) => eventOf(message) ?? [])
    return { ids: events.map((event) => event.id), positions: events.map((event) => event.position), kinds: messages.map(kindOf), status: { ...status, message: String(messages[0] && kindOf(messages[0])) } }
  }

  /** Events that the server made itself have ids of its own. */
  #known (ids: string[], { code, message }: Status): unknown {
    if (code === 9) return 'stream-deleted'
    if (code !== 0) return 'rejected'
    return message === String(STREAM_NOT_FOUND) ? 'not found' : ids.map((eventId) => this.#model.label(eventId))
  }

  async #readAll (step: { from: 'start' | 'end' | number, backwards: boolean, count: number }): Promise<{ told: unknown, right: unknown }> {
    const own = await this.#everything()
    const expected = this.#model.all()
    const at = typeof step.from === 'number' ? own.positions[step.from % Math.max(1, own.positions.length)] : undefined
    const place = at ?? (typeof step.from === 'number' ? 'start' : step.from)
    const { ids } = await this.#read({ from: place, backwards: step.backwards, count: step.count })
    const index = place === 'start' ? -1 : place === 'end' ? own.ids.length : own.positions.indexOf(place)
    const slice = step.backwards ? own.ids.slice(0, Math.max(0, index)).reverse() : own.ids.slice(Math.max(0, index))
    const fits = ids.length <= step.count && (place === 'start' || slice.slice(0, step.count).every((eventId, i) => ids[i] === eventId || !own.ids.includes(ids[i] ?? '')))
    return { told: { ids: own.ids.map((eventId) => this.#model.label(eventId)), fits }, right: { ids: expected, fits: true } }
  }

  /** All events of this program, forwards; programs share a store, one after the other. */
  async #everything (): Promise<{ ids: string[], positions: number[] }> {
    const { messages } = await this.#client.ask('Read', readRequest({ count: 1_000_000 }))
    const events = messages.flatMap((message) => eventOf(message) ?? []).filter((event) => event.stream.replace(/^\$+/, '').startsWith(this.#prefix))
    this.#positions.splice(0, Infinity, ...events.map((event) => event.position))
    return { ids: events.map((event) => event.id), positions: this.#positions }
  }
}

t.test(`random programs agree with the model (FC_SEED=${seed})`, async (t) => {
  let programs = 0
  const dataDir = quickFolder(t)
  await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 60 }), async (program) => {
    const pair = await Pair.open(dataDir, programs++)
    try {
      for (const [i, step] of program.entries()) {
        const { told, right } = await pair.run(step)
        if (JSON.stringify(told) !== JSON.stringify(right)) {
          throw new Error(`step ${i} ${JSON.stringify(step)}: the store says ${JSON.stringify(told)}, the model ${JSON.stringify(right)}`)
        }
      }
    } finally {
      await pair.close()
    }
  }), { seed, numRuns: 400 })
  t.ok(programs >= 400, `${programs} programs`)
})

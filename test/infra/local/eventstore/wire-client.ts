// A small gRPC client on node:http2 for tests that need what the official one hides: raw frames, cuts, thousands of calls.
import { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders, connect, constants } from 'node:http2'
import type { Test } from 'tap'
import { FrameReader, frame } from '../../../../infra/local/eventstore/grpc/framing.ts'
import { WireReader, bytesField, varintField } from '../../../../infra/local/eventstore/protocol/wire.ts'

const STREAMS = '/event_store.client.streams.Streams'
const NO_LIMIT = 2 ** 31

export interface Status { readonly code: number, readonly message: string, readonly trailers: IncomingHttpHeaders }

/** One call: what it was sent, as messages, and how it ended. */
export class WireCall {
  readonly stream: ClientHttp2Stream
  readonly messages: Buffer[] = []
  readonly ended: Promise<Status>
  /** Called with every message, after it was put into `messages`. */
  onMessage: (message: Buffer) => void = () => {}

  constructor (session: ClientHttp2Session, path: string, { reading = true, headers = {} }: CallOptions = {}) {
    this.stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers })
    const frames = new FrameReader(NO_LIMIT)
    let status: Status | undefined
    const note = (all: IncomingHttpHeaders): void => {
      if (all['grpc-status'] !== undefined) status = { code: Number(all['grpc-status']), message: String(all['grpc-message']), trailers: all }
    }
    this.stream.on('response', note)
    this.stream.on('trailers', note)
    this.ended = new Promise((resolve) => {
      this.stream.on('error', (error: Error) => { status ??= { code: -1, message: error.message, trailers: {} } })
      // the server may keep its half open for a while for a caller that has not ended: the status is what counts
      this.stream.on('end', () => { if (status) resolve(status) })
      this.stream.on('close', () => { resolve(status ?? { code: -1, message: 'cut', trailers: {} }) })
    })
    if (!reading) return
    this.stream.on('data', (chunk: Buffer) => {
      frames.push(chunk, (message) => {
        this.messages.push(message)
        this.onMessage(message)
      })
    })
  }

  send (message: Buffer): void { this.stream.write(frame(message)) }

  cancel (): void { this.stream.close(constants.NGHTTP2_CANCEL) }

  /** The next message that `wanted` accepts, of those that have not come yet. */
  next (wanted: (message: Buffer) => boolean = () => true): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.onMessage = (message) => { if (wanted(message)) resolve(message) }
      void this.ended.then((status) => { reject(new Error(`the call ended: ${status.code} ${status.message}`)) })
    })
  }
}

export interface CallOptions { readonly reading?: boolean, readonly headers?: Record<string, string> }

export class WireClient {
  readonly session: ClientHttp2Session

  constructor (port: number) {
    this.session = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 2_000, settings: { initialWindowSize: 65_535 } })
    this.session.on('error', () => {}) // the calls tell
  }

  call (method: string, options?: CallOptions): WireCall {
    return new WireCall(this.session, method.startsWith('/') ? method : `${STREAMS}/${method}`, options)
  }

  /** One request, to its end. */
  async ask (method: string, request: Buffer): Promise<{ messages: Buffer[], status: Status }> {
    const call = this.call(method)
    call.send(request)
    call.stream.end()
    const status = await call.ended
    return { messages: call.messages, status }
  }

  close (): void { this.session.destroy() }
}

export const wireClient = (t: Test, port: number): WireClient => {
  const client = new WireClient(port)
  t.teardown(() => { client.close() })
  return client
}

// ---- requests ----

export type Expected = 'any' | 'no_stream' | 'stream_exists' | number
export interface Proposal { readonly id: string, readonly type?: string, readonly data?: string | Buffer }

const empty = (field: number): Buffer => bytesField(field)
const streamName = (name: string): Buffer => bytesField(1, bytesField(3, name))
const expectation = (expected: Expected): Buffer =>
  typeof expected === 'number' ? varintField(2, expected) : empty({ no_stream: 3, any: 4, stream_exists: 5 }[expected])
const uuid = (id: string): Buffer => bytesField(1, bytesField(2, id))
const property = (key: string, value: string): Buffer => bytesField(2, bytesField(1, key), bytesField(2, value))

const proposed = ({ id, type = 't', data = '{}' }: Proposal): Buffer =>
  Buffer.concat([uuid(id), property('type', type), property('content-type', 'application/json'), bytesField(4, data)])

export const batchRequest = (id: string, stream: string, expected: Expected, events: readonly Proposal[]): Buffer =>
  Buffer.concat([uuid(id), bytesField(2, streamName(stream), expectation(expected)), ...events.map((event) => bytesField(3, proposed(event))), varintField(4, 1)])

/** For Append's options, and whole for Delete and Tombstone. */
export const streamRequest = (stream: string, expected: Expected): Buffer => bytesField(1, streamName(stream), expectation(expected))
export const eventRequest = (event: Proposal): Buffer => bytesField(2, proposed(event))

export interface ReadOptions {
  readonly stream?: string
  readonly from?: 'start' | 'end' | number
  readonly backwards?: boolean
  /** A subscription if it is left out. */
  readonly count?: number
  readonly typePrefix?: string
}

export const readRequest = ({ stream, from = 'start', backwards = false, count, typePrefix }: ReadOptions): Buffer => {
  const place = typeof from !== 'number'
    ? empty((from === 'start' ? 2 : 3) + (stream === undefined ? 0 : 1))
    : stream === undefined ? bytesField(1, varintField(1, from), varintField(2, from)) : varintField(2, from)
  return bytesField(1,
    stream === undefined ? bytesField(2, place) : bytesField(1, streamName(stream), place),
    varintField(3, backwards ? 1 : 0),
    count === undefined ? empty(6) : varintField(5, count),
    typePrefix === undefined ? empty(8) : bytesField(7, bytesField(2, bytesField(2, typePrefix)), empty(4), varintField(5, 1)),
    bytesField(9, empty(2)))
}

// ---- answers ----

export interface Seen { readonly id: string, readonly stream: string, readonly revision: bigint, readonly position: number, readonly data: Buffer }

/** The event of a ReadResp; undefined if it is something else. */
export const eventOf = (message: Buffer): Seen | undefined => {
  const response = new WireReader(message)
  response.next()
  if (response.field !== 1) return undefined
  const event = response.message()
  event.next()
  const record = event.message()
  let data: Buffer = Buffer.alloc(0)
  const seen = { id: '', stream: '', revision: 0n, position: 0 }
  while (record.next()) {
    switch (record.field) {
      case 1: { const id = record.message(); id.next(); seen.id = id.text(); break }
      case 2: { const name = record.message(); name.next(); seen.stream = name.text(); break }
      case 3: seen.revision = record.bigint(); break
      case 5: seen.position = record.number(); break
      case 8: data = record.bytes()
    }
  }
  return { ...seen, data }
}

/** What a ReadResp is, by the number of its field: 1 event, 2 confirmation, 3 checkpoint, 4 not found, 8 caught up. */
export const kindOf = (message: Buffer): number => {
  const response = new WireReader(message)
  return response.next() ? response.field : 0
}

export type Answer = { id: string, revision: number, position: number | undefined } | { id: string, code: number, name: string }

export const batchAnswer = (message: Buffer): Answer => {
  const response = new WireReader(message)
  let id = ''
  let answer: Answer = { id, code: -1, name: 'no answer' }
  while (response.next()) {
    if (response.field === 1) {
      const correlation = response.message()
      correlation.next()
      id = correlation.text()
    } else if (response.field === 2) {
      const error = response.message()
      let code = 0
      let name = ''
      while (error.next()) {
        if (error.field === 1) code = error.number()
        else if (error.field === 2) name = error.text()
      }
      answer = { id, code, name }
    } else if (response.field === 3) answer = { id, ...successOf(response.message()) }
  }
  return { ...answer, id }
}

const successOf = (success: WireReader): { revision: number, position: number | undefined } => {
  let revision = -1
  let position: number | undefined
  while (success.next()) {
    if (success.field === 1) revision = success.number()
    else if (success.field === 3) {
      const at = success.message()
      at.next()
      position = at.number()
    }
  }
  return { revision, position }
}

/** A BatchAppend call whose appends are promises. */
export class Appender {
  readonly #call: WireCall
  readonly #waiting = new Map<string, (answer: Answer) => void>()

  constructor (client: WireClient) {
    this.#call = client.call('BatchAppend')
    this.#call.onMessage = (message) => {
      this.#call.messages.length = 0
      const answer = batchAnswer(message)
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    }
  }

  get ended (): Promise<Status> { return this.#call.ended }

  append (stream: string, expected: Expected, events: readonly Proposal[]): Promise<Answer> {
    const id = crypto.randomUUID()
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#call.send(batchRequest(id, stream, expected, events))
    })
  }
}

/** Everything that a finite read finds. */
export const readEvents = async (client: WireClient, options: ReadOptions): Promise<Seen[]> => {
  const { messages, status } = await client.ask('Read', readRequest({ count: 2 ** 40, ...options }))
  if (status.code !== 0) throw Object.assign(new Error(`read failed: ${status.code} ${status.message}`), { status })
  return messages.flatMap((message) => eventOf(message) ?? [])
}

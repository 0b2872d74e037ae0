// What a scenario gets to work with.
import { randomUUID } from 'node:crypto'
import { es, grpc, sharedPb, streamsPb, StreamsClient } from './client.mjs'
import { clientError, readRespKind, readRespLine, wireError } from './shape.mjs'
import { normalise } from './values.mjs'

const STEP_LIMIT_MS = 60_000
const CELL_LIMIT_MS = 5_000
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Collects what arrives on a stream (raw call or client subscription). */
export class Tape {
  #wake = () => {}

  constructor (stream, close) {
    this.items = []
    this.end = undefined // undefined while open, then "end" or an Error
    this.close = close
    this.source = stream
    stream.on('data', (item) => {
      this.items.push(item)
      this.#wake()
    })
    stream.on('error', (error) => {
      if (this.closed) return
      this.end ??= error
      this.#wake()
    })
    stream.on('end', () => {
      // an error, if there is one, follows the end of the data
      setTimeout(() => {
        this.end ??= 'end'
        this.#wake()
      }, 50)
    })
  }

  /** Waits until `done(items)` holds, the stream ends, or the time is over. */
  async until (done, ms = 10_000) {
    const limit = Date.now() + ms
    for (;;) {
      if (done(this.items)) return true
      if (this.end !== undefined) return false
      const left = limit - Date.now()
      if (left <= 0) {
        this.items.push('(waited in vain)')
        return false
      }
      await new Promise((resolve) => {
        this.#wake = resolve
        setTimeout(resolve, left)
      })
    }
  }

  /** Waits until nothing has arrived for `ms`. */
  async quiet (ms = 400) {
    for (;;) {
      const before = this.items.length
      await sleep(ms)
      if (this.items.length === before || this.end !== undefined) return
    }
  }

  stop () {
    this.closed = true
    this.close()
  }
}

/** Kinds that were asked for: whoever waits for thousands asks again for all of them with each that comes. */
const kinds = new WeakMap()
export const kindOf = (item) => {
  if (typeof item === 'string') return item
  if (!kinds.has(item)) kinds.set(item, readRespKind(item))
  return kinds.get(item)
}
export const countOf = (items, kind) => items.reduce((count, item) => kindOf(item) === kind ? count + 1 : count, 0)
export const has = (kind, n = 1) => (items) => countOf(items, kind) >= n

/** A raw read or subscription as lines, closing with how it ended. */
export function tapeLines (tape, from = 0) {
  const lines = tape.items.slice(from).map((item) => (typeof item === 'string' ? item : readRespLine(item)))
  lines.push(tape.end === undefined ? '(open)' : tape.end === 'end' ? '(end)' : { error: wireError(tape.end) })
  return lines
}

const bytes = (text) => Uint8Array.from(Buffer.from(text, 'utf8'))
const empty = () => new sharedPb.Empty()

export const streamIdentifier = (name) => {
  const identifier = new sharedPb.StreamIdentifier()
  identifier.setStreamName(bytes(name))
  return identifier
}

export const uuidMessage = (id) => {
  const uuid = new sharedPb.UUID()
  uuid.setString(id)
  return uuid
}

/** Builds a raw ReadReq. `stream` or `all: true`; `from`: "start" | "end" | revision | {commit, prepare}. */
export function readReq ({ stream, from = 'start', backwards, count, subscribe, resolveLinks, filter, uuid = 'string', compatibility }) {
  const options = new streamsPb.ReadReq.Options()
  const target =
    stream === undefined ? new streamsPb.ReadReq.Options.AllOptions() : new streamsPb.ReadReq.Options.StreamOptions()
  if (from === 'start') target.setStart(empty())
  else if (from === 'end') target.setEnd(empty())
  else if (from !== null && stream === undefined) {
    const position = new streamsPb.ReadReq.Options.Position()
    position.setCommitPosition(String(from.commit))
    position.setPreparePosition(String(from.prepare))
    target.setPosition(position)
  } else if (from !== null) target.setRevision(String(from))
  if (stream === undefined) options.setAll(target)
  else {
    target.setStreamIdentifier(streamIdentifier(stream))
    options.setStream(target)
  }
  options.setReadDirection(backwards ? 1 : 0)
  options.setResolveLinks(Boolean(resolveLinks))
  if (subscribe) options.setSubscription(new streamsPb.ReadReq.Options.SubscriptionOptions())
  else if (count !== null) options.setCount(String(count ?? Number.MAX_SAFE_INTEGER))
  if (filter) {
    const expression = new streamsPb.ReadReq.Options.FilterOptions.Expression()
    if (filter.prefixes) expression.setPrefixList(filter.prefixes)
    if (filter.regex !== undefined) expression.setRegex(filter.regex)
    const message = new streamsPb.ReadReq.Options.FilterOptions()
    if (filter.on === 'stream') message.setStreamIdentifier(expression)
    if (filter.on === 'type') message.setEventType(expression)
    if (filter.window === undefined) message.setCount(empty())
    else if (filter.window !== null) message.setMax(filter.window)
    message.setCheckpointintervalmultiplier(filter.interval ?? 1)
    options.setFilter(message)
  } else if (filter === undefined) options.setNoFilter(empty())
  if (uuid !== null) {
    const option = new streamsPb.ReadReq.Options.UUIDOption()
    if (uuid === 'string') option.setString(empty())
    else option.setStructured(empty())
    options.setUuidOption(option)
  }
  if (compatibility !== undefined) {
    const control = new streamsPb.ReadReq.Options.ControlOption()
    control.setCompatibility(compatibility)
    options.setControlOption(control)
  }
  const request = new streamsPb.ReadReq()
  request.setOptions(options)
  return request
}

export class Context {
  #steps = []
  #labels = new Map()
  #clients = []
  #raw
  #tapes = []

  constructor ({ target, salt, index }) {
    this.target = target
    this.prefix = `x${salt}-${index}~`
    this.startedAt = Date.now()
  }

  /** A stream, type or other name that no other scenario or run uses. */
  name (label) {
    return label.startsWith('$') ? label.replace(/^(\$+)/, `$1${this.prefix}`) : this.prefix + label
  }

  owns (name) {
    return name.includes(this.prefix)
  }

  id (label) {
    const id = randomUUID()
    this.#labels.set(id, label)
    return id
  }

  json (label, { type = 't', data = { n: label }, metadata, id = this.id(label) } = {}) {
    return es.jsonEvent({ id, type, data, metadata })
  }

  /** n events labelled label1 ... labeln */
  batch (label, n, options) {
    return Array.from({ length: n }, (_, i) => this.json(`${label}${i + 1}`, options))
  }

  // ---- recording ----

  async step (title, action) {
    try {
      const value = await limited(action(), STEP_LIMIT_MS, new Error('no answer'))
      this.#steps.push({ step: title, result: value === undefined ? '(nothing)' : value })
    } catch (error) {
      this.#steps.push({
        step: title,
        error: error?.type || !error?.metadata ? clientError(error) : wireError(error),
      })
    }
  }

  record (title, value) {
    this.#steps.push({ step: title, result: value })
  }

  result () {
    return normalise(this.#steps, { labels: this.#labels, prefix: this.prefix, startedAt: this.startedAt })
  }

  async finish () {
    for (const tape of this.#tapes) tape.stop()
    // dispose() never settles when a read was left half way
    for (const client of this.#clients) await Promise.race([client.dispose(), sleep(1000)])
    this.#raw?.close()
  }

  // ---- client level ----

  newClient (options = '', scheme = 'esdb') {
    const { host, port } = this.target
    const url = `${scheme}://${host}:${port}?tls=false&keepAliveInterval=-1${options}`
    const client = es.EventStoreDBClient.connectionString(url)
    this.#clients.push(client)
    return client
  }

  get client () {
    this.defaultClient ??= this.newClient()
    return this.defaultClient
  }

  /** Appends by the path under test: credentials make the client use the plain append. */
  append (path, stream, events, expectedRevision, client = this.client) {
    const options = expectedRevision === undefined ? {} : { expectedRevision }
    if (path === 'plain') options.credentials = { username: 'admin', password: 'changeit' }
    return client.appendToStream(stream, events, options)
  }

  async readAllOwn (options = {}) {
    const found = []
    for await (const resolved of this.client.readAll(options)) {
      if (this.owns((resolved.link ?? resolved.event).streamId)) found.push(resolved)
    }
    return found
  }

  async readStream (stream, options) {
    const found = []
    for await (const resolved of this.client.readStream(stream, options)) found.push(resolved)
    return found
  }

  async revisions (stream, options) {
    return (await this.readStream(stream, options)).map(({ event, link }) => Number((link ?? event).revision))
  }

  /**
   * After an append to a soft deleted stream: a real server acknowledges before the
   * metadata that brings the stream back is written, so a read may still miss it.
   */
  async revived (stream, result) {
    if (result.position !== undefined) {
      for (let tries = 0; tries < 60; tries++) {
        const { items } = await this.rawRead({ stream, count: 1 })
        if (items.every((item) => kindOf(item) !== 'streamNotFound')) break
        await sleep(50)
      }
    }
    return result
  }

  // ---- raw level ----

  get raw () {
    this.#raw ??= new StreamsClient(`${this.target.host}:${this.target.port}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': 32 * 1024 * 1024,
      'grpc.max_send_message_length': 64 * 1024 * 1024,
    })
    return this.#raw
  }

  tape (stream, close) {
    const tape = new Tape(stream, close)
    this.#tapes.push(tape)
    return tape
  }

  rawOpen (options) {
    const call = this.raw.read(readReq(options))
    return this.tape(call, () => call.cancel())
  }

  /** A raw read to its end. */
  async rawRead (options, ms = 15_000) {
    const tape = this.rawOpen(options)
    await tape.until(() => false, ms)
    return tape
  }

  async rawReadLines (options) {
    return tapeLines(await this.rawRead(options))
  }

  /** Only own events of an $all read; everything that is not an event is kept. */
  ownLines (tape, from = 0) {
    const mine = { ...tape, items: tape.items.slice(from).filter((item) => this.isOwnItem(item)) }
    return tapeLines(mine)
  }

  isOwnItem (item) {
    if (kindOf(item) !== 'event') return true
    const event = item.getEvent()
    const record = event.hasLink() ? event.getLink() : event.getEvent()
    return this.owns(Buffer.from(record.getStreamIdentifier().getStreamName_asU8()).toString('utf8'))
  }
}

/** Runs a table: for every row a cell is computed, errors become a line. */
export async function table (rows, cell, onError) {
  const out = {}
  for (const [title, input] of rows) {
    try {
      out[title] = await limited(cell(input, title), CELL_LIMIT_MS, 'no answer')
    } catch (error) {
      out[title] = error === 'no answer' ? error : onError(error)
    }
  }
  return out
}

function limited (promise, ms, reason) {
  let timer
  const limit = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(reason), ms)
  })
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer))
}

// One gRPC call on an HTTP/2 stream: messages in, messages and a status out, with deadline, cancellation and back-pressure.
import { type IncomingHttpHeaders, type ServerHttp2Stream, constants } from 'node:http2'
import { FrameReader } from './framing.ts'
import type { Holder, Inbound } from './inbound.ts'
import { Code, GrpcError, statusHeaders } from './status.ts'
import { MalformedMessage } from '../protocol/wire.ts'

export interface CallHandler {
  /** One message of the caller; the bytes are only valid during the call. What it throws ends the call. */
  message (bytes: Buffer): void
  /** The caller has said everything. */
  end (): void
  /** The call is over, whoever ended it. */
  closed? (): void
}

const RESPONSE_HEADERS = { ':status': 200, 'content-type': 'application/grpc' }
/** Beyond what an append may hold (1 MiB of data) there are types and metadata; a real store takes as much. */
const LONGEST_MESSAGE = 16 * 1024 * 1024
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** How long a caller may go on sending after its call was ended. */
const LINGER_MS = 1_000

const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

const timeoutOf = (headers: IncomingHttpHeaders): number | undefined => {
  const [, amount, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(headers['grpc-timeout'] ?? '')) ?? []
  return amount === undefined || unit === undefined ? undefined : Math.min(Number(amount) * (UNIT_MS[unit] ?? 1), LONGEST_TIMER_MS)
}

export class Call implements Holder {
  readonly #stream: ServerHttp2Stream
  readonly #frames = new FrameReader(LONGEST_MESSAGE)
  readonly #inbound: Inbound
  #held = 0
  #kept = 0
  #out: Buffer[] = []
  #flushing = false
  #started = false
  #over = false
  #timer: NodeJS.Timeout | undefined
  #handler: CallHandler | undefined
  /** Called when a peer that had not read for a while has read again. */
  drained: (() => void) | undefined

  constructor (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, inbound: Inbound) {
    this.#stream = stream
    this.#inbound = inbound
    const timeout = timeoutOf(headers)
    if (timeout !== undefined) {
      this.#timer = setTimeout(() => { this.fail(new GrpcError(Code.DEADLINE_EXCEEDED, 'the deadline is over')) }, timeout)
    }
    stream.on('error', () => {}) // a peer that went away; 'close' follows
    stream.on('drain', () => { this.drained?.() })
    stream.on('close', () => { this.#close() })
  }

  get held (): number { return this.#held }

  evict (): void {
    this.fail(new GrpcError(Code.RESOURCE_EXHAUSTED, 'too much is being sent at once that is not complete'))
  }

  /** Tells how many bytes of messages already taken the handler keeps, until it says otherwise. */
  keep (bytes: number): void {
    this.#kept = bytes
    this.#account()
  }

  #account (): void {
    const before = this.#held
    this.#held = this.#over ? 0 : this.#frames.held + this.#kept
    if (this.#held !== before) this.#inbound.change(this, this.#held - before)
  }

  get over (): boolean { return this.#over }

  /** True if the peer has not read what was sent: send no more until `drained`. */
  get congested (): boolean { return this.#stream.writableNeedDrain || this.#gone }

  /** Reset or cut: nothing can be sent any more, and trying throws. */
  get #gone (): boolean { return this.#stream.destroyed || this.#stream.closed }

  handle (handler: CallHandler): void {
    this.#handler = handler
    const message = (bytes: Buffer): void => { if (!this.#over) this.#guard(() => { handler.message(bytes) }) }
    this.#stream.on('data', (chunk: Buffer) => {
      if (this.#over) return
      const problem = this.#frames.push(chunk, message)
      this.#account()
      if (problem === 'compressed') this.fail(new GrpcError(Code.UNIMPLEMENTED, 'this server takes no compressed messages'))
      else if (problem) this.fail(new GrpcError(Code.RESOURCE_EXHAUSTED, `a message may have ${LONGEST_MESSAGE} bytes`))
    })
    this.#stream.on('end', () => {
      if (this.#over) return
      if (this.#frames.held > 0) this.fail(new GrpcError(Code.INTERNAL, 'the last message is not complete'))
      else this.#guard(() => { handler.end() })
    })
  }

  /** Stops taking messages while the peer does not read the answers, or sends faster than the disk writes. */
  pause (): void { this.#stream.pause() }
  resume (): void { this.#stream.resume() }

  /** Sends a frame; what is sent within one turn leaves in one write. */
  send (frame: Buffer): void {
    if (this.#over) return
    this.#out.push(frame)
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => { this.#flush() })
  }

  /** Writes at once, for callers that have joined their frames already. */
  write (frames: Buffer): void {
    if (this.#over) return
    this.#flush()
    this.#put(frames)
  }

  /** Ends the call well, with everything sent before it. */
  end (): void {
    if (this.#over) return
    this.#flush()
    this.#start()
    this.#finish(new GrpcError(Code.OK, ''))
  }

  fail (error: GrpcError): void {
    if (this.#over) return
    this.#flush()
    if (this.#started) this.#finish(error)
    else {
      this.#over = true
      if (this.#gone) return
      this.#stream.respond({ ...RESPONSE_HEADERS, ...statusHeaders(error) }, { endStream: true })
      this.#linger()
    }
  }

  #guard (action: () => void): void {
    try {
      action()
    } catch (error) {
      if (error instanceof GrpcError) this.fail(error)
      else this.fail(new GrpcError(error instanceof MalformedMessage ? Code.INTERNAL : Code.UNKNOWN, error instanceof Error ? error.message : 'unexpected'))
    }
  }

  #flush (): void {
    this.#flushing = false
    const frames = this.#out
    if (frames.length === 0 || this.#over) return
    this.#out = []
    this.#put(Buffer.concat(frames))
  }

  #put (frames: Buffer): void {
    this.#start()
    if (!this.#gone) this.#stream.write(frames)
  }

  #start (): void {
    if (this.#started || this.#gone) return
    this.#started = true
    this.#stream.respond(RESPONSE_HEADERS, { waitForTrailers: true })
  }

  #finish (status: GrpcError): void {
    this.#over = true
    if (this.#gone) return
    this.#stream.once('wantTrailers', () => {
      if (!this.#gone) this.#stream.sendTrailers(statusHeaders(status))
    })
    this.#stream.end()
    this.#linger()
  }

  /** Lets the peer finish what it is sending, but not for ever. */
  #linger (): void {
    this.#stop()
    if (this.#stream.readableEnded) return
    this.#stream.resume()
    this.#timer = setTimeout(() => { this.#stream.close(constants.NGHTTP2_NO_ERROR) }, LINGER_MS)
  }

  #stop (): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#frames.clear()
    this.#account()
    const handler = this.#handler
    this.#handler = undefined
    handler?.closed?.()
  }

  #close (): void {
    this.#over = true
    this.#out = []
    this.#stop()
  }
}

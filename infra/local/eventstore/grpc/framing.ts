// gRPC's framing of messages on a stream: one byte "compressed", four bytes length, the message.

const PREFIX = 5

export const frame = (...parts: Buffer[]): Buffer => {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const head = Buffer.allocUnsafe(PREFIX)
  head[0] = 0
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, ...parts], PREFIX + length)
}

export type FramingProblem = 'compressed' | 'too large'

/** Cuts what arrives into messages, wherever its chunks begin and end. */
export class FrameReader {
  readonly #limit: number
  #chunks: Buffer[] = []
  #held = 0

  /** A message of more than `limit` bytes is refused as soon as its length is known. */
  constructor (limit: number) {
    this.#limit = limit
  }

  /** Bytes of a message that is not complete yet. */
  get held (): number { return this.#held }

  /** Forgets what is incomplete. */
  clear (): void {
    this.#chunks = []
    this.#held = 0
  }

  /** Calls `message` for every message that is complete with this chunk; tells what is wrong, if something is. */
  push (chunk: Buffer, message: (bytes: Buffer) => void): FramingProblem | undefined {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    for (;;) {
      if (this.#held < PREFIX) return undefined
      const first = this.#first(PREFIX)
      if (first[0] !== 0) return 'compressed'
      const length = first.readUInt32BE(1)
      if (length > this.#limit) return 'too large'
      if (this.#held < PREFIX + length) return undefined
      const whole = this.#first(PREFIX + length)
      this.#held -= PREFIX + length
      const rest = whole.subarray(PREFIX + length)
      if (rest.length > 0) this.#chunks[0] = rest
      else this.#chunks.shift()
      message(whole.subarray(PREFIX, PREFIX + length))
    }
  }

  /** The first chunk, made at least `length` bytes long by joining what follows. */
  #first (length: number): Buffer {
    const first = this.#chunks[0]
    if (first !== undefined && first.length >= length) return first
    const joined = Buffer.concat(this.#chunks)
    this.#chunks = [joined]
    return joined
  }
}

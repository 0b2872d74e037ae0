// The protobuf wire format, as much of it as this server's dozen messages need; docs/adr/0010 says why by hand.

/** A message that is not protobuf, or ends in the middle of a field. */
export class MalformedMessage extends Error {
  constructor () {
    super('the message is not valid protobuf')
  }
}

const TWO_32 = 2 ** 32

/** Walks the fields of one message: `while (reader.next()) switch (reader.field)`; unknown fields are skipped. */
export class WireReader {
  readonly #bytes: Buffer
  #at = 0
  #wire = -1
  #low = 0
  #high = 0
  field = 0

  constructor (bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Moves to the next field; false at the end. A field whose value was not taken is skipped. */
  next (): boolean {
    if (this.#wire >= 0) this.#skip()
    if (this.#at >= this.#bytes.length) return false
    this.#varint()
    this.field = this.#low >>> 3
    this.#wire = this.#low & 7
    if (this.field === 0 || this.#high !== 0) throw new MalformedMessage()
    return true
  }

  number (): number {
    this.#take(0)
    return this.#high * TWO_32 + this.#low
  }

  bigint (): bigint {
    this.#take(0)
    return (BigInt(this.#high) << 32n) | BigInt(this.#low)
  }

  /** The bytes of a string, a message or a bytes field: a view, valid as long as the message's own buffer. */
  bytes (): Buffer {
    this.#take(2)
    const length = this.#high * TWO_32 + this.#low
    const end = this.#at + length
    if (end > this.#bytes.length) throw new MalformedMessage()
    const found = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return found
  }

  text (): string {
    return this.bytes().toString('utf8')
  }

  message (): WireReader {
    return new WireReader(this.bytes())
  }

  #take (wire: number): void {
    if (this.#wire !== wire) throw new MalformedMessage()
    this.#wire = -1
    this.#varint()
  }

  #skip (): void {
    switch (this.#wire) {
      case 0: this.#take(0); return
      case 1: this.#at += 8; break
      case 2: this.bytes(); return
      case 5: this.#at += 4; break
      default: throw new MalformedMessage()
    }
    this.#wire = -1
    if (this.#at > this.#bytes.length) throw new MalformedMessage()
  }

  #varint (): void {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) {
        this.#low = low >>> 0
        this.#high = high >>> 0
        return
      }
    }
    throw new MalformedMessage()
  }
}

export const varintSize = (value: number): number => {
  let size = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

/** Writes a whole number below 2^53 and returns the offset behind it. */
export const putVarint = (target: Buffer, at: number, value: number): number => {
  let rest = value
  while (rest >= 128) {
    target[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  target[at++] = rest
  return at
}

const bigVarint = (value: bigint): number[] => {
  const out: number[] = []
  let rest = BigInt.asUintN(64, value)
  while (rest >= 128n) {
    out.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  out.push(Number(rest))
  return out
}

/** A varint field (uint64, int64, enum, bool); field numbers up to 15. */
export const varintField = (field: number, value: number | bigint): Buffer =>
  Buffer.from([field << 3, ...bigVarint(BigInt(value))])

/** A length-delimited field (bytes, string, message); field numbers up to 15. */
export const bytesField = (field: number, ...parts: (Buffer | string)[]): Buffer => {
  const content = parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part))
  const length = content.reduce((sum, part) => sum + part.length, 0)
  const head = Buffer.allocUnsafe(1 + varintSize(length))
  head[0] = (field << 3) | 2
  putVarint(head, 1, length)
  return Buffer.concat([head, ...content])
}

// Writes the little CBOR (RFC 8949) that an attestation is made of: integers, bytes, text and maps.

export type CborValue = number | string | Buffer | CborMap
export type CborMap = ReadonlyMap<number | string, CborValue>

/** Encodes a value; a map keeps the order in which it was filled, so the caller orders the keys. */
export const cbor = (value: CborValue): Buffer => {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value])
  return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, item]) => [cbor(key), cbor(item)])])
}

const head = (majorType: number, argument: number): Buffer => {
  const kind = majorType << 5
  if (argument < 24) return Buffer.of(kind | argument)
  if (argument < 0x100) return Buffer.of(kind | 24, argument)
  if (argument < 0x10000) return Buffer.of(kind | 25, argument >> 8, argument & 0xff)
  const bytes = Buffer.of(kind | 26, 0, 0, 0, 0)
  bytes.writeUInt32BE(argument, 1)
  return bytes
}

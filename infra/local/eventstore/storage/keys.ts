// Keys of the LMDB tables: big-endian numbers, so that byte order is number order.
import { createHash } from 'node:crypto'

const TWO_32 = 2 ** 32
const SHORT_NAME = 1_000

const putNumber = (target: Buffer, at: number, value: number): void => {
  target.writeUInt32BE(Math.floor(value / TWO_32), at)
  target.writeUInt32BE(value % TWO_32, at + 4)
}

export const numberKey = (value: number): Buffer => {
  const key = Buffer.allocUnsafe(8)
  putNumber(key, 0, value)
  return key
}

export const numberOf = (bytes: Buffer, at = 0): number => bytes.readUInt32BE(at) * TWO_32 + bytes.readUInt32BE(at + 4)

/** Stream id and revision. */
export const eventKey = (stream: number, revision: number): Buffer => {
  const key = Buffer.allocUnsafe(16)
  putNumber(key, 0, stream)
  putNumber(key, 8, revision)
  return key
}

/** The key of a stream's tombstone, behind all its events. */
export const tombstoneKey = (stream: number): Buffer => {
  const key = Buffer.alloc(16, 0xff)
  putNumber(key, 0, stream)
  key[8] = 0x7f
  return key
}

/** LMDB keys end at 1,978 bytes, stream names do not: a long name is known by its SHA-256. */
export const nameKey = (name: Buffer): Buffer =>
  name.length <= SHORT_NAME
    ? Buffer.concat([Buffer.from([0]), name])
    : Buffer.concat([Buffer.from([1]), createHash('sha256').update(name).digest()])

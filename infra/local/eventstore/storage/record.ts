// One stored event: a small header for the server itself, then the very bytes that a read will send.
import { bytesField, putVarint, varintSize } from '../protocol/wire.ts'
import { structuredUuid } from '../protocol/uuid.ts'

/** An event as it was proposed and found valid. */
export interface NewEvent {
  readonly id: string
  readonly type: string
  readonly json: boolean
  readonly data: Buffer
  readonly metadata: Buffer
}

/** The revision of the event that a tombstone writes: the greatest 64-bit signed number. */
export const TOMBSTONE_REVISION = 2n ** 63n - 1n

// header: u32 name start, name length, type start, type length; f64 position, created (ms); u8 flags; u32 record start
const HEADER = 40
const FLAG_JSON = 1
const FLAG_LINK = 2
const FRAME_PREFIX = 5
const ID_OFFSET = 4
const ID_LENGTH = 36
const CONTENT_TYPE_JSON = Buffer.from('application/json')
const CONTENT_TYPE_BINARY = Buffer.from('application/octet-stream')
const KEY_TYPE = Buffer.from('type')
const KEY_CREATED = Buffer.from('created')
const KEY_CONTENT_TYPE = Buffer.from('content-type')

const sizeOf = (content: number): number => 1 + varintSize(content) + content

const putBytes = (target: Buffer, at: number, field: number, content: Buffer): number => {
  target[at] = (field << 3) | 2
  at = putVarint(target, at + 1, content.length)
  content.copy(target, at)
  return at + content.length
}

const entrySize = (key: Buffer, value: Buffer): number => sizeOf(key.length) + sizeOf(value.length)

const putEntry = (target: Buffer, at: number, key: Buffer, value: Buffer): number => {
  target[at] = (6 << 3) | 2
  at = putVarint(target, at + 1, entrySize(key, value))
  return putBytes(target, putBytes(target, at, 1, key), 2, value)
}

const revisionSize = (revision: number | bigint): number => typeof revision === 'bigint' ? 9 : varintSize(revision)

const putRevision = (target: Buffer, at: number, revision: number | bigint): number => {
  if (typeof revision === 'number') return putVarint(target, at, revision)
  for (let rest = revision; ; rest >>= 7n) {
    target[at++] = Number(rest & 127n) | (rest >= 128n ? 128 : 0)
    if (rest < 128n) return at
  }
}

/**
 * Encodes an event for the log. `position` and `createdMs` are whole numbers below 2^53;
 * the result holds a complete gRPC frame with a ReadResp from `HEADER` on.
 */
export const encodeRecord = (event: NewEvent, stream: Buffer, revision: number | bigint, position: number, createdMs: number): Buffer => {
  const id = Buffer.from(event.id, 'latin1')
  const type = Buffer.from(event.type, 'utf8')
  const contentType = event.json ? CONTENT_TYPE_JSON : CONTENT_TYPE_BINARY
  const created = Buffer.from(`${createdMs}0000`, 'latin1')
  const positionSize = varintSize(position)
  const record = sizeOf(sizeOf(ID_LENGTH)) + sizeOf(sizeOf(stream.length)) + 1 + revisionSize(revision) + 2 * (1 + positionSize) +
    sizeOf(entrySize(KEY_TYPE, type)) + sizeOf(entrySize(KEY_CREATED, created)) + sizeOf(entrySize(KEY_CONTENT_TYPE, contentType)) +
    sizeOf(event.metadata.length) + sizeOf(event.data.length)
  const readEvent = sizeOf(record) + 1 + positionSize
  const response = sizeOf(readEvent)
  const out = Buffer.allocUnsafe(HEADER + FRAME_PREFIX + response)

  out[HEADER] = 0
  out.writeUInt32BE(response, HEADER + 1)
  let at = HEADER + FRAME_PREFIX
  out[at] = (1 << 3) | 2
  at = putVarint(out, at + 1, readEvent)
  out[at] = (1 << 3) | 2
  const start = putVarint(out, at + 1, record)
  out[start] = (1 << 3) | 2
  at = putBytes(out, putVarint(out, start + 1, sizeOf(ID_LENGTH)), 2, id)
  out[at] = (2 << 3) | 2
  at = putBytes(out, putVarint(out, at + 1, sizeOf(stream.length)), 3, stream)
  const nameStart = at - stream.length
  out[at] = 3 << 3
  at = putRevision(out, at + 1, revision)
  out[at] = 4 << 3
  at = putVarint(out, at + 1, position)
  out[at] = 5 << 3
  at = putVarint(out, at + 1, position)
  at = putEntry(out, at, KEY_TYPE, type)
  const typeStart = at - type.length
  at = putEntry(out, at, KEY_CREATED, created)
  at = putEntry(out, at, KEY_CONTENT_TYPE, contentType)
  at = putBytes(out, at, 7, event.metadata)
  at = putBytes(out, at, 8, event.data)
  out[at] = 3 << 3
  putVarint(out, at + 1, position)

  out.writeUInt32LE(nameStart, 0)
  out.writeUInt32LE(stream.length, 4)
  out.writeUInt32LE(typeStart, 8)
  out.writeUInt32LE(type.length, 12)
  out.writeDoubleLE(position, 16)
  out.writeDoubleLE(createdMs, 24)
  out.writeUInt32LE((event.json ? FLAG_JSON : 0) | (event.type === '$>' && !event.json ? FLAG_LINK : 0), 32)
  out.writeUInt32LE(start, 36)
  return out
}

// Everything below takes the stored bytes of one event.
export const positionOf = (stored: Buffer): number => stored.readDoubleLE(16)
export const createdOf = (stored: Buffer): number => stored.readDoubleLE(24)
export const isJson = (stored: Buffer): boolean => (stored.readUInt32LE(32) & FLAG_JSON) !== 0
export const isLink = (stored: Buffer): boolean => (stored.readUInt32LE(32) & FLAG_LINK) !== 0
export const streamOf = (stored: Buffer): Buffer => slice(stored, 0)
export const typeOf = (stored: Buffer): Buffer => slice(stored, 8)
export const idOf = (stored: Buffer): string => {
  const at = stored.readUInt32LE(36) + ID_OFFSET
  return stored.toString('latin1', at, at + ID_LENGTH)
}

const slice = (stored: Buffer, at: number): Buffer => {
  const start = stored.readUInt32LE(at)
  return stored.subarray(start, start + stored.readUInt32LE(at + 4))
}

/** The data of an event: the last field of its record, which the commit position of the answer follows. */
export const dataOf = (stored: Buffer): Buffer => {
  const record = recordOf(stored, false)
  let at = stored.readUInt32LE(8) + stored.readUInt32LE(12) - stored.readUInt32LE(36)
  for (;;) {
    const field = (record[at] ?? 0) >> 3
    let length = 0
    let factor = 1
    let byte: number
    do {
      byte = record[++at] ?? 0
      length += (byte & 127) * factor
      factor *= 128
    } while (byte >= 128)
    at++
    if (field === 8) return record.subarray(at, at + length)
    at += length
  }
}

/** The RecordedEvent message, with its id as text or as two numbers. */
export const recordOf = (stored: Buffer, structured: boolean): Buffer => {
  const start = stored.readUInt32LE(36)
  const end = stored.length - 1 - varintSize(positionOf(stored))
  if (!structured) return stored.subarray(start, end)
  const rest = stored.subarray(start + ID_OFFSET + ID_LENGTH, end)
  return Buffer.concat([bytesField(1, structuredUuid(idOf(stored))), rest])
}

/** The complete gRPC frame of a ReadResp with this event. */
export const frameOf = (stored: Buffer): Buffer => stored.subarray(HEADER)

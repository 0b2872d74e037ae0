// Requests of Append and BatchAppend, checked event by event.
import { type Expectation } from '../log/decide.ts'
import type { NewEvent } from '../storage/record.ts'
import { type StreamOptions, readExpectation, readStreamName, readStreamOptions } from './fields.ts'
import { NIL_UUID, readUuid } from './uuid.ts'
import { WireReader } from './wire.ts'

/** Bytes of data in one append; types and metadata do not count. */
export const MAX_APPEND_BYTES = 1_048_576

const JSON_TYPE = 'application/json'
const EMPTY = Buffer.alloc(0)

/** Why an event cannot be stored; `property` names a metadata property that is missing. */
export interface EventProblem { readonly problem: string, readonly property?: 'type' | 'content-type' }
export type Proposed = NewEvent | EventProblem

export const isProblem = (proposed: Proposed): proposed is EventProblem => 'problem' in proposed

const readProposed = (reader: WireReader): Proposed => {
  let id: string | undefined
  let type: string | undefined
  let contentType: string | undefined
  let metadata: Buffer = EMPTY
  let data: Buffer = EMPTY
  while (reader.next()) {
    switch (reader.field) {
      case 1: id = readUuid(reader.message()); break
      case 2: {
        const entry = reader.message()
        let key = ''
        let value = ''
        while (entry.next()) {
          if (entry.field === 1) key = entry.text()
          else if (entry.field === 2) value = entry.text()
        }
        if (key === 'type') type = value
        else if (key === 'content-type') contentType = value
        break
      }
      case 3: metadata = reader.bytes(); break
      case 4: data = reader.bytes(); break
    }
  }
  if (id === undefined) return { problem: 'an event has no id, or one that is no UUID' }
  if (id === NIL_UUID) return { problem: 'an event id may not be all zeroes' }
  if (type === undefined) return { problem: "Required Metadata Property 'type' is missing", property: 'type' }
  if (contentType === undefined) return { problem: "Required Metadata Property 'content-type' is missing", property: 'content-type' }
  if (type === '') return { problem: 'an event type may not be empty' }
  return { id, type, json: contentType === JSON_TYPE, data, metadata }
}

export type AppendRequest = { options: StreamOptions } | { event: Proposed } | 'empty'

export const readAppendRequest = (bytes: Buffer): AppendRequest => {
  const reader = new WireReader(bytes)
  let request: AppendRequest = 'empty'
  while (reader.next()) {
    if (reader.field === 1) request = { options: readStreamOptions(reader.message()) }
    else if (reader.field === 2) request = { event: readProposed(reader.message()) }
  }
  return request
}

export interface BatchOptions extends StreamOptions {
  /** Milliseconds since 1970. */
  readonly deadline: number | undefined
}

export interface BatchRequest {
  /** The UUID message as it came, to be sent back. */
  readonly correlation: Buffer | undefined
  /** Undefined if there is none, or it is no UUID. */
  readonly correlationId: string | undefined
  readonly options: BatchOptions | undefined
  readonly events: readonly Proposed[]
  readonly final: boolean
}

export const readBatchRequest = (bytes: Buffer, now: number): BatchRequest => {
  const reader = new WireReader(bytes)
  let correlation: Buffer | undefined
  let options: BatchOptions | undefined
  const events: Proposed[] = []
  let final = false
  while (reader.next()) {
    switch (reader.field) {
      case 1: correlation = reader.bytes(); break
      case 2: options = readBatchOptions(reader.message(), now); break
      case 3: events.push(readProposed(reader.message())); break
      case 4: final = reader.number() !== 0; break
    }
  }
  return { correlation, correlationId: correlation && readUuid(new WireReader(correlation)), options, events, final }
}

const readBatchOptions = (reader: WireReader, now: number): BatchOptions => {
  let stream: string | undefined
  let expected: Expectation | undefined
  let deadline: number | undefined
  while (reader.next()) {
    switch (reader.field) {
      case 1: stream = readStreamName(reader.message()); break
      case 6: deadline = readSpan(reader.message()); break
      case 7: deadline = now + readSpan(reader.message()); break
      default: expected = readExpectation(reader) ?? expected
    }
  }
  return { stream, expected, deadline }
}

/** A Timestamp (since 1970) or a Duration in milliseconds. */
const readSpan = (reader: WireReader): number => {
  let ms = 0
  while (reader.next()) {
    if (reader.field === 1) ms += Number(BigInt.asIntN(64, reader.bigint())) * 1000
    else if (reader.field === 2) ms += Number(BigInt.asIntN(64, reader.bigint())) / 1e6
  }
  return ms
}

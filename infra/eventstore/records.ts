// A recorded event as the store hands it out: its place, its time and its bytes.
import { parseUUID } from '@eventstore/db-client/dist/utils/grpcUUID.js'
import { UnreadableEvent } from '../../src/log-errors.ts'
import type { RawEvent } from '../../src/ports.ts'
import type { ReadResponse } from './receive.ts'

/** 100 ns since 1970, as the store counts. */
const TICKS_PER_MS = 10_000n

/** A RawEvent whose bodies are still text. */
export interface StoredEvent extends Omit<RawEvent, 'data' | 'metadata'> {
  json: boolean
  data: string
  metadata: string
}

/** The event of an answer, or undefined if the answer carries none. `prefix` is the namespace in front of stream names. */
export const storedEventOf = (response: ReadResponse, prefix: string): StoredEvent | undefined => {
  const record = response.getEvent()?.getEvent()
  if (record === undefined) return undefined
  const header = record.getMetadataMap()
  const position = BigInt(record.getCommitPosition())
  const stored: StoredEvent = {
    id: parseUUID(record.getId()) ?? '',
    stream: withoutPrefix(textOf(record.getStreamIdentifier()?.getStreamName_asU8()), prefix),
    type: header.get('type') ?? '',
    revision: BigInt(record.getStreamRevision()),
    position,
    created: new Date(Number(BigInt(header.get('created') ?? 0) / TICKS_PER_MS)),
    json: header.get('content-type') === 'application/json',
    data: textOf(record.getData_asU8()),
    metadata: textOf(record.getCustomMetadata_asU8())
  }
  // One number is the position everywhere outside (decision 10); it is that only while the two are the same.
  if (BigInt(record.getPreparePosition()) !== position) throw new UnreadableEvent(stored, 'its commit and prepare positions differ')
  return stored
}

const textOf = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')

/** Bodies as the auditor reads them; what is not JSON stays the text it is. */
export const rawEventOf = ({ json, data, metadata, ...place }: StoredEvent): RawEvent =>
  ({ ...place, data: parsed(data), metadata: metadata === '' ? undefined : parsed(metadata) })

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const withoutPrefix = (stream: string, prefix: string): string => stream.startsWith(prefix) ? stream.slice(prefix.length) : stream

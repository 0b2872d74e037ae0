// Pieces that several requests share: stream names and expected revisions.
import { ANY, type Expectation, NO_STREAM, STREAM_EXISTS } from '../log/decide.ts'
import { Code, GrpcError } from '../grpc/status.ts'
import type { WireReader } from './wire.ts'

/** What is no request at all: the real server fails inside and says UNKNOWN. */
export const malformed = (what: string): GrpcError => new GrpcError(Code.UNKNOWN, what)

/** Bytes that are not UTF-8 become the replacement character, as in the real server. */
export const readStreamName = (reader: WireReader): string => {
  let name = ''
  while (reader.next()) if (reader.field === 3) name = reader.text()
  return name
}

export const NO_REVISION = 2n ** 64n - 1n

/** Fields 2 to 5 of the options of append, batch append, delete and tombstone. */
export const readExpectation = (reader: WireReader): Expectation | undefined => {
  switch (reader.field) {
    case 2: {
      const revision = reader.bigint()
      return { version: revision === NO_REVISION ? NO_STREAM : Number(revision), revision }
    }
    case 3: return { version: NO_STREAM }
    case 4: return { version: ANY }
    case 5: return { version: STREAM_EXISTS }
    default: return undefined
  }
}

export interface StreamOptions {
  /** Undefined if the request names no stream. */
  readonly stream: string | undefined
  readonly expected: Expectation | undefined
}

/** The options of append, delete and tombstone. */
export const readStreamOptions = (reader: WireReader): StreamOptions => {
  let stream: string | undefined
  let expected: Expectation | undefined
  while (reader.next()) {
    if (reader.field === 1) stream = readStreamName(reader.message())
    else expected = readExpectation(reader) ?? expected
  }
  return { stream, expected }
}

/** The stream and the expectation, or the status with which a request without them ends. */
export const requireOptions = ({ stream, expected }: StreamOptions): { stream: string, expected: Expectation } => {
  if (!expected) throw new GrpcError(Code.INVALID_ARGUMENT, 'an expected revision is required')
  if (stream === undefined || stream === '') throw malformed('a stream name is required')
  return { stream, expected }
}

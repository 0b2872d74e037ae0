// Answers to Append, BatchAppend, Delete and Tombstone, as gRPC frames or errors.
import { frame } from '../grpc/framing.ts'
import { Code, GrpcError } from '../grpc/status.ts'
import { ANY, type Expectation, NO_STREAM, STREAM_EXISTS } from '../log/decide.ts'
import { MAX_APPEND_BYTES } from './append-request.ts'
import { NO_REVISION } from './fields.ts'
import { bytesField, varintField } from './wire.ts'

const empty = (field: number): Buffer => bytesField(field)

type Position = number | undefined

const positionMessage = (position: number): Buffer => Buffer.concat([varintField(1, position), varintField(2, position)])

/** Fields 1 and 2 are the revision or "no stream", 3 and 4 the position or none, in both kinds of success. */
const success = (revision: number, position: Position): Buffer =>
  Buffer.concat([revision < 0 ? empty(2) : varintField(1, revision), position === undefined ? empty(4) : bytesField(3, positionMessage(position))])

export const appended = (revision: number, position: Position): Buffer => frame(bytesField(1, success(revision, position)))

const current = (value: number, field: number): Buffer => value < 0 ? empty(field + 1) : varintField(field, value)

/** What a plain append answers to a wrong expectation: told twice, for clients before 20.6.1 and after. */
export const wrongVersion = (now: number, { version, revision }: Expectation): Buffer => frame(bytesField(2,
  current(now, 1),
  version === ANY ? empty(4) : version === STREAM_EXISTS ? empty(5) : varintField(3, revision ?? NO_REVISION),
  current(now, 6),
  revision !== undefined ? varintField(8, revision) : empty(version === ANY ? 9 : version === STREAM_EXISTS ? 10 : 11)))

export const removed = (position: Position): Buffer => frame(position === undefined ? empty(2) : bytesField(1, positionMessage(position)))

export const streamDeleted = (stream: string): GrpcError =>
  new GrpcError(Code.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, { exception: 'stream-deleted', 'stream-name': stream })

export const removalRefused = (stream: string, now: number, { version, revision }: Expectation): GrpcError => {
  const expected = String(version === NO_STREAM ? version : revision ?? version)
  return new GrpcError(Code.FAILED_PRECONDITION,
    `Delete failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${expected}, Actual version: ${now}`,
    { exception: 'wrong-expected-version', 'stream-name': stream, 'expected-version': expected, 'actual-version': String(now) })
}

export const tooLarge = (): GrpcError =>
  new GrpcError(Code.INVALID_ARGUMENT, `Maximum Append Size of ${MAX_APPEND_BYTES} Exceeded.`,
    { exception: 'maximum-append-size-exceeded', 'maximum-append-size': String(MAX_APPEND_BYTES) })

export const propertyMissing = (message: string): GrpcError =>
  new GrpcError(Code.INVALID_ARGUMENT, message,
    { exception: 'missing-required-metadata-property', 'required-metadata-properties': 'type,content-type' })

/** Nothing was written: the disk is full, or broken for writing. */
export const notWritten = (error: Error): GrpcError =>
  new GrpcError(Code.RESOURCE_EXHAUSTED, `nothing was appended: ${error.message}`)

/** An error of a batch: google.rpc code, name, and the detail message that clients look at. */
export interface BatchError { readonly code: number, readonly name: string, readonly type: string, readonly detail: Buffer }

export const BatchErrors = {
  wrongVersion: (now: number, { version, revision }: Expectation): BatchError => ({
    code: 6,
    name: 'WrongExpectedVersion',
    type: 'WrongExpectedVersion',
    detail: Buffer.concat([
      current(now, 1),
      revision !== undefined && revision !== NO_REVISION ? varintField(3, revision) : empty(version === ANY ? 4 : version === STREAM_EXISTS ? 5 : 6)])
  }),
  deleted: (stream: string): BatchError =>
    ({ code: 5, name: 'StreamDeleted', type: 'StreamDeleted', detail: bytesField(1, bytesField(3, stream)) }),
  tooLarge: (): BatchError =>
    ({ code: 3, name: 'MaximumAppendSizeExceeded', type: 'MaximumAppendSizeExceeded', detail: varintField(1, MAX_APPEND_BYTES) }),
  badRequest: (message: string): BatchError => ({ code: 3, name: 'BadRequest', type: 'BadRequest', detail: bytesField(1, message) }),
  timeout: (): BatchError => ({ code: 4, name: 'Timeout', type: 'Timeout', detail: Buffer.alloc(0) }),
  notWritten: (error: Error): BatchError =>
    ({ code: 8, name: `nothing was appended: ${error.message}`, type: 'Unknown', detail: Buffer.alloc(0) })
}

export interface BatchTarget { readonly correlation: Buffer | undefined, readonly stream: string | undefined }

const batchFrame = ({ correlation, stream }: BatchTarget, result: Buffer): Buffer => frame(
  ...correlation ? [bytesField(1, correlation)] : [],
  result,
  ...stream === undefined ? [] : [bytesField(4, bytesField(3, stream))])

export const batchAppended = (target: BatchTarget, revision: number, position: Position): Buffer =>
  batchFrame(target, bytesField(3, success(revision, position)))

export const batchFailed = (target: BatchTarget, { code, name, type, detail }: BatchError): Buffer =>
  batchFrame(target, bytesField(2,
    varintField(1, code),
    bytesField(2, name),
    bytesField(3, bytesField(1, `type.googleapis.com/event_store.client.${type}`), bytesField(2, detail))))

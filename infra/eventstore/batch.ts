// The appending call of one connection: many appends in flight on one BatchAppend stream, each answered by its correlation id.
import { randomUUID } from 'node:crypto'
import { unpackToCommandError } from '@eventstore/db-client/dist/streams/appendToStream/unpackError.js'
import { parseUUID } from '@eventstore/db-client/dist/utils/grpcUUID.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import type { ExpectedRevision } from '../../src/ports.ts'
import type { Connection } from './connection.ts'
import { NoAnswer } from './failures.ts'
import { identifier, type Place } from './requests.ts'

/** An event as bytes, ready to be appended. */
export interface EncodedEvent { id: string, type: string, data: Uint8Array, metadata: Uint8Array }

export interface Written { revision: bigint, place: Place }

export interface Batch {
  /** Rejects with a CommandError of the client if the server refused, else with whatever ended the call. */
  append (stream: string, expected: ExpectedRevision, events: readonly EncodedEvent[]): Promise<Written>
  close (): void
}

type Request = InstanceType<typeof streams.BatchAppendReq>
type Response = InstanceType<typeof streams.BatchAppendResp>
interface Waiting { stream: string, resolve: (written: Written) => void, reject: (error: Error) => void }

/**
 * Does what the client's `appendToStream` does, except that what waits belongs to the call it was sent on: there it is one
 * table for the whole process, so one failing call rejects the appends of all others, and their answers then have no
 * owner and end the process (docs/adr/0020).
 */
export const createBatch = (connection: Connection): Batch => {
  let current: { call: ClientDuplexStream<Request, Response>, waiting: Map<string, Waiting> } | undefined

  const open = () => {
    const call = connection.streams.batchAppend(connection.metadata(), { deadline: Infinity })
    const opened = { call, waiting: new Map<string, Waiting>() }
    const fail = (error: Error) => {
      if (current === opened) current = undefined
      for (const { reject } of opened.waiting.values()) reject(error)
      opened.waiting.clear()
      call.cancel()
    }
    call.on('error', fail)
    call.on('end', () => { fail(new NoAnswer('the server ended the append stream')) })
    call.on('data', (response: Response) => {
      const id = parseUUID(response.getCorrelationId()) ?? ''
      const waiting = opened.waiting.get(id)
      opened.waiting.delete(id)
      if (waiting !== undefined) answer(waiting, response)
    })
    return opened
  }

  return {
    append: (stream, expected, events) => new Promise((resolve, reject) => {
      current ??= open()
      const id = randomUUID()
      current.waiting.set(id, { stream, resolve, reject })
      current.call.write(requestOf(id, stream, expected, events))
    }),
    close: () => { current?.call.cancel() }
  }
}

const answer = ({ stream, resolve, reject }: Waiting, response: Response): void => {
  const error = response.getError()
  if (error !== undefined) return reject(unpackToCommandError(error, stream))
  const success = response.getSuccess()
  const position = success?.getPosition()
  if (success === undefined || position === undefined) return reject(new NoAnswer('the server answered without a position'))
  resolve({
    revision: BigInt(success.getCurrentRevision()),
    place: { commit: BigInt(position.getCommitPosition()), prepare: BigInt(position.getPreparePosition()) }
  })
}

const uuidOf = (id: string) => {
  const uuid = new shared.UUID()
  uuid.setString(id)
  return uuid
}

/** No deadline is sent: it would be measured by the server's clock, and what comes too late is repeated anyway. */
const requestOf = (id: string, stream: string, expected: ExpectedRevision, events: readonly EncodedEvent[]): Request => {
  const options = new streams.BatchAppendReq.Options()
  options.setStreamIdentifier(identifier(stream))
  if (expected === 'no_stream') options.setNoStream(new shared.Empty())
  else options.setStreamPosition(String(expected))
  const request = new streams.BatchAppendReq()
  request.setCorrelationId(uuidOf(id))
  request.setOptions(options)
  request.setProposedMessagesList(events.map((event) => {
    const message = new streams.BatchAppendReq.ProposedMessage()
    message.setId(uuidOf(event.id))
    message.getMetadataMap().set('type', event.type).set('content-type', 'application/json')
    message.setData(event.data)
    message.setCustomMetadata(event.metadata)
    return message
  }))
  request.setIsFinal(true)
  return request
}

// An event store that does exactly what a test tells it, for the misbehaviour that a real one shows once a year.
import { Server, ServerCredentials, type ServerDuplexStream, type ServerWritableStream } from '@grpc/grpc-js'
import featuresService from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js'
import features from '@eventstore/db-client/generated/serverfeatures_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import type { Test } from 'tap'
import { uuidIds } from '../../../infra/ids.ts'
import type { ReadRequest, ReadResponse } from '../../../infra/eventstore/receive.ts'
import { at, metadata } from './facts.ts'

export type AppendRequest = InstanceType<typeof streams.BatchAppendReq>
type AppendAnswer = InstanceType<typeof streams.BatchAppendResp>
type AppendCall = ServerDuplexStream<AppendRequest, AppendAnswer>
export type ReadCall = ServerWritableStream<ReadRequest, ReadResponse>

export interface Script {
  append?: (call: AppendCall) => void
  read?: (call: ReadCall) => void
  /** Answers the feature look-up; default: at once, with nothing. */
  features?: (answer: (error: Error | null) => void) => void
}

/** Starts the server; `script` may be changed while it runs. */
export const scriptedServer = async (t: Pick<Test, 'teardown'>, script: Script): Promise<{ url: string, stop: () => void }> => {
  const server = new Server()
  const unscripted = () => { throw new Error('the test has no script for this call') }
  server.addService(streamsService.StreamsService, {
    batchAppend: (call: AppendCall) => { (script.append ?? unscripted)(call) },
    read: (call: ReadCall) => { (script.read ?? unscripted)(call) },
    append: unscripted,
    delete: unscripted,
    tombstone: unscripted
  })
  server.addService(featuresService.ServerFeaturesService, {
    getSupportedMethods: (_call: unknown, callback: (error: Error | null, answer?: unknown) => void) => {
      const answer = (error: Error | null) => { callback(error, error === null ? new features.SupportedMethods() : undefined) }
      if (script.features === undefined) answer(null)
      else script.features(answer)
    }
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => { if (error === null) resolve(port); else reject(error) })
  })
  const stop = () => { server.forceShutdown() }
  t.teardown(stop)
  return { url: `esdb://127.0.0.1:${port}?tls=false`, stop }
}

const position = (commit: number, prepare: number) => {
  const position = new shared.AllStreamPosition()
  position.setCommitPosition(String(commit))
  position.setPreparePosition(String(prepare))
  return position
}

/** An append script of one function per request. */
export const perRequest = (answer: (request: AppendRequest, call: AppendCall) => void) => (call: AppendCall): void => {
  call.on('data', (request: AppendRequest) => { answer(request, call) })
}

/** The acknowledgement of an append. */
export const acknowledged = (request: AppendRequest, revision: number, commit: number, prepare = commit): AppendAnswer => {
  const success = new streams.BatchAppendResp.Success()
  success.setCurrentRevision(String(revision))
  success.setPosition(position(commit, prepare))
  const answer = new streams.BatchAppendResp()
  answer.setCorrelationId(request.getCorrelationId())
  answer.setSuccess(success)
  return answer
}

export const ids = new Map<number, string>()

/** A recorded fact of `principal-1` at a position; its id is the same whenever it is asked for. */
export const recorded = (revision: number, commit: number, prepare = commit): ReadResponse => {
  const id = ids.get(commit) ?? uuidIds.next()
  ids.set(commit, id)
  const uuid = new shared.UUID()
  uuid.setString(id)
  const stream = new shared.StreamIdentifier()
  stream.setStreamName(Buffer.from('principal-1'))
  const event = new streams.ReadResp.ReadEvent.RecordedEvent()
  event.setId(uuid)
  event.setStreamIdentifier(stream)
  event.setStreamRevision(String(revision))
  event.setCommitPosition(String(commit))
  event.setPreparePosition(String(prepare))
  event.getMetadataMap().set('type', 'principal.role_granted').set('content-type', 'application/json').set('created', '0')
  event.setData(Buffer.from(JSON.stringify({ principalId: '01890000-0000-7000-8000-000000000001', role: `r${revision}`, grantedAt: at })))
  event.setCustomMetadata(Buffer.from(JSON.stringify(metadata())))
  const resolved = new streams.ReadResp.ReadEvent()
  resolved.setEvent(event)
  const response = new streams.ReadResp()
  response.setEvent(resolved)
  return response
}

export const caughtUp = (): ReadResponse => {
  const response = new streams.ReadResp()
  response.setCaughtUp(new streams.ReadResp.CaughtUp())
  return response
}

export const checkpoint = (commit: number, prepare: number): ReadResponse => {
  const mark = new streams.ReadResp.Checkpoint()
  mark.setCommitPosition(String(commit))
  mark.setPreparePosition(String(prepare))
  const response = new streams.ReadResp()
  response.setCheckpoint(mark)
  return response
}

/** What a read of $all asks for. */
export const asked = (call: ReadCall) => {
  const options = call.request.getOptions()
  const all = options?.getAll()
  const from = all?.getPosition()
  return {
    subscribes: options?.hasSubscription() === true,
    backwards: Number(options?.getReadDirection()) === 1,
    from: from === undefined ? undefined : { commit: Number(from.getCommitPosition()), prepare: Number(from.getPreparePosition()) }
  }
}

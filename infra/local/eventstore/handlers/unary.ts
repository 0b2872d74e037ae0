// The small calls: delete, tombstone, and what the server tells about itself.
import { randomUUID } from 'node:crypto'
import type { Call, CallHandler } from '../grpc/call.ts'
import { frame } from '../grpc/framing.ts'
import { Code, GrpcError } from '../grpc/status.ts'
import type { Committer } from '../log/committer.ts'
import { notWritten, removalRefused, removed, streamDeleted } from '../protocol/append-answer.ts'
import { type StreamOptions, malformed, readStreamOptions, requireOptions } from '../protocol/fields.ts'
import { structuredUuid } from '../protocol/uuid.ts'
import { WireReader, bytesField, varintField } from '../protocol/wire.ts'

/** One message in, answered by `answer`. */
const unary = (answer: (call: Call, bytes: Buffer) => void) => (call: Call): CallHandler => {
  let answered = false
  return {
    message: (bytes) => {
      if (answered) throw malformed('the call takes one message')
      answered = true
      answer(call, bytes)
    },
    end: () => { if (!answered) throw malformed('the call takes one message') }
  }
}

/** Delete (soft) and Tombstone differ in what is written, not in how they are asked and answered. */
export const remove = (committer: Committer, kind: 'delete' | 'tombstone'): ((call: Call) => CallHandler) => unary((call, bytes) => {
  const request = new WireReader(bytes)
  let options: StreamOptions = { stream: undefined, expected: undefined }
  while (request.next()) if (request.field === 1) options = readStreamOptions(request.message())
  const { stream, expected } = requireOptions(options)
  committer.add({
    run: (log) => log[kind](stream, expected),
    done: (result) => {
      switch (result.kind) {
        case 'done': call.send(removed(result.position)); call.end(); return
        case 'wrong-version': call.fail(removalRefused(stream, result.current, expected)); return
        case 'deleted': call.fail(streamDeleted(stream)); return
        case 'late': call.fail(new GrpcError(Code.DEADLINE_EXCEEDED, 'the deadline is over')); return
        case 'failed': call.fail(notWritten(result.error))
      }
    }
  })
})

const SERVER_VERSION = '24.2.0'
const STREAMS = 'event_store.client.streams.streams'
const SUPPORTED: readonly (readonly [service: string, method: string, ...features: string[]])[] = [
  [STREAMS, 'read', 'position', 'events'],
  [STREAMS, 'append'],
  [STREAMS, 'delete'],
  [STREAMS, 'tombstone'],
  [STREAMS, 'batchappend', 'deadline_duration'],
  ['event_store.client.gossip.gossip', 'read'],
  ['event_store.client.server_features.serverfeatures', 'getsupportedmethods']
]

export const supportedMethods = unary((call) => {
  const methods = SUPPORTED.map(([service, method, ...features]) =>
    bytesField(1, bytesField(1, method), bytesField(2, service), ...features.map((feature) => bytesField(3, feature))))
  call.send(frame(...methods, bytesField(2, SERVER_VERSION)))
  call.end()
})

/** A cluster of one, which leads (state 8 is what a single node says). */
export const gossip = (address: () => { host: string, port: number }): ((call: Call) => CallHandler) => {
  const instance = structuredUuid(randomUUID())
  return unary((call) => {
    const { host, port } = address()
    call.send(frame(bytesField(1,
      bytesField(1, instance),
      varintField(2, BigInt(Date.now()) * 10_000n),
      varintField(3, 8),
      varintField(4, 1),
      bytesField(5, bytesField(1, host), varintField(2, port)))))
    call.end()
  })
}

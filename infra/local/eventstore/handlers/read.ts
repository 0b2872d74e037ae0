// Read: one request, then pages of events until the end, or for ever if it is a subscription.
import { randomUUID } from 'node:crypto'
import type { Call, CallHandler } from '../grpc/call.ts'
import type { EventLog } from '../log/log.ts'
import { confirmation } from '../protocol/read-answer.ts'
import { type ReadRequest, readReadRequest } from '../protocol/read-request.ts'
import { malformed } from '../protocol/fields.ts'
import { allSource } from '../reading/all-source.ts'
import { allSubscription } from '../reading/all-subscription.ts'
import type { Pump, Pumps, Source } from '../reading/pump.ts'
import { streamSource } from '../reading/stream-source.ts'
import { streamSubscription } from '../reading/stream-subscription.ts'
import type { Subscribers } from '../reading/subscribers.ts'

const sourceOf = (log: EventLog, request: ReadRequest): Source => {
  const subscription = request.count === undefined
  if (request.target === 'stream') return subscription ? streamSubscription(log, request) : streamSource(log, request)
  return subscription ? allSubscription(log, request) : allSource(log, request)
}

export const read = (log: EventLog, pumps: Pumps, subscribers: Subscribers) => (call: Call): CallHandler => {
  let pump: Pump | undefined
  let close = (): void => {}
  return {
    message: (bytes) => {
      if (pump) throw malformed('a read is one request')
      const request = readReadRequest(bytes)
      const source = sourceOf(log, request)
      const opened = pumps.open(call, source)
      pump = opened
      if (request.count === undefined) {
        const stream = request.target === 'stream' ? request.stream : undefined
        call.send(confirmation(randomUUID()))
        subscribers.add(stream, opened)
        close = () => { subscribers.delete(stream, opened) }
      }
      opened.wake()
    },
    end: () => { if (!pump) throw malformed('a read is one request') },
    closed: () => {
      close()
      pump?.close()
    }
  }
}

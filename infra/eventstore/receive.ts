// Reads one streaming call of the Streams service to its end, without leaving a call or an unheard error behind.
import type streams from '@eventstore/db-client/generated/streams_pb.js'
import type { ClientReadableStream } from '@grpc/grpc-js'
import type { Connection } from './connection.ts'

export type ReadRequest = InstanceType<typeof streams.ReadReq>
export type ReadResponse = InstanceType<typeof streams.ReadResp>

/** Waits for what comes next; may give up by rejecting. */
export type Wait = (next: Promise<void>) => Promise<void>

/**
 * Yields the answers in order; ends when the server ends the call, throws what the call or `wait` fails with.
 * However the loop is left, the call is cancelled. (The stream's own iterator destroys it and leaves the call open.)
 */
export async function * receive (connection: Connection, request: ReadRequest, wait: Wait): AsyncGenerator<ReadResponse, void, undefined> {
  const call: ClientReadableStream<ReadResponse> = connection.streams.read(request, connection.metadata(), { deadline: Infinity })
  let ended = false
  let failure: Error | undefined
  let wake: (() => void) | undefined
  const stir = () => { wake?.() }
  call.on('error', (error: Error) => { failure = error; stir() })
  call.on('end', () => { ended = true; stir() })
  call.on('close', () => { ended = true; stir() })
  call.on('readable', stir)
  try {
    while (true) {
      const response = call.read() as ReadResponse | null
      if (response !== null) {
        yield response
        continue
      }
      if (failure !== undefined) throw failure
      if (ended) return
      await wait(new Promise((resolve) => { wake = resolve }))
    }
  } finally {
    call.cancel()
  }
}

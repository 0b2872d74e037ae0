// The gRPC server on node:http2: routes calls by their path, and stops without cutting answers off.
import { type Http2Server, type ServerHttp2Session, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Call, type CallHandler } from './call.ts'
import { Inbound } from './inbound.ts'
import { Code, GrpcError } from './status.ts'

/** Takes a call; what it returns gets the call's messages. */
export type Method = (call: Call) => CallHandler
export type Methods = ReadonlyMap<string, Method>

/** Open calls of one connection, and of all together: each costs some 10 KB. */
const OPEN_CALLS = 20_000
/** Node refuses new calls of a connection whose buffers exceed this; 10,000 readers that never read stay below. */
const SESSION_MEMORY_MB = 512
const STOP_MS = 1_000

export class GrpcServer {
  readonly #server: Http2Server
  readonly #calls = new Set<Call>()
  readonly #inbound = new Inbound()
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor (methods: Methods) {
    this.#server = createServer({
      settings: { maxConcurrentStreams: OPEN_CALLS },
      maxSessionMemory: SESSION_MEMORY_MB,
      // Cancelled calls are how subscriptions end; the guard against reset floods takes 1,000 of them for an attack.
      ...{ streamResetBurst: 100_000, streamResetRate: 10_000 }
    })
    this.#server.on('session', (session) => {
      this.#sessions.add(session)
      session.on('error', () => {}) // a peer that speaks no HTTP/2, or went away; 'close' follows
      session.on('close', () => { this.#sessions.delete(session) })
    })
    this.#server.on('stream', (stream, headers) => {
      const call = new Call(stream, headers, this.#inbound)
      if (!String(headers['content-type'] ?? '').startsWith('application/grpc')) {
        stream.respond({ ':status': 415 }, { endStream: true })
        return
      }
      const path = headers[':path'] ?? ''
      const method = methods.get(path)
      if (!method) {
        call.fail(new GrpcError(Code.UNIMPLEMENTED, `the local event store does not offer ${path}`))
        return
      }
      if (this.#calls.size >= OPEN_CALLS) {
        call.fail(new GrpcError(Code.RESOURCE_EXHAUSTED, `${OPEN_CALLS} calls are open`))
        return
      }
      this.#calls.add(call)
      stream.on('close', () => { this.#calls.delete(call) })
      call.handle(method(call))
    })
  }

  get openCalls (): number { return this.#calls.size }

  /** Port that is listened on; rejects with the system's error. */
  async listen (host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    return (this.#server.address() as AddressInfo).port
  }

  /** Takes no more calls, tells the open ones that it stops, and cuts what is left after a second. */
  async close (): Promise<void> {
    const closed = new Promise<void>((resolve) => { this.#server.close(() => { resolve() }) })
    for (const call of this.#calls) call.fail(new GrpcError(Code.UNAVAILABLE, 'the event store is stopping'))
    for (const session of this.#sessions) session.close()
    const timer = setTimeout(() => { for (const session of this.#sessions) session.destroy() }, STOP_MS)
    await closed
    clearTimeout(timer)
  }
}

// A TCP proxy that can be a bad network: it delays, cuts after n bytes, swallows one direction, goes half-open, or is not there.
import { once } from 'node:events'
import { createServer, connect, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'

/** What happens to bytes of one direction of a connection. */
export type Fate =
  | { kind: 'pass' }
  | { kind: 'delay', ms: number }
  /** Read and thrown away: the sender believes that they arrived. */
  | { kind: 'swallow' }
  /** So many more bytes pass, then both ends are reset. */
  | { kind: 'cut', after: number }

export interface Weather { toServer: Fate, toClient: Fate }

export interface TcpProxy {
  port: number
  /** `esdb://127.0.0.1:PORT?tls=false` */
  url: string
  /** Weather of connections from now on; those that exist keep theirs. */
  next (weather: Partial<Weather>): void
  /** Weather of the connections that exist. A direction that has swallowed bytes goes on so: TCP loses nothing in the middle. */
  now (weather: Partial<Weather>): void
  /** Resets every connection. */
  reset (): void
  /** Refuses new connections, until `listen`; resets those that exist. */
  vanish (): Promise<void>
  listen (): Promise<void>
  /** Connections accepted so far. */
  accepted (): number
  /** Bytes that arrived from clients so far, swallowed or not. */
  received (): number
}

interface Pair { client: Socket, server: Socket, weather: Weather }

const clear: Weather = { toServer: { kind: 'pass' }, toClient: { kind: 'pass' } }

/** Opens a proxy in front of a port of this machine, closed when the test ends. */
export const tcpProxy = async (t: Pick<Test, 'teardown'>, target: number): Promise<TcpProxy> => {
  const pairs = new Set<Pair>()
  let next = clear
  let accepted = 0
  let received = 0
  let listener: Server | undefined

  const accept = (client: Socket) => {
    accepted++
    const server = connect(target, '127.0.0.1')
    const pair: Pair = { client, server, weather: structuredClone(next) }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', end).on('close', end)
    client.on('data', (bytes) => {
      received += bytes.length
      forward(bytes, server, pair.weather.toServer, end)
    })
    server.on('data', (bytes) => { forward(bytes, client, pair.weather.toClient, end) })
  }

  const reset = () => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }
  let port = 0
  const listen = async () => {
    listener = createServer(accept)
    listener.listen(port, '127.0.0.1')
    await once(listener, 'listening')
    const address = listener.address()
    port = typeof address === 'object' && address !== null ? address.port : port
  }
  const vanish = async () => {
    const closing = listener
    listener = undefined
    if (closing === undefined) return
    closing.close()
    reset()
    await once(closing, 'close')
  }
  await listen()
  t.teardown(vanish)

  return {
    port,
    url: `esdb://127.0.0.1:${port}?tls=false`,
    next: (weather) => { next = { ...clear, ...weather } },
    now: (weather) => { for (const pair of pairs) pair.weather = changed(pair.weather, { ...clear, ...weather }) },
    reset,
    vanish,
    listen,
    accepted: () => accepted,
    received: () => received
  }
}

const changed = (old: Weather, wanted: Weather): Weather => structuredClone({
  toServer: old.toServer.kind === 'swallow' ? old.toServer : wanted.toServer,
  toClient: old.toClient.kind === 'swallow' ? old.toClient : wanted.toClient
})

const forward = (bytes: Buffer, to: Socket, fate: Fate, end: () => void): void => {
  switch (fate.kind) {
    case 'pass': to.write(bytes); return
    case 'swallow': return
    case 'delay': setTimeout(() => { if (!to.destroyed) to.write(bytes) }, fate.ms); return
    case 'cut': {
      const passing = bytes.subarray(0, fate.after)
      fate.after -= passing.length
      if (passing.length > 0) to.write(passing)
      // Not reset but closed in order: what was let through has to arrive.
      if (fate.after === 0) to.end(() => { setImmediate(end) })
    }
  }
}

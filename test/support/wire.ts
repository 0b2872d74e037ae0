// A wire to a server that keeps what clients send over it, and can lose the answer to a request that it recognises.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface Wire {
  port: number
  /** Everything that clients have sent so far, a connection after the other. */
  sent (): Buffer
  /**
   * From the first request that holds these words on, its connection is cut before any answer to it (`cut`), or answers
   * nothing more (`silence`). Once; the request itself arrives.
   */
  loseAnswerTo (words: string, how: 'cut' | 'silence'): void
}

/** Opens a wire to a port of this machine, closed when the test ends. */
export const openWire = async (t: Pick<Test, 'teardown'>, target: number): Promise<Wire> => {
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  let trap: { words: string, how: 'cut' | 'silence' } | undefined
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1')
    let deaf = false
    const end = () => { client.destroy(); server.destroy() }
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.setNoDelay(true).on('error', end).on('close', () => { sockets.delete(socket); end() })
    }
    client.on('data', (bytes) => {
      chunks.push(bytes)
      if (trap !== undefined && bytes.includes(trap.words)) {
        const { how } = trap
        trap = undefined
        deaf = true
        // Closed in order behind the request: the server has it, and the client never hears.
        if (how === 'cut') server.write(bytes, () => { client.destroy(); server.end() })
        else server.write(bytes)
        return
      }
      server.write(bytes)
    })
    server.on('data', (bytes) => { if (!deaf) client.write(bytes) })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.teardown(async () => {
    listener.close()
    for (const socket of sockets) socket.destroy()
    await once(listener, 'close')
  })
  return { port: (listener.address() as AddressInfo).port, sent: () => Buffer.concat(chunks), loseAnswerTo: (words, how) => { trap = { words, how } } }
}

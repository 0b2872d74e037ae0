// Connections that the guard has looked at: the name is looked up once, every address of it is judged, and only such a one is connected to.
import { lookup } from 'node:dns'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import { buildConnector } from 'undici'
import { OutgoingFailure } from './failures.ts'
import { bareHost, type Guard } from './guard.ts'

export interface ConnectorOptions {
  guard: Guard
  timeoutMs: number
  /** Instead of the machine's look-up. */
  lookup?: LookupFunction
  /** Certificates of authorities (PEM) instead of Node's. */
  ca?: string
}

interface Address { address: string, family: number }

/**
 * Behind the guard. A look-up hook alone would let IP literals through, for which no name is looked up; a look-up before
 * connecting would let a name say something else the second time. So: look up, judge all, connect to what was judged, and
 * judge the address of the socket before a byte is written, TLS included.
 */
export const guardedConnector = ({ guard, timeoutMs, lookup: lookUp = lookup, ca }: ConnectorOptions): buildConnector.connector => {
  const secure = buildConnector({ timeout: timeoutMs, ...(ca !== undefined && { ca }) })

  const addressesOf = (host: string): Promise<Address[]> => new Promise((resolve, reject) => {
    const version = isIP(host)
    if (version !== 0) return resolve([{ address: host, family: version }])
    lookUp(host, { all: true }, (error, found) => {
      if (error !== null) return reject(error)
      resolve(Array.isArray(found) ? found : [{ address: found, family: isIP(found) }])
    })
  })

  const open = async (options: buildConnector.Options): Promise<Socket> => {
    const { protocol } = options
    const host = bareHost(options.hostname)
    const addresses = await addressesOf(host)
    if (addresses.length === 0) throw new OutgoingFailure('name_unknown')
    const check = (address: string | undefined): void => {
      const failure = guard.judge(address ?? '', { host, protocol })
      if (failure !== undefined) throw new OutgoingFailure(failure)
    }
    for (const { address } of addresses) check(address)
    const port = Number(options.port) || (protocol === 'https:' ? 443 : 80)
    const socket = await plainSocket({ host, port, addresses, timeoutMs })
    try {
      check(socket.remoteAddress)
    } catch (error) {
      socket.destroy()
      throw error
    }
    if (protocol !== 'https:') return socket
    return await secured(secure, { ...options, hostname: host, ...(isIP(host) === 0 && { servername: host }), httpSocket: socket }).catch((error: unknown) => {
      socket.destroy()
      throw timedOut(error) ? error : new OutgoingFailure('tls')
    })
  }

  return (options, callback) => {
    open(options).then((socket) => { callback(null, socket) }, (error: unknown) => { callback(error as Error, null) })
  }
}

const timedOut = (error: unknown): boolean => (error as { code?: string }).code === 'UND_ERR_CONNECT_TIMEOUT'

/** To these addresses only, in their order. A connector of undici's for each of them would cost as much as the connection. */
const plainSocket = ({ host, port, addresses, timeoutMs }: { host: string, port: number, addresses: Address[], timeoutMs: number }): Promise<Socket> => new Promise((resolve, reject) => {
  const [first] = addresses
  const socket = connect({
    host, port, noDelay: true,
    // Not asked for an address.
    lookup: (_host, { all }, done) => {
      if (all === true) done(null, addresses)
      else done(null, first?.address ?? '', first?.family)
    }
  })
  const timer = setTimeout(() => { socket.destroy(new OutgoingFailure('timeout')) }, timeoutMs)
  // Listened to for good: an error that comes later is told by whoever has the socket then, but must not end the process.
  socket.on('error', (error) => {
    clearTimeout(timer)
    reject(error)
  })
  socket.once('connect', () => {
    clearTimeout(timer)
    resolve(socket)
  })
})

const secured = (connector: buildConnector.connector, options: buildConnector.Options): Promise<Socket> => new Promise((resolve, reject) => {
  connector(options, (error, socket) => {
    if (error === null && socket !== null) resolve(socket)
    else reject(error ?? new OutgoingFailure('unreachable'))
  })
})

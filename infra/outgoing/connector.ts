// Connections that the guard has looked at: the name is looked up once, every address of it is judged, and only such a one is connected to.
import { lookup } from 'node:dns'
import { isIP, type LookupFunction, type Socket } from 'node:net'
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
 * undici's connector behind the guard. A look-up hook alone would let IP literals through, for which no name is looked up;
 * a look-up before connecting would let a name say something else the second time. So: look up, judge all, connect to what
 * was judged, and judge the address of the socket before a byte is written, TLS included.
 */
export const guardedConnector = ({ guard, timeoutMs, lookup: lookUp = lookup, ca }: ConnectorOptions): buildConnector.connector => {
  const secure = buildConnector({ timeout: timeoutMs, ...(ca !== undefined && { ca }) })

  const addressesOf = (hostname: string): Promise<Address[]> => new Promise((resolve, reject) => {
    const version = isIP(hostname)
    if (version !== 0) return resolve([{ address: hostname, family: version }])
    lookUp(hostname, { all: true }, (error, found) => {
      if (error !== null) return reject(error)
      resolve(Array.isArray(found) ? found : [{ address: found, family: isIP(found) }])
    })
  })

  const connect = async (options: buildConnector.Options): Promise<Socket> => {
    const of = { host: options.hostname, protocol: options.protocol }
    const addresses = await addressesOf(bareHost(options.hostname))
    if (addresses.length === 0) throw new OutgoingFailure('name_unknown')
    const check = (address: string | undefined): void => {
      const failure = guard.judge(address ?? '', of)
      if (failure !== undefined) throw new OutgoingFailure(failure)
    }
    for (const { address } of addresses) check(address)
    const plain = buildConnector({
      timeout: timeoutMs,
      lookup: (_hostname, { all }, done) => {
        const [first] = addresses
        if (all === true) done(null, addresses)
        else done(null, first?.address ?? '', first?.family)
      }
    })
    const socket = await connected(plain, { ...options, protocol: 'http:', port: options.port === '' && options.protocol === 'https:' ? '443' : options.port })
    try {
      check(socket.remoteAddress)
    } catch (error) {
      socket.destroy()
      throw error
    }
    if (options.protocol !== 'https:') return socket
    const host = bareHost(options.hostname)
    return await connected(secure, { ...options, hostname: host, ...(isIP(host) === 0 && { servername: host }), httpSocket: socket }).catch((error: unknown) => {
      socket.destroy()
      throw timedOut(error) ? error : new OutgoingFailure('tls')
    })
  }

  return (options, callback) => {
    connect(options).then((socket) => { callback(null, socket) }, (error: unknown) => { callback(error as Error, null) })
  }
}

const timedOut = (error: unknown): boolean => (error as { code?: string }).code === 'UND_ERR_CONNECT_TIMEOUT'

const connected = (connector: buildConnector.connector, options: buildConnector.Options): Promise<Socket> => new Promise((resolve, reject) => {
  connector(options, (error, socket) => {
    if (error === null && socket !== null) resolve(socket)
    else reject(error ?? new OutgoingFailure('unreachable'))
  })
})

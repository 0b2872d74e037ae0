// The one way out by HTTP, to vendors, consumers and the ticket system: guarded, short, small, without redirects, scrubbed.
import { isIP } from 'node:net'
import type { Exchange } from '../../src/domain/credential/fields.ts'
import type { Secret } from '../../src/domain/credential/secret.ts'
import { createConnections } from './connections.ts'
import { guardedConnector, type ConnectorOptions } from './connector.ts'
import { bodyOf, headersOf, requestHeadersOf, targetOf } from './exchange.ts'
import type { Failure } from './failures.ts'
import { bareHost, createGuard } from './guard.ts'
import { createScrub } from './scrub.ts'
import { send, type Sent } from './send.ts'

export interface OutgoingOptions extends Partial<Pick<ConnectorOptions, 'lookup' | 'ca'>> {
  /** CIDRs and host names whose addresses may be private (`CHANCERY_OUTGOING_ALLOW`, decision 35). */
  allow: readonly string[]
  /** Plain http, to this machine only (`CHANCERY_OUTGOING_HTTP=loopback`, for development). */
  plainLoopback: boolean
  /** For one request, from looking the name up to the last byte of the answer, in ms; default 5,000. */
  timeoutMs?: number
}

export interface OutgoingRequest {
  method: string
  url: string | URL
  headers?: Readonly<Record<string, string>>
  body?: string
  /** Everything that the exchange must not show, in whatever form it is sent or comes back. */
  secrets: readonly Secret[]
  /** What it is for: the exchange's `probe`. */
  probe: string
  /**
   * On a connection of its own, closed afterwards: for what must not be asked for twice. A kept connection that the other
   * side is just closing would leave it unknown. Default: false, connections are kept for a few seconds.
   */
  ownConnection?: boolean
  /** What the exchange shows instead of the body. */
  shown?: string
  /** So much of each body stands in the exchange, in characters; default and at most 4,096. */
  keep?: number
}

export interface Answered {
  /** Scrubbed. Its outcome is `passed` for 2xx, `failed` for another answer or where nothing was sent, else `unknown`; a caller who knows better says so. */
  exchange: Exchange
  /** HTTP status of a whole answer that is no redirect. */
  status?: number
  /** The answer's body as it came, not scrubbed; only of a whole answer. */
  body?: string
  /** False: certainly no byte of the request left, so nothing can have been done. */
  sent: boolean
}

export interface Outgoing {
  /** Sends once, never again by itself. Does not throw: what went wrong is the exchange's `failure`. */
  request (request: OutgoingRequest): Promise<Answered>
  /** Why nothing will ever be sent there, as far as the URL itself says it: names are looked up when it is sent. */
  problem (url: string): Failure | undefined
  /** For one request, in ms. */
  readonly timeoutMs: number
  /** Ends the connections that were kept; what is under way fails. */
  close (): Promise<void>
}

/** Headers that say how a request is transported, which is ours to decide. */
const TRANSPORT: ReadonlySet<string> = new Set([
  'host', 'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'upgrade', 'expect', 'te', 'trailer', 'proxy-connection', 'accept-encoding'
])
export const isTransportHeader = (name: string): boolean => TRANSPORT.has(name.toLowerCase())

/**
 * Opens the way out.
 * @throws StartError for an entry of `allow` that is neither address, CIDR nor host name
 */
export const createOutgoing = ({ allow, plainLoopback, timeoutMs = 5_000, lookup, ca }: OutgoingOptions): Outgoing => {
  const guard = createGuard({ allow, plainLoopback })
  const connect = guardedConnector({ guard, timeoutMs, ...(lookup && { lookup }), ...(ca !== undefined && { ca }) })
  // Vendors and consumers are many hosts with a request now and then: each kept connection ends by itself after 4 s.
  const connections = createConnections({ connect, keepMs: 4_000 })

  const request = async ({ method, url: text, headers = {}, body, secrets, probe, ownConnection = false, shown = body, keep = 4_096 }: OutgoingRequest): Promise<Answered> => {
    const at = new Date()
    const begun = performance.now()
    const scrub = createScrub(secrets)
    const url = urlOf(text)
    const asked = requestHeadersOf(headers)
    const { sent, answer, failure }: Sent = typeof url === 'string'
      ? { sent: false, failure: url }
      : Object.keys(headers).some(isTransportHeader)
        ? { sent: false, failure: 'request_invalid' }
        : await send(ownConnection ? connections.takeOwn(url.origin) : connections.take(url.origin), { url, method, headers: { 'user-agent': 'chancery', ...asked.sent, 'accept-encoding': 'identity' }, body, timeoutMs })
    const whole = failure === undefined && answer !== undefined
    const exchange: Exchange = {
      probe,
      outcome: whole && answer.status >= 200 && answer.status < 300 ? 'passed' : whole || !sent || failure === 'redirect_refused' ? 'failed' : 'unknown',
      request: {
        method, target: targetOf(url, String(text), scrub), headers: headersOf(asked.shown, scrub),
        ...(shown !== undefined && { body: bodyOf(shown, scrub, keep) })
      },
      ...(answer && {
        answer: { status: String(answer.status), headers: headersOf(answer.headers, scrub), ...(answer.body !== undefined && { body: bodyOf(answer.body, scrub, keep) }) }
      }),
      ...(failure !== undefined && { failure }),
      at: at.toISOString(),
      tookMs: Math.round(performance.now() - begun)
    }
    return { exchange, sent, ...(whole && { status: answer.status, ...(answer.body !== undefined && { body: answer.body }) }) }
  }

  const problem = (text: string): Failure | undefined => {
    const url = urlOf(text)
    if (typeof url === 'string') return url
    const host = bareHost(url.hostname)
    if (isIP(host) !== 0) return guard.judge(host, { host, protocol: url.protocol })
    return url.protocol === 'http:' && !plainLoopback ? 'scheme_forbidden' : undefined
  }

  return { request, problem, timeoutMs, close: () => connections.destroy() }
}

const urlOf = (given: string | URL): URL | Failure => {
  const url = parsed(given)
  if (url === undefined) return 'url_invalid'
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'scheme_forbidden'
  if (url.username !== '' || url.password !== '') return 'credentials_in_url'
  return url
}

const parsed = (given: string | URL): URL | undefined => {
  if (given instanceof URL) return given
  try {
    return new URL(given)
  } catch {
    return undefined
  }
}

// The one way out by HTTP, to vendors, consumers and the ticket system: guarded, short, small, without redirects, scrubbed.
import type { Exchange } from '../../src/domain/credential/fields.ts'
import type { Secret } from '../../src/domain/credential/secret.ts'

export interface OutgoingOptions {
  /** CIDRs and host names whose addresses may be private (`CHANCERY_OUTGOING_ALLOW`, decision 35). */
  allow: readonly string[]
  /** Plain http, to this machine only (`CHANCERY_OUTGOING_HTTP=loopback`, for development). */
  plainLoopback: boolean
  /** For one request, from looking the name up to the last byte of the answer, in ms; default 5,000. */
  timeoutMs?: number
}

export interface OutgoingRequest {
  method: string
  url: string
  headers?: Readonly<Record<string, string>>
  body?: string
  /** Everything that the exchange must not show, in whatever form it is sent or comes back. */
  secrets: readonly Secret[]
  /** What it is for: the exchange's `probe`. */
  probe: string
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
  /** For one request, in ms. */
  readonly timeoutMs: number
  /** Ends the connections that were kept. */
  close (): Promise<void>
}

export const createOutgoing = ({ timeoutMs = 5_000 }: OutgoingOptions): Outgoing => ({
  request: () => Promise.reject(new Error('not joined yet')), timeoutMs, close: () => Promise.resolve()
})

// Chancery's HTTP side, as far as a consumer of credentials needs it.
import { randomUUID } from 'node:crypto'
import type { PublicJwk } from './key.ts'

/** A refusal of the service, with its code of the closed list. */
export class ServiceRefusal extends Error {
  readonly status: number
  readonly code: string
  constructor (status: number, code: string, detail: string) {
    super(`${code} (${status}): ${detail}`)
    this.name = 'ServiceRefusal'
    this.status = status
    this.code = code
  }
}

export interface ServiceOptions {
  /** `https://chancery.internal` */
  url: string
  /** Access token of a principal with the role `consumer:{name}`. */
  token: string
  /** The consumer's name, as manifests have it. */
  consumer: string
  /** For one request, in ms; default 10,000. */
  timeoutMs?: number
}

export interface CredentialsService {
  /** Deliveries are sealed to this key from now on; safe to repeat. */
  registerKey (key: PublicJwk): Promise<{ keyId: string }>
  /** What checks the pushes of one credential; each call is a fact in the log. */
  webhookSecret (credential: string): Promise<string>
  /** The value to use now, sealed, which is a fact in the log; undefined, and no fact, if it is the delivery that one has. */
  fetch (credential: string, has?: number): Promise<{ jwe: string, deliverySeq: number } | undefined>
  /** Reports that a delivery is in use; safe to repeat. */
  acknowledge (credential: string, deliverySeq: number): Promise<void>
}

/** @throws ServiceRefusal, or what `fetch` throws if the service cannot be reached */
export const createCredentialsService = ({ url, token, consumer, timeoutMs = 10_000 }: ServiceOptions): CredentialsService => {
  const base = `${url.replace(/\/+$/, '')}/api/v1/consumers/${encodeURIComponent(consumer)}`
  const call = async <Body>(method: string, path: string, body?: object, more: Record<string, string> = {}): Promise<Body | undefined> => {
    const response = await fetch(base + path, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        authorization: `Bearer ${token}`, accept: 'application/json', ...body !== undefined && { 'content-type': 'application/json', 'idempotency-key': randomUUID() }, ...more
      },
      ...body !== undefined && { body: JSON.stringify(body) }
    })
    const text = await response.text()
    if (response.status === 304) return undefined
    const answer = jsonOf(text)
    if (response.ok) return answer as Body
    const { code, detail } = answer as { code?: string, detail?: string }
    throw new ServiceRefusal(response.status, code ?? 'unknown', detail ?? 'the answer said no more')
  }
  return {
    registerKey: async (key) => ({ keyId: String((await call<{ key_id: string }>('PUT', '/key', key))?.key_id) }),
    webhookSecret: async (credential) => String((await call<{ secret: string }>('POST', '/webhook-secret', { credential }))?.secret),
    fetch: async (credential, has) => {
      const path = `/credentials/${encodeURIComponent(credential)}`
      const fetched = await call<{ jwe: string, delivery_seq: number }>('GET', path, undefined, has === undefined ? {} : { 'if-none-match': `"${has}"` })
      return fetched && { jwe: fetched.jwe, deliverySeq: fetched.delivery_seq }
    },
    acknowledge: async (credential, deliverySeq) => {
      await call('POST', `/credentials/${encodeURIComponent(credential)}/acknowledgements`, { delivery_seq: deliverySeq })
    }
  }
}

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

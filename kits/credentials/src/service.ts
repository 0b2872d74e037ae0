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
  /** The value to use now, sealed; each call is a fact in the log. */
  fetch (credential: string): Promise<{ jwe: string, deliverySeq: number }>
  /** Reports that a delivery is in use; safe to repeat. */
  acknowledge (credential: string, deliverySeq: number): Promise<void>
}

/** @throws ServiceRefusal, or what `fetch` throws if the service cannot be reached */
export const createCredentialsService = ({ url, token, consumer, timeoutMs = 10_000 }: ServiceOptions): CredentialsService => {
  const base = `${url.replace(/\/+$/, '')}/api/v1/consumers/${encodeURIComponent(consumer)}`
  const call = async <Body>(method: string, path: string, body?: object): Promise<Body> => {
    const response = await fetch(base + path, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        authorization: `Bearer ${token}`, accept: 'application/json', ...body !== undefined && { 'content-type': 'application/json', 'idempotency-key': randomUUID() }
      },
      ...body !== undefined && { body: JSON.stringify(body) }
    })
    const text = await response.text()
    const answer = jsonOf(text)
    if (response.ok) return answer as Body
    const { code, detail } = answer as { code?: string, detail?: string }
    throw new ServiceRefusal(response.status, code ?? 'unknown', detail ?? 'the answer said no more')
  }
  return {
    registerKey: async (key) => {
      const { key_id: keyId } = await call<{ key_id: string }>('PUT', '/key', key)
      return { keyId }
    },
    webhookSecret: async (credential) => (await call<{ secret: string }>('POST', '/webhook-secret', { credential })).secret,
    fetch: async (credential) => {
      const { jwe, delivery_seq: deliverySeq } = await call<{ jwe: string, delivery_seq: number }>('GET', `/credentials/${encodeURIComponent(credential)}`)
      return { jwe, deliverySeq }
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

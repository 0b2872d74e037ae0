// Chancery's door as far as a consumer of credentials sees it, in memory: for tests of consumers that need no service behind it.
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { calculateJwkThumbprint } from 'jose'
import type { Test } from 'tap'
import type { Deliveries, DeliveryContent, SubscriberKey } from '../../src/rotation-ports.ts'
import { until } from './until.ts'

export interface ConsumersDoor {
  url: string
  /** The token that it takes; any other is refused. */
  token: string
  /** The key that this consumer has registered, as soon as it has. */
  keyOf (consumer: string): Promise<SubscriberKey>
  /** What the next fetches of this consumer get; nobody has anything at first. */
  offer (consumer: string, content: DeliveryContent): void
  /** What it was told, in order: `consumer credential delivery_seq`. */
  acknowledged: string[]
  /** How often each path was asked for: `GET /billing/credentials/mail-api`. */
  asked: Map<string, number>
  /** Answers 503 to everything. */
  away: boolean
}

/** @param pushUrl where pushes to a consumer go, which its webhook secret depends on */
export const consumersDoor = async (
  t: Pick<Test, 'teardown'>, { deliveries, pushUrl = () => '' }: { deliveries: Pick<Deliveries, 'seal' | 'webhookSecret'>, pushUrl?: (consumer: string) => string }
): Promise<ConsumersDoor> => {
  const keys = new Map<string, SubscriberKey>()
  const offers = new Map<string, DeliveryContent>()
  const asked = new Map<string, number>()
  const token = 'chy_only-for-this-test'

  const answer = async (method: string, path: string, body: Record<string, unknown>, has: string | undefined): Promise<[number, object]> => {
    const [, consumer = '', what, credential = '', rest] = path.split('/')
    const key = keys.get(consumer)
    if (method === 'PUT' && what === 'key') {
      const { x } = body as { x: string }
      const keyId = await calculateJwkThumbprint({ kty: 'OKP', crv: 'X25519', x })
      keys.set(consumer, { keyId, key: { kty: 'OKP', crv: 'X25519', x } })
      return [200, { key_id: keyId }]
    }
    if (what === 'webhook-secret') {
      return [200, { secret: deliveries.webhookSecret({ consumer, credential: String(body['credential']), url: pushUrl(consumer) }).reveal() }]
    }
    if (rest === 'acknowledgements') {
      door.acknowledged.push(`${consumer} ${credential} ${String(body['delivery_seq'])}`)
      return [200, {}]
    }
    const offer = offers.get(consumer)
    if (key === undefined) return [409, { code: 'consumer_key_missing', detail: 'no key' }]
    if (offer === undefined) return [409, { code: 'value_missing', detail: 'no value' }]
    if (has === `"${offer.deliverySeq}"`) return [304, {}]
    return [200, { jwe: await deliveries.seal(offer, key), delivery_seq: offer.deliverySeq }]
  }

  const server = createServer((request, response) => {
    const { method = '', url = '', headers: { authorization, 'if-none-match': has } } = request
    const path = url.replace(/^\/api\/v1\/consumers/, '')
    const reply = (status: number, body: object) => { response.writeHead(status, { 'content-type': 'application/json' }).end(status === 304 ? undefined : JSON.stringify(body)) }
    asked.set(`${method} ${path}`, (asked.get(`${method} ${path}`) ?? 0) + 1)
    if (door.away) return reply(503, { code: 'overloaded', detail: 'away' })
    if (authorization !== `Bearer ${token}`) return reply(401, { code: 'unauthenticated', detail: 'not this one' })
    const body = method === 'GET' ? Promise.resolve({}) : json(request) as Promise<Record<string, unknown>>
    void body.then((body) => answer(method, path, body, has)).then(([status, body]) => { reply(status, body) }, (error: unknown) => { reply(500, { code: 'internal_error', detail: String(error) }) })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const door: ConsumersDoor = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    keyOf: async (consumer) => {
      await until(() => keys.has(consumer))
      const key = keys.get(consumer)
      if (key === undefined) throw new Error('it is gone again')
      return key
    },
    offer: (consumer, content) => { offers.set(consumer, content) },
    acknowledged: [],
    asked,
    away: false
  }
  return door
}

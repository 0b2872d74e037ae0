// What reaches the consumers of credentials: sealed values, pushed or announced, and the question whether they use them.
import { randomUUID } from 'node:crypto'
import type { Exchange } from '../../src/domain/credential/fields.ts'
import type { Clock, Keys } from '../../src/ports.ts'
import type { Deliveries, DeliveryOutcome, ProofAnswer } from '../../src/rotation-ports.ts'
import type { Answered, Outgoing } from '../outgoing/index.ts'
import { createAnnouncer } from './announce.ts'
import { judge } from './possession.ts'
import { sealTo } from './seal.ts'
import { signedHeaders, webhookSecretOf } from './webhook.ts'

export interface DeliveriesOptions {
  outgoing: Outgoing
  keys: Pick<Keys, 'webhookSecret'>
  clock: Clock
  redis: {
    /** Where Redis is; undefined as long as there is none. */
    url: () => string | undefined
    /** Key of the stream, its namespace in front. */
    stream: string
  }
}

export interface OpenDeliveries extends Deliveries { close (): void }

/** Of each body, in characters: a hundred exchanges stand in one fact. */
const KEPT = 512

/** Nothing is tried twice here: when to try again is the rotation's to say. */
export const createDeliveries = ({ outgoing, keys, clock, redis }: DeliveriesOptions): OpenDeliveries => {
  const announcer = createAnnouncer(redis, clock)
  const webhookSecret: Deliveries['webhookSecret'] = (of) => webhookSecretOf(keys, of)

  return {
    seal: sealTo,
    webhookSecret,
    announce: (entries) => announcer.announce(entries),
    close: () => { announcer.close() },

    push: async ({ subscriber, credential, rotationId, deliverySeq, jwe, secrets }): Promise<DeliveryOutcome> => {
      const { consumer, delivery } = subscriber
      if (delivery.kind !== 'push') throw new Error(`${consumer} pulls: it is announced to, not pushed`)
      const { url } = delivery
      const at = clock.now()
      const body = JSON.stringify({ type: 'credential.rotation', timestamp: at.toISOString(), data: { credential, rotation_id: rotationId, delivery_seq: deliverySeq, jwe } })
      const secret = webhookSecret({ consumer, credential, url })
      const headers = signedHeaders({ id: `${rotationId}-${consumer}-${deliverySeq}`, at, body, secret })
      const answer = await outgoing.request({ method: 'POST', url, headers, body, shown: body.replace(jwe, '[sealed]'), secrets: [...secrets, secret], probe: 'push', keep: KEPT })
      const status = answered(answer)
      const exchange = answeredAs(answer.exchange, answer.body?.includes(jwe) === true ? '[what was sealed, among others]' : undefined)
      if (status === undefined) return { status: 'unreachable', exchange: { ...exchange, outcome: answer.sent ? 'unknown' : 'failed' } }
      const taken = status >= 200 && status < 300
      return { status: taken ? 'succeeded' : 'failed', exchange: { ...exchange, outcome: taken ? 'passed' : 'failed' } }
    },

    probe: async ({ subscriber, credential, value, secrets = [] }): Promise<ProofAnswer> => {
      // 122 random bits, of which Node draws many at a time.
      const nonce = randomUUID()
      const answer = await outgoing.request({
        method: 'GET', url: asking(subscriber.healthcheck, { credential, nonce }), headers: { accept: 'application/json' }, secrets: [value, ...secrets], probe: 'healthcheck', keep: KEPT
      })
      const status = answered(answer)
      if (status === undefined) return { outcome: 'unreachable', exchange: { ...answer.exchange, outcome: answer.sent ? 'unknown' : 'failed' } }
      const { outcome, proof } = judge({ status, body: answer.body, needsProof: subscriber.proof.kind === 'possession', credential, nonce, value })
      return { outcome, exchange: { ...answeredAs(answer.exchange, withoutProof(answer, proof)), outcome: outcome === 'proved' ? 'passed' : 'failed' } }
    }
  }
}

/** What cannot be a URL stays as it is: the way out says what is wrong with it. */
const asking = (healthcheck: string, parameters: Record<string, string>): string | URL => {
  let url: URL
  try {
    url = new URL(healthcheck)
  } catch {
    return healthcheck
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}

/** The status of a whole answer. A redirect is an answer too, though nobody follows it. */
const answered = ({ status, exchange }: Answered): number | undefined =>
  status ?? (exchange.failure === 'redirect_refused' ? 308 : undefined)

/**
 * What is sealed is no value, and a proof tells nothing of one; but sealed text opens for whoever gets hold of the consumer's
 * key one day, and a short value could be guessed from nonce and proof at leisure. The log is no place for either.
 */
const answeredAs = (exchange: Exchange, body: string | undefined): Exchange =>
  exchange.answer === undefined || body === undefined ? exchange : { ...exchange, answer: { ...exchange.answer, body } }

/** The answer's body without its proof; of one that is cut off, perhaps in the middle of it, nothing else stays. */
const withoutProof = ({ exchange, body = '' }: Answered, proof: string | undefined): string | undefined => {
  const shown = exchange.answer?.body
  if (shown === undefined || proof === undefined || proof === '') return shown
  return body.length > KEPT ? '{"proof":"[proof]"} …' : shown.replaceAll(proof, '[proof]')
}

// Consumers of credentials in memory, on a clock that need not be the machine's: the port Deliveries for tests that cannot wait.
import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Exchange } from '../../src/domain/credential/fields.ts'
import type { Subscriber } from '../../src/domain/credential/manifest.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { Deliveries, DeliveryContent, DeliveryOutcome, ProofAnswer, SubscriberKey } from '../../src/rotation-ports.ts'

/** `sleep` absent: whoever is slow is slow in no time. */
export interface MemoryClock { now (): Date, sleep? (milliseconds: number): Promise<void> }

/** What a consumer does about one push. */
export type PushBehaviour =
  | 'accept'
  /** Answers 503 and takes nothing. */
  | 'refuse'
  /** There is nobody, and nothing is taken. */
  | 'away'
  /** Takes it; the answer never arrives. */
  | 'silent'
  /** The answer never arrives; it takes it `lateMs` after that. */
  | 'late'
  /** Says that it took it, and goes on with what it had; of the delivery it keeps the number. */
  | 'ignore'

/** What a consumer does about one probe of its healthcheck. */
export type ProbeBehaviour =
  /** Healthy, with the proof of what it uses. */
  | 'prove'
  | 'unhealthy'
  | 'away'
  /** Healthy, and no proof at all. */
  | 'bare'

export interface Holding { value: Secret, valueId: string, deliverySeq: number, rotationId?: string }

export interface MemoryConsumer {
  readonly name: string
  readonly key: SubscriberKey
  /** As a manifest names it. */
  subscriber (of?: { required?: boolean, pull?: boolean, proof?: Subscriber['proof'], url?: string }): Subscriber
  /** What it uses now; a late delivery counts from its moment on. */
  uses (): Holding | undefined
  /** What it has from before: no delivery. */
  give (holding: Holding): void
  /** Behaviours of the next requests, one each; then the standing one. */
  pushes: PushBehaviour[]
  push: PushBehaviour
  probes: ProbeBehaviour[]
  probe: ProbeBehaviour
  /** Every second request, of whatever kind, meets nobody. */
  flapping: boolean
  /** Answers so late; beyond the time limit the answer never arrives. */
  slowMs: number
  lateMs: number
  /** What was announced to it and not taken from here yet (pull). */
  readonly inbox: Array<{ credential: string, rotationId: string, deliverySeq: number }>
  /** Opens what it was sent or fetched; a smaller delivery_seq than it has is refused (decision 33). */
  take (jwe: string): 'taken' | 'superseded' | 'unreadable'
  /** Every delivery_seq that it has taken, in order: must never fall. */
  readonly taken: number[]
}

export interface MemoryDeliveries extends Deliveries {
  /** The consumer of this name, made when it is first asked for. */
  consumer (name: string): MemoryConsumer
  consumers (): MemoryConsumer[]
  /** True: Redis is away, and `announce` throws. */
  redisAway: boolean
  /** The most requests that were under way at once. */
  readonly most: number
  /** Requests so far. */
  readonly requests: number
}

const answers = { ignore: 200, refuse: 503 } as const

/** @param options.beside deliveries to the same consumers, with another limit */
export const memoryDeliveries = ({ clock, timeLimitMs = 5_000, beside }: { clock: MemoryClock, timeLimitMs?: number, beside?: MemoryDeliveries }): MemoryDeliveries => {
  const consumers = new Map<string, MemoryConsumer>()
  const sealed = new Map<string, { content: DeliveryContent, keyId: string }>()
  const underWay = { now: 0, most: 0, requests: 0 }

  const consumer = (name: string): MemoryConsumer => {
    if (beside !== undefined) return beside.consumer(name)
    const known = consumers.get(name) ?? newConsumer(name, clock, (jwe, keyId) => {
      const found = sealed.get(jwe)
      return found?.keyId === keyId ? found.content : undefined
    })
    consumers.set(name, known)
    return known
  }

  /** Waits as long as the consumer takes, or as the asker waits; false: the answer comes too late. */
  const answered = async (from: MemoryConsumer): Promise<boolean> => {
    underWay.most = Math.max(underWay.most, ++underWay.now)
    underWay.requests++
    try {
      await clock.sleep?.(Math.min(from.slowMs, timeLimitMs))
    } finally {
      underWay.now--
    }
    return from.slowMs < timeLimitMs
  }

  const exchangeOf = (probe: string, target: string, began: Date, result: { status: number, body?: string } | { failure: string }, passed: boolean): Exchange => ({
    probe,
    outcome: 'failure' in result ? result.failure === 'timeout' ? 'unknown' : 'failed' : passed ? 'passed' : 'failed',
    request: { method: probe === 'push' ? 'POST' : 'GET', target },
    ...'failure' in result ? { failure: result.failure } : { answer: { status: String(result.status), ...result.body !== undefined && { body: result.body } } },
    at: began.toISOString(),
    tookMs: Math.max(0, clock.now().getTime() - began.getTime())
  })

  return {
    consumer,
    consumers: () => beside?.consumers() ?? [...consumers.values()],
    redisAway: false,
    get most () { return underWay.most },
    get requests () { return underWay.requests },

    seal: async (content, { keyId }) => {
      if (beside !== undefined) return beside.seal(content, { keyId, key: { kty: 'OKP', crv: 'X25519', x: '' } })
      // Says nothing about the value, as a real one does not.
      const jwe = `memory.${randomBytes(12).toString('base64url')}`
      sealed.set(jwe, { content, keyId })
      return jwe
    },

    push: async ({ subscriber, jwe }): Promise<DeliveryOutcome> => {
      const to = consumer(subscriber.consumer)
      const began = clock.now()
      const target = subscriber.delivery.kind === 'push' ? subscriber.delivery.url : ''
      const behaviour = flaps(to) ? 'away' : to.pushes.shift() ?? to.push
      const unanswered = (failure: string): DeliveryOutcome => ({ status: 'unreachable', exchange: exchangeOf('push', target, began, { failure }, false) })
      const answer = (status: number): DeliveryOutcome =>
        ({ status: status < 300 ? 'succeeded' : 'failed', exchange: exchangeOf('push', target, began, { status }, status < 300) })
      if (behaviour === 'away') return unanswered('connection_refused')
      if (behaviour === 'late') (to as Inside).later(jwe)
      const inTime = await answered(to)
      // It takes what it was sent, whether or not anybody still waits for its word.
      const took = behaviour === 'accept' || behaviour === 'silent' ? to.take(jwe) : undefined
      if (behaviour === 'ignore') (to as Inside).note(jwe)
      if (!inTime || behaviour === 'silent' || behaviour === 'late') return unanswered('timeout')
      if (behaviour === 'accept') return answer(took === 'taken' ? 200 : took === 'superseded' ? 409 : 400)
      return answer(answers[behaviour])
    },

    announce: async function (this: MemoryDeliveries, entries) {
      if (this.redisAway) throw new Error('Redis is away')
      for (const { consumer: name, ...entry } of entries) consumer(name).inbox.push(entry)
    },

    probe: async ({ subscriber, value }): Promise<ProofAnswer> => {
      const to = consumer(subscriber.consumer)
      const began = clock.now()
      const behaviour = flaps(to) ? 'away' : to.probes.shift() ?? to.probe
      const exchange = (result: Parameters<typeof exchangeOf>[3], passed: boolean) => exchangeOf('healthcheck', subscriber.healthcheck, began, result, passed)
      if (behaviour === 'away') return { outcome: 'unreachable', exchange: exchange({ failure: 'connection_refused' }, false) }
      if (!await answered(to)) return { outcome: 'unreachable', exchange: exchange({ failure: 'timeout' }, false) }
      if (behaviour === 'unhealthy') return { outcome: 'unhealthy', exchange: exchange({ status: 503 }, false) }
      if (subscriber.proof.kind === 'none') return { outcome: 'proved', exchange: exchange({ status: 200 }, true) }
      const used = to.uses()
      if (behaviour === 'bare' || used === undefined) return { outcome: 'not_possessing', exchange: exchange({ status: 200 }, false) }
      const nonce = randomBytes(32).toString('base64url')
      const proof = (secret: Secret) => createHmac('sha256', secret.reveal()).update(nonce).digest('hex')
      const proved = proof(used.value) === proof(value)
      return { outcome: proved ? 'proved' : 'unproved', exchange: exchange({ status: 200 }, proved) }
    },

    webhookSecret: ({ consumer: name, credential, url }) =>
      new Secret(`whsec_${createHash('sha256').update([name, credential, url].join('\n')).digest('base64')}`)
  }
}

type Inside = MemoryConsumer & { later (jwe: string): void, note (jwe: string): void, meetsNobody: boolean }

const flaps = (to: MemoryConsumer): boolean => {
  if (!to.flapping) return false
  const inside = to as Inside
  inside.meetsNobody = !inside.meetsNobody
  return inside.meetsNobody
}

const newConsumer = (name: string, clock: MemoryClock, open: (jwe: string, keyId: string) => DeliveryContent | undefined): Inside => {
  const x = createHash('sha256').update(name).digest('base64url')
  const key: SubscriberKey = { keyId: x, key: { kty: 'OKP', crv: 'X25519', x } }
  const late: Array<{ at: number, jwe: string }> = []
  const taken: number[] = []
  let holding: Holding | undefined
  let highest = 0

  const take = (jwe: string): 'taken' | 'superseded' | 'unreadable' => {
    const content = open(jwe, key.keyId)
    if (content === undefined) return 'unreadable'
    const { value, valueId, deliverySeq, rotationId } = content
    if (deliverySeq < highest) return 'superseded'
    highest = deliverySeq
    holding = { value, valueId, deliverySeq, ...rotationId !== undefined && { rotationId } }
    taken.push(deliverySeq)
    return 'taken'
  }
  const catchUp = () => {
    const now = clock.now().getTime()
    for (const { jwe } of late.filter(({ at }) => at <= now)) take(jwe)
    late.splice(0, late.length, ...late.filter(({ at }) => at > now))
  }
  return {
    name,
    key,
    subscriber: ({ required = true, pull = false, proof = { kind: 'possession' as const }, url = `https://${name}.example` } = {}) => ({
      consumer: name, required, delivery: pull ? { kind: 'pull' } : { kind: 'push', url: `${url}/deliveries` }, healthcheck: `${url}/health`, proof
    }),
    uses: () => {
      catchUp()
      return holding
    },
    give: (before) => {
      holding = before
      highest = before.deliverySeq
    },
    pushes: [],
    push: 'accept',
    probes: [],
    probe: 'prove',
    flapping: false,
    slowMs: 0,
    lateMs: 3_000,
    inbox: [],
    take: (jwe) => {
      catchUp()
      return take(jwe)
    },
    taken,
    note: (jwe) => { highest = Math.max(highest, open(jwe, key.keyId)?.deliverySeq ?? 0) },
    later (this: Inside, jwe) { late.push({ at: clock.now().getTime() + this.lateMs, jwe }) },
    meetsNobody: false
  }
}

// A consumer of credentials as Chancery knows it: the key that its deliveries are sealed to (decision 34).
import type { EventOf, RecordedOf } from '../catalogue.ts'
import type { Instant } from '../event.ts'

type KeyRegistered = Extract<EventOf<'subscriber'>, { type: 'subscriber.key_registered' }>['data']
/** JWK of an X25519 public key, and its name: the RFC 7638 thumbprint. */
export interface RegisteredKey { keyId: string, key: KeyRegistered['key'], registeredAt: Instant }

export type SubscriberRecord =
  | { status: 'absent' }
  /** Known by its secret alone as long as it has no key. `opened`: credential → when its webhook secret was last handed out. */
  | { status: 'known', key: RegisteredKey | undefined, opened: ReadonlyMap<string, Instant> }

const absent: SubscriberRecord = { status: 'absent' }

const evolve = (subscriber: SubscriberRecord, { type, data }: RecordedOf<'subscriber'>): SubscriberRecord => {
  const { key, opened } = subscriber.status === 'known' ? subscriber : { key: undefined, opened: new Map<string, Instant>() }
  switch (type) {
    case 'subscriber.key_registered': return { status: 'known', key: { keyId: data.keyId, key: data.key, registeredAt: data.registeredAt }, opened }
    case 'subscriber.webhook_secret_opened': return { status: 'known', key, opened: new Map(opened).set(data.credential, data.openedAt) }
  }
}

export const subscriberAggregate = { category: 'subscriber', initial: absent, evolve } as const

/** What its deliveries are sealed to; undefined: it has to register a key first. */
export const keyOf = (subscriber: SubscriberRecord): RegisteredKey | undefined => subscriber.status === 'known' ? subscriber.key : undefined

/** The key counts from now on, also for what is delivered again; nothing to record if it is this one already. */
export const registerKey = (
  subscriber: SubscriberRecord, { consumer, keyId, key, at }: { consumer: string, keyId: string, key: KeyRegistered['key'], at: Date }
): Array<EventOf<'subscriber'>> => keyOf(subscriber)?.keyId === keyId
  ? []
  : [{ type: 'subscriber.key_registered', data: { consumer, keyId, key, registeredAt: at.toISOString() } }]

/** Notes that the secret is about to be handed out, each time. */
export const openWebhookSecret = (
  _: SubscriberRecord, { consumer, credential, at }: { consumer: string, credential: string, at: Date }
): Array<EventOf<'subscriber'>> => [{ type: 'subscriber.webhook_secret_opened', data: { consumer, credential, openedAt: at.toISOString() } }]

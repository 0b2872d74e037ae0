// A registered consumer of the lifecycle stream: made known, changed, retired, by the principal that it belongs to (decision 27).
import type { EventOf, RecordedOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Instant } from '../event.ts'

export interface Registration {
  /** Its consumer group in Redis. */
  group: string
  /** After so many ms without a receipt an entry is overdue. */
  overdueMs: number
}

/** Who asks: a principal, and whether it may act for the consumers of others. */
export interface Asking { principalId: string, forOthers: boolean }

/** `owner` is whoever registered it: a principal's id, or what else stands there as the actor. */
type Known = Registration & { owner: string, registeredAt: Instant }

export type Consumer =
  | { status: 'absent' }
  | Known & { status: 'registered' }
  | Known & { status: 'retired', retiredAt: Instant }

export type RegisteredConsumer = Extract<Consumer, { status: 'registered' }>

const absent: Consumer = { status: 'absent' }

const evolve = (consumer: Consumer, { type, data, metadata }: RecordedOf<'consumer'>): Consumer => {
  switch (type) {
    case 'consumer.registered': {
      const { group, overdueMs, registeredAt } = data
      return { status: 'registered', group, overdueMs, owner: metadata.actor.id, registeredAt }
    }
    case 'consumer.changed': return consumer.status === 'absent' ? consumer : { ...consumer, group: data.group, overdueMs: data.overdueMs }
    case 'consumer.retired': return consumer.status === 'absent' ? consumer : { ...consumer, status: 'retired', retiredAt: data.retiredAt }
    case 'consumer.mac_key_opened': return consumer
  }
}

export const consumerAggregate = { category: 'consumer', initial: absent, evolve } as const

/** Refuses with `subject_not_found` whoever is not registered, or no more. */
export const registered = (consumer: Consumer): RegisteredConsumer => consumer.status === 'registered'
  ? consumer
  : refuse('subject_not_found', consumer.status === 'absent'
    ? 'There is no such consumer. Register it first: PUT /api/v1/lobby/consumers/{name}.'
    : 'This consumer was retired. Register it again if it follows the stream after all.')

/** Refuses with `forbidden` whoever is not the one it belongs to (ADR 0134). An absent one belongs to nobody. */
export const own = (consumer: Consumer, { principalId, forOthers }: Asking): void => {
  if (consumer.status === 'absent' || consumer.owner === principalId || forOthers) return
  refuse('forbidden', 'This consumer belongs to the principal that registered it. To take it over, let that one or a superadmin retire it, and register it again.')
}

/** Registers, or changes what is registered; nothing to record if all of it is so already. Refuses with `forbidden`. */
export const register = (state: Consumer, command: Registration & { consumer: string, by: Asking, at: Date }): Array<EventOf<'consumer'>> => {
  const { consumer, group, overdueMs, by } = command
  const at = command.at.toISOString()
  // One that was retired belongs to whoever registers it again.
  if (state.status === 'registered') own(state, by)
  else return [{ type: 'consumer.registered', data: { consumer, group, overdueMs, registeredAt: at } }]
  if (state.group === group && state.overdueMs === overdueMs) return []
  return [{ type: 'consumer.changed', data: { consumer, group, overdueMs, changedAt: at } }]
}

/** Nothing to record for one that is retired already. Refuses with `subject_not_found` one that never was registered, and with `forbidden`. */
export const retire = (state: Consumer, { consumer, by, at }: { consumer: string, by: Asking, at: Date }): Array<EventOf<'consumer'>> => {
  own(state, by)
  if (state.status === 'retired') return []
  registered(state)
  return [{ type: 'consumer.retired', data: { consumer, retiredAt: at.toISOString() } }]
}

/** Notes that the MAC key is about to be handed out. Refuses with `subject_not_found` and `forbidden`. */
export const openMacKey = (state: Consumer, { consumer, by, keyId, at }: { consumer: string, by: Asking, keyId: string, at: Date }): Array<EventOf<'consumer'>> => {
  own(state, by)
  registered(state)
  return [{ type: 'consumer.mac_key_opened', data: { consumer, keyId, openedAt: at.toISOString() } }]
}

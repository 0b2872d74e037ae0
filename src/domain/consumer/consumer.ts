// A registered consumer of the lifecycle stream: made known, changed, retired (decision 27).
import type { EventOf, RecordedOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Instant } from '../event.ts'

export interface Registration {
  /** Its consumer group in Redis. */
  group: string
  /** After so many ms without a receipt an entry is overdue. */
  overdueMs: number
}

export type Consumer =
  | { status: 'absent' }
  | Registration & { status: 'registered', registeredAt: Instant }
  | Registration & { status: 'retired', registeredAt: Instant, retiredAt: Instant }

export type RegisteredConsumer = Extract<Consumer, { status: 'registered' }>

const absent: Consumer = { status: 'absent' }

const evolve = (consumer: Consumer, { type, data }: RecordedOf<'consumer'>): Consumer => {
  switch (type) {
    case 'consumer.registered': {
      const { group, overdueMs, registeredAt } = data
      return { status: 'registered', group, overdueMs, registeredAt }
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

/** Registers, or changes what is registered; nothing to record if all of it is so already. */
export const register = (state: Consumer, command: Registration & { consumer: string, at: Date }): Array<EventOf<'consumer'>> => {
  const { consumer, group, overdueMs } = command
  const at = command.at.toISOString()
  if (state.status !== 'registered') return [{ type: 'consumer.registered', data: { consumer, group, overdueMs, registeredAt: at } }]
  if (state.group === group && state.overdueMs === overdueMs) return []
  return [{ type: 'consumer.changed', data: { consumer, group, overdueMs, changedAt: at } }]
}

/** Nothing to record for one that is retired already. Refuses with `subject_not_found` one that never was registered. */
export const retire = (state: Consumer, { consumer, at }: { consumer: string, at: Date }): Array<EventOf<'consumer'>> => {
  if (state.status === 'retired') return []
  registered(state)
  return [{ type: 'consumer.retired', data: { consumer, retiredAt: at.toISOString() } }]
}

/** Notes that the MAC key is about to be handed out. Refuses with `subject_not_found`. */
export const openMacKey = (state: Consumer, { consumer, keyId, at }: { consumer: string, keyId: string, at: Date }): Array<EventOf<'consumer'>> => {
  registered(state)
  return [{ type: 'consumer.mac_key_opened', data: { consumer, keyId, openedAt: at.toISOString() } }]
}

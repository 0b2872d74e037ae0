// Facts of those who follow the lifecycle stream: their registration, and the receipts for what they did about an entry.
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../event.ts'
import { Count, Hash, InstantField, Position, Uuid, Word, closed } from '../fields.ts'

/** A consumer's name, which is also the last part of its stream's name. */
export const ConsumerName = () => Type.String({ pattern: '^[a-z][a-z0-9-]{0,47}$', maxLength: 48 })
export const GroupName = () => Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$', maxLength: 64 })
const OverdueMs = () => Type.Integer({ minimum: 1000, maximum: 31_536_000_000 })

/** `consumer-{name}` (decision 27). */
export const consumerEvents = {
  'consumer.registered': defineEvent(1, 'A consumer of the lifecycle stream was made known.', Type.Object({
    consumer: ConsumerName(), group: GroupName(), overdueMs: OverdueMs(), registeredAt: InstantField()
  }, closed)),
  'consumer.changed': defineEvent(1, 'A consumer has another group or another time after which it is overdue.', Type.Object({
    consumer: ConsumerName(), group: GroupName(), overdueMs: OverdueMs(), changedAt: InstantField()
  }, closed)),
  'consumer.retired': defineEvent(1, 'A consumer follows the stream no more: nothing waits for it any longer.', Type.Object({
    consumer: ConsumerName(), retiredAt: InstantField()
  }, closed)),
  'consumer.mac_key_opened': defineEvent(1, 'The key that checks the entries\' MAC is about to be handed out.', Type.Object({
    consumer: ConsumerName(), keyId: Type.String({ maxLength: 32 }), openedAt: InstantField()
  }, closed))
}

/** `receipt-{consumer}-{position}`: one receipt for one entry (decision 29). */
export const receiptEvents = {
  'cascade.acknowledged': defineEvent(1, 'A consumer reported what it did about an entry.', Type.Object({
    consumer: ConsumerName(), eventId: Uuid(), eventPosition: Position(), userId: Uuid(), outcome: Word(),
    items: Count(1_000_000), digest: Hash(), acknowledgedAt: InstantField()
  }, closed))
}

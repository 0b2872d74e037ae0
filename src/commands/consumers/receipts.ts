// Takes a consumer's receipt for a lifecycle entry: one fact for each, however often it is sent (decision 29).
import { refuse } from '../../domain/codes.ts'
import { consumerAggregate, own, registered, type Asking } from '../../domain/consumer/consumer.ts'
import { acknowledge, receiptAggregate, receiptId, type Acknowledge } from '../../domain/consumer/receipt.ts'
import { isLifecycleType } from '../../domain/lifecycle/fields.ts'
import type { EventStore, ExpectedRevision } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'

export interface ReceiptDeps { aggregates: Aggregates, events: Pick<EventStore, 'at'> }

export interface AcceptedReceipt { position: bigint, revision: ExpectedRevision, acknowledgedAt: string, replayed: boolean }

/**
 * @throws Refusal `forbidden` for the consumer of another principal, `subject_not_found` for an unknown or retired consumer, and where the log holds no lifecycle event of
 * this id and account at the position; `conflict` for another result than the one on record
 */
export const acceptReceipt = async (
  { aggregates, events }: ReceiptDeps, command: Omit<Acknowledge, 'at'> & { by: Asking }, context: CommandContext
): Promise<AcceptedReceipt> => {
  const { consumer, position, eventId, userId, by } = command
  const [{ state }, event] = await Promise.all([aggregates.current(consumerAggregate, consumer), events.at(position)])
  own(state, by)
  registered(state)
  // A receipt is about one event: one that names another would stand for what nobody did.
  if (event === undefined || !isLifecycleType(event.type) || event.id !== eventId || (event.data as { userId?: unknown }).userId !== userId) {
    refuse('subject_not_found', 'There is no such lifecycle event. position, event_id and user_id are those of the entry.')
  }
  const receipt = await aggregates.execute({
    aggregate: receiptAggregate, id: receiptId(consumer, position), context, likelyNew: true,
    decide: (before) => acknowledge(before, { ...command, at: context.at })
  })
  if (receipt.state.status === 'none') throw new Error('a receipt that was neither recorded nor refused')
  return { position: receipt.position, revision: receipt.revision, acknowledgedAt: receipt.state.acknowledgedAt, replayed: receipt.replayed || receipt.events.length === 0 }
}

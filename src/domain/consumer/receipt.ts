// A receipt: what one consumer reports to have done about one lifecycle entry; the first report stands (decision 29).
import type { EventOf, RecordedOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Instant } from '../event.ts'

/** What a consumer reports. `digest` is its own, over what it did: the same for each repetition. */
export interface Report { outcome: string, items: number, digest: string }

export type Receipt = { status: 'none' } | Report & { status: 'acknowledged', eventId: string, userId: string, acknowledgedAt: Instant }

const none: Receipt = { status: 'none' }

const evolve = (_: Receipt, { data }: RecordedOf<'receipt'>): Receipt => {
  const { eventId, userId, outcome, items, digest, acknowledgedAt } = data
  return { status: 'acknowledged', eventId, userId, outcome, items, digest, acknowledgedAt }
}

export const receiptAggregate = { category: 'receipt', initial: none, evolve } as const

/** Id of the stream of one consumer's receipt for the entry at a position. */
export const receiptId = (consumer: string, position: bigint): string => `${consumer}-${position}`

export interface Acknowledge extends Report { consumer: string, eventId: string, position: bigint, userId: string, at: Date }

/** Records the first report; the same again records nothing. Refuses with `conflict` another one. */
export const acknowledge = (state: Receipt, command: Acknowledge): Array<EventOf<'receipt'>> => {
  const { consumer, eventId, position, userId, outcome, items, digest, at } = command
  if (state.status === 'none') {
    return [{
      type: 'cascade.acknowledged',
      data: { consumer, eventId, eventPosition: String(position), userId, outcome, items, digest, acknowledgedAt: at.toISOString() }
    }]
  }
  if (state.digest === digest && state.outcome === outcome && state.items === items) return []
  return refuse('conflict', 'This entry was acknowledged with another result. The first report stands; if it was wrong, that is for people to settle.', {
    outcome: state.outcome, items: state.items, digest: state.digest, acknowledged_at: state.acknowledgedAt
  })
}

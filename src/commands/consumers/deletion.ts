// How far an account's end has come: its lifecycle entries, who has acted on each, who is waited for, what keeps the record.
import type { LegalHold, Stage } from '../../domain/account/account.ts'
import { isInForce } from '../../domain/account/legal-hold.ts'
import { onRecord } from '../../domain/account/live.ts'
import type { LifecycleEvent } from '../../domain/lifecycle/entry.ts'
import { isLifecycleType } from '../../domain/lifecycle/fields.ts'
import type { EventStore, ExpectedRevision } from '../../ports.ts'
import type { ConsumerQueries, ConsumerRow, ReceiptRow } from '../../account-queries.ts'
import { readAccount } from '../users/read.ts'

export interface DeletionDeps { events: Pick<EventStore, 'readStream'>, consumers: Pick<ConsumerQueries, 'registered' | 'receiptsOf'> }

export type Progress =
  | { consumer: string, state: 'finished', receipt: ReceiptRow }
  /** By its receipt for a later entry of the account: whoever took a snapshot saw no other. */
  | { consumer: string, state: 'finished', settledBy: ReceiptRow }
  | { consumer: string, state: 'waiting' | 'overdue', dueAt: string }

export interface Deletion {
  life: Stage
  /** Those that count at the moment. */
  holds: LegalHold[]
  entries: Array<{ event: LifecycleEvent, progress: Progress[] }>
  position: bigint
  revision: ExpectedRevision
}

/**
 * From the account's stream; consumers and receipts from their read model. Whoever was registered after an entry is not
 * waited for. Refuses with `subject_not_found` where there is no account.
 */
export const deletionOf = async ({ events, consumers }: DeletionDeps, userId: string, now: Date): Promise<Deletion> => {
  const { user, events: facts, position, revision } = await readAccount(events, userId)
  const published = facts.filter((event): event is LifecycleEvent & typeof event => isLifecycleType(event.type))
  const { account: { life, holds } } = onRecord(user)
  const [registered, receipts] = published.length === 0 ? [[], []] : await Promise.all([consumers.registered(), consumers.receiptsOf(userId)])
  return {
    life,
    holds: holds.filter((hold) => isInForce(hold, now)),
    entries: published.map((event) => ({ event, progress: progressOf(event, registered, receipts, now) })),
    position,
    revision
  }
}

const progressOf = (event: LifecycleEvent, registered: readonly ConsumerRow[], receipts: readonly ReceiptRow[], now: Date): Progress[] => {
  const finished = receipts.filter(({ eventPosition }) => eventPosition === event.position)
  const owing = registered.filter(({ name, registeredPosition }) => registeredPosition < event.position && !finished.some(({ consumer }) => consumer === name))
  return [
    ...finished.map((receipt): Progress => ({ consumer: receipt.consumer, state: 'finished', receipt })),
    ...owing.map(({ name, overdueMs }): Progress => {
      const settledBy = receipts.find(({ consumer, eventPosition }) => consumer === name && eventPosition > event.position)
      if (settledBy !== undefined) return { consumer: name, state: 'finished', settledBy }
      const due = new Date(event.created.getTime() + Number(overdueMs))
      return { consumer: name, state: due <= now ? 'overdue' : 'waiting', dueAt: due.toISOString() }
    })
  ]
}

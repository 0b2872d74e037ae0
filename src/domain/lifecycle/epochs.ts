// The epochs of the lifecycle stream (`lifecycle-epochs`): how often it was begun anew, and whether that is under way (decision 26).
import type { EventOf, RecordedOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import { assertNever } from '../event.ts'

/** Id of the one stream. */
export const EPOCHS = 'epochs'

type LifecycleStreamEvent = EventOf<'lifecycle'>
export type EpochBegun = Extract<LifecycleStreamEvent, { type: 'lifecycle.epoch_begun' }>['data']

export interface Epochs {
  /** Ids of all that were begun. */
  begun: readonly string[]
  /** The one that is not completed. */
  open: EpochBegun | undefined
}

const evolve = (epochs: Epochs, event: RecordedOf<'lifecycle'>): Epochs => {
  switch (event.type) {
    case 'lifecycle.epoch_begun': return { begun: [...epochs.begun, event.data.epochId], open: event.data }
    case 'lifecycle.epoch_completed': return { ...epochs, open: epochs.open?.epochId === event.data.epochId ? undefined : epochs.open }
    default: return assertNever(event)
  }
}

export const epochsAggregate = { category: 'lifecycle', initial: { begun: [], open: undefined } as Epochs, evolve } as const

/** What Redis held when the epoch was ordered. */
export interface EpochOrigin {
  stream: string
  /** The id at the end of the stream, if no event of the log has it. */
  strayEntryId?: string
  groups: EpochBegun['groups']
}

/** Orders a new stream. One at a time: the old one's name would be in doubt. */
export const beginEpoch = ({ begun, open }: Epochs, epochId: string, { stream, strayEntryId, groups }: EpochOrigin, at: Date): LifecycleStreamEvent[] => {
  if (open !== undefined) return refuse('conflict', 'An epoch of the stream is under way. It ends by itself as soon as Redis takes entries.', { epoch_id: open.epochId })
  return [{
    type: 'lifecycle.epoch_begun',
    data: { epochId, begunAt: at.toISOString(), stream, renamedTo: `${stream}:epoch-${begun.length + 1}`, groups, ...strayEntryId !== undefined && { strayEntryId } }
  }]
}

/** Says that the new stream holds what it should; nothing if somebody else said so. */
export const completeEpoch = ({ open }: Epochs, epochId: string, entries: number, at: Date): LifecycleStreamEvent[] =>
  open?.epochId === epochId ? [{ type: 'lifecycle.epoch_completed', data: { epochId, completedAt: at.toISOString(), entries } }] : []

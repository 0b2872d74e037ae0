// Where a publisher goes on: worked out from Redis's own tail and the log, never from a checkpoint of its own (decision 25).
import { positionOf } from '../domain/lifecycle/entry.ts'
import { isLifecycleType } from '../domain/lifecycle/fields.ts'
import type { StreamState } from '../lifecycle-stream.ts'
import type { EventStore, SubscribeOptions } from '../ports.ts'
import type { WindowStart } from './window.ts'

export interface KnownPlace {
  kind: 'known'
  /** What the stream ends with; the next append compares it. */
  tail: string
  /** Position of the lifecycle event before the next one. */
  previous: bigint
  /** Where the log is read from. */
  from: Pick<SubscribeOptions, 'after' | 'last'>
}

export type Place =
  | KnownPlace
  /** The end of the stream is no event of this log: somebody else wrote here, or the log is another one. */
  | { kind: 'foreign', entryId: string }

export const EMPTY = '0-0'

/**
 * @param window asked only if the stream is empty
 * @param trustHint false after the log turned out not to hold what the hint names
 */
export const locate = async (
  events: Pick<EventStore, 'at'>, state: StreamState, window: () => Promise<WindowStart>, trustHint = true
): Promise<Place> => {
  const { tail, last, readTo } = state
  const hint = trustHint && readTo?.after === tail ? { after: readTo.position, last: { position: readTo.position, id: readTo.eventId } } : undefined
  if (tail === EMPTY) {
    if (hint !== undefined) return { kind: 'known', tail, previous: 0n, from: hint }
    const { previous, previousId } = await window()
    return { kind: 'known', tail, previous, from: previousId === undefined ? {} : { after: previous, last: { position: previous, id: previousId } } }
  }
  const position = positionOf(tail)
  const event = position === undefined || position === 0n ? undefined : await events.at(position)
  if (event === undefined || !isLifecycleType(event.type)) return { kind: 'foreign', entryId: tail }
  // The last entry itself may have been deleted; then its id alone has to do, and the verification tells of the rest.
  if (last?.id === tail && last.fields['event_id'] !== event.id) return { kind: 'foreign', entryId: tail }
  return { kind: 'known', tail, previous: event.position, from: hint ?? { after: event.position, last: { position: event.position, id: event.id } } }
}

// Where the retained window begins in the log: for a Redis that lost its stream, and for what is compared with the log.
import { isLifecycleType } from '../domain/lifecycle/fields.ts'
import type { LifecycleStream } from '../lifecycle-stream.ts'
import type { EventStore } from '../ports.ts'
import { least } from './least.ts'
import type { PublisherDeps } from './settings.ts'

export interface WindowStart {
  /** The lifecycle event before the window: the first entry names it as its predecessor. 0 if there is none. */
  previous: bigint
  /** Id of that event, to prove that the log still holds it. */
  previousId: string | undefined
}

/**
 * Reads the log backwards until a lifecycle event is met that is older than `cutoffMs` and that nobody needs any more.
 * At least the last lifecycle event is in the window. Throws LogUnavailable.
 * @param needed positions after this one are in the window whatever their age: not all consumers have acknowledged them
 */
export const windowStart = async (events: Pick<EventStore, 'rawAll'>, { cutoffMs, needed }: { cutoffMs: number, needed?: bigint | undefined }): Promise<WindowStart> => {
  let kept = false
  for await (const { type, position, id, data } of events.rawAll({ direction: 'backwards' })) {
    if (!isLifecycleType(type)) continue
    const young = (data as { occurredAtMs: number }).occurredAtMs >= cutoffMs
    if (kept && !young && (needed === undefined || position <= needed)) return { previous: position, previousId: id }
    kept = true
  }
  return { previous: 0n, previousId: undefined }
}

/** What a stream that was lost is filled with: the retained window, and further back where a consumer that is known to lag still needs it. */
export const windowOf = async ({ events, clock, retentionMs, consumers }: Pick<PublisherDeps, 'events' | 'clock' | 'retentionMs' | 'consumers'>, stream: LifecycleStream): Promise<WindowStart> => {
  const registered = await consumers().catch(() => undefined)
  const acknowledged = [...await stream.acknowledged()]
    .filter(([name]) => registered?.some((consumer) => consumer.name === name) ?? true).map(([, position]) => position)
  return windowStart(events, { cutoffMs: clock.now().getTime() - retentionMs, needed: least(acknowledged) })
}

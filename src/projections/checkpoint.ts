// The fork check (decision 12): is the event that a checkpoint rests on still the one that the log has there?
import type { EventStore } from '../ports.ts'
import type { ProjectionAlarm } from '../queries.ts'
import type { Generation } from './generations.ts'

/**
 * Looks up the event at the checkpoint's position.
 * @returns the alarm if the log is another one, or an older copy of it
 * @throws LogUnavailable
 */
export const forkOf = async (log: EventStore, { name, position, event_id: id }: Generation): Promise<ProjectionAlarm | undefined> => {
  if (position === null) return undefined
  const found = await log.at(position)
  if (found?.id === id) return undefined
  const seen = found === undefined ? 'has no event there' : 'has another event there'
  return {
    projection: name,
    reason: 'log_forked',
    message: `${name} was applied up to position ${position}, but the log ${seen}: it was restored from an older copy, or is another one`,
    hint: `Bring back the log that the read model was made from; or, if this log is the right one, rebuild: chancery projections rebuild ${name}`,
    position: String(position)
  }
}

// What a lifecycle event says of the command that caused it.
import type { Announcement } from '../../domain/lifecycle/announce.ts'
import type { CommandContext } from '../context.ts'

/** `source` is the calling service: the principal itself, where the actor is nobody else (decision 28). */
export const announcementOf = (userId: string, reasonCode: string, { at, actor, source = actor.id, traceparent }: CommandContext): Announcement => {
  const traceId = traceparent?.split('-')[1]
  return { userId, at, source, actor, reasonCode, ...traceId !== undefined && { traceId } }
}

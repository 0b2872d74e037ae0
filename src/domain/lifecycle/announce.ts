// The fact that downstream services learn of, appended together with the transition itself (seed 003, decision 6 there).
import type { EventOf } from '../catalogue.ts'
import type { Actor } from '../event.ts'
import type { LifecycleType } from './fields.ts'

export interface Announcement {
  userId: string
  at: Date
  /** The calling service (decision 28). */
  source: string
  actor: Actor
  reasonCode: string
  traceId?: string
}

export const announce = (type: LifecycleType, { userId, at, source, actor, reasonCode, traceId }: Announcement): EventOf<'user'> => ({
  type,
  data: {
    userId, occurredAtMs: at.getTime(), source, actorType: actor.type, actorId: actor.id, reasonCode, ...traceId !== undefined && { traceId }
  }
})

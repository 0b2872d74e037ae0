// Erases one record that is due: the intent, the key, the outcome. Whoever finds it half done goes on from there.
import { finishErasure, startErasure } from '../../domain/account/erasure.ts'
import { userAggregate } from '../../domain/user/user.ts'
import type { Clock, Ids, KeyDestroyer } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'

export interface ErasureDeps {
  aggregates: Aggregates
  clock: Clock
  ids: Ids
  keys: KeyDestroyer
}

/** The system itself asks. Ids derive from the subject, so that of several processes each fact is one's. */
export const erasureContext = ({ ids }: Pick<ErasureDeps, 'ids'>, step: string, subject: string, at: Date): CommandContext => {
  const commandId = ids.derive('erasure', step, subject)
  return { commandId, at, actor: { type: 'system', id: 'erasure' }, requestId: commandId, correlationId: ids.derive('erasure', subject) }
}

/**
 * Erases an account if its stream says that it is due, or that its erasure has begun. The fact that says so stands
 * before the key goes; the fact that it is gone, after (decision 15).
 * @returns true if it is erased now
 */
export const eraseUser = async (deps: ErasureDeps, userId: string): Promise<boolean> => {
  const { aggregates, clock, ids, keys } = deps
  const subject = `user-${userId}`
  const erasureId = ids.derive('erasure', subject)
  const at = clock.now()
  const { state } = await aggregates.execute({
    aggregate: userAggregate, id: userId, context: erasureContext(deps, 'start', subject, at),
    decide: (user) => startErasure(user, { erasureId, at })
  })
  if (state.status !== 'present' || state.account.life.stage !== 'erasing') return false
  await keys.destroy(subject)
  const end = clock.now()
  await aggregates.execute({
    aggregate: userAggregate, id: userId, context: erasureContext(deps, 'finish', subject, end),
    decide: (user) => finishErasure(user, { erasureId, at: end })
  })
  return true
}

// Erasure of an account: when it is due, its intent, and its outcome once the key is destroyed (decision 15).
import type { EventOf } from '../catalogue.ts'
import type { User } from '../user/user.ts'
import { isInForce, type Kept } from './legal-hold.ts'

export interface Erasure { erasureId: string, at: Date }

/** True once the cooling period is over, unless a legal hold is in force. */
export const isErasable = ({ life, holds }: Kept, at: Date): boolean =>
  life.stage === 'deleted' && at.getTime() >= Date.parse(life.purgeAfter) && !holds.some((hold) => isInForce(hold, at))

/** States the intent; nothing to record if it is not due, is held, or has begun. */
export const startErasure = (user: User, { erasureId, at }: Erasure): Array<EventOf<'user'>> =>
  user.status === 'present' && isErasable(user.account, at)
    ? [{ type: 'user.erasure_started', data: { userId: user.userId, erasureId, startedAt: at.toISOString() } }]
    : []

/** States the outcome, after the key was destroyed; nothing to record if it stands already. */
export const finishErasure = (user: User, { erasureId, at }: Erasure): Array<EventOf<'user'>> =>
  user.status === 'present' && user.account.life.stage === 'erasing' && user.account.life.erasureId === erasureId
    ? [{ type: 'account.purged', data: { userId: user.userId, erasureId, purgedAt: at.toISOString() } }]
    : []

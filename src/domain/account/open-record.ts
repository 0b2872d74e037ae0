// The record of a deleted account is about to be shown: that is itself a fact (decision 14).
import type { EventOf } from '../catalogue.ts'
import type { User } from '../user/user.ts'

/** Nothing to record of a live account, nor once the erasure began: then nothing is opened any more. */
export const openRecord = (user: User, { userId, at }: { userId: string, at: Date }): Array<EventOf<'user'>> =>
  user.status === 'present' && user.account.life.stage === 'deleted'
    ? [{ type: 'user.record_opened', data: { userId, openedAt: at.toISOString() } }]
    : []

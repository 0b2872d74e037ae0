// Sets and removes the limits of one account; without one of its own the catalogue's default holds.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { User } from '../user/user.ts'
import type { LimitCode } from './catalogues.ts'
import { live } from './live.ts'

interface LimitCommand { userId: string, code: LimitCode, at: Date }

/** Nothing to record if the account has exactly this limit already. */
export const setLimit = (user: User, { userId, code, value, at }: LimitCommand & { value: number }): Array<EventOf<'user'>> =>
  live(user).account.limits[code]?.value === value ? [] : [{ type: 'user.limit_set', data: { userId, code, value, setAt: at.toISOString() } }]

/** Refuses with `subject_not_found` if the account has no such limit of its own. */
export const removeLimit = (user: User, { userId, code, at }: LimitCommand): Array<EventOf<'user'>> =>
  live(user).account.limits[code] === undefined
    ? refuse('subject_not_found', 'The account has no such limit of its own, or it was removed before.')
    : [{ type: 'user.limit_removed', data: { userId, code, removedAt: at.toISOString() } }]

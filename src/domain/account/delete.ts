// Deletes an account softly: nobody outside finds it any more, and its record stays until it is purged (seed 003).
import type { EventOf } from '../catalogue.ts'
import { announce, type Announcement } from '../lifecycle/announce.ts'
import type { User } from '../user/user.ts'
import { live } from './live.ts'

/**
 * The deletion and what downstream services learn of it, in one append. A second one is refused with
 * `subject_not_found`, as every access after the first is (seed 003, decision 3 there).
 * @param command.purgeAfterMs how long the record is kept from now on
 */
export const deleteAccount = (user: User, command: Announcement & { purgeAfterMs: number }): Array<EventOf<'user'>> => {
  live(user)
  const { userId, at, purgeAfterMs } = command
  const purgeAfter = new Date(at.getTime() + purgeAfterMs).toISOString()
  return [{ type: 'user.deleted', data: { userId, deletedAt: at.toISOString(), purgeAfter } }, announce('user.lifecycle.deleted', command)]
}

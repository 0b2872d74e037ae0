// What becomes of the account of a tester's link when the tester is erased: an account that never was more than that
// link's shell is of nobody else and goes along.
import { deleteAccount } from '../account/delete.ts'
import type { EventOf } from '../catalogue.ts'
import type { Announcement } from '../lifecycle/announce.ts'
import { credentialCount, type User } from './user.ts'

/** Never made, ended by a reset, or nothing but a broken-off ceremony. An account with a credential is the person's own. */
export const isLeftover = (user: User, testerId: string): boolean =>
  isUnmade(user) || isEndedFor(user, testerId) || isEmptyShell(user, testerId)

/** True once its stream says that this tester's reset or erasure ended it: then its key may go, for nobody makes it any more. */
export const isEndedFor = (user: User, testerId: string): boolean => user.status === 'reset' && user.testerId === testerId

/** Why leftovers end; stays readable in their facts. */
export const TESTER_ERASED = 'tester_erased'

/**
 * Settles it, as it is now: one that was never made is closed like a reset one, so that whoever had claimed an address
 * for it finds it ended; a shell is deleted as an account, and its own erasure follows. Nothing to record if it is
 * ended already, or became somebody's own meanwhile.
 */
export const settleLeftover = (user: User, { testerId, erasureId, announcement }: {
  testerId: string, erasureId: string, announcement: Announcement
}): Array<EventOf<'user'>> => {
  const { userId, at } = announcement
  if (isUnmade(user)) {
    return [{
      type: 'account.ghost_reset',
      data: {
        userId, testerId, resetId: erasureId, resetAt: at.toISOString(), state: 'ghost_no_users_row', rule: TESTER_ERASED, thresholdMs: 0, evidence: []
      }
    }]
  }
  return isEmptyShell(user, testerId) ? deleteAccount(user, { ...announcement, purgeAfterMs: 0 }) : []
}

/** Facts that this version does not know make it more than a shell, also where it was never made (decision 19). */
const isUnmade = (user: User): boolean => user.status === 'absent' && user.shell

const isEmptyShell = (user: User, testerId: string): boolean =>
  user.status === 'present' && user.testerId === testerId && user.shell && credentialCount(user.credentials) === 0

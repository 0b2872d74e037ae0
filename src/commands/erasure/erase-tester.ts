// Erases a tester who is due: with the tester's own key go those of the accounts that never became more than a shell,
// and the mails that lie in the outbox.
import { isErasable } from '../../domain/account/erasure.ts'
import { deleteAccount } from '../../domain/account/delete.ts'
import { finishTesterErasure, startTesterErasure } from '../../domain/tester/erasure.ts'
import { testerAggregate, type PresentTester } from '../../domain/tester/tester.ts'
import { credentialCount, userAggregate, type User } from '../../domain/user/user.ts'
import { erasureContext, type ErasureDeps } from './erase.ts'

export interface TesterErasureDeps extends ErasureDeps {
  /** Removes what is kept here of a mail. */
  forgetMail: (mailId: string) => Promise<void>
}

/** As `eraseUser`, for testers. @returns true if the tester is erased now */
export const eraseTester = async (deps: TesterErasureDeps, testerId: string): Promise<boolean> => {
  const { aggregates, clock, ids, keys, forgetMail } = deps
  const subject = `tester-${testerId}`
  const erasureId = ids.derive('erasure', subject)
  const { state: before } = await aggregates.current(testerAggregate, testerId)
  if (before.status === 'absent') return false
  const at = clock.now()
  const userIds = isErasable(before, at) ? await leftovers(deps, before, at) : []
  const { state } = await aggregates.execute({
    aggregate: testerAggregate, id: testerId, context: erasureContext(deps, 'start', subject, at),
    decide: (tester) => startTesterErasure(tester, { erasureId, at, userIds })
  })
  if (state.status === 'absent' || state.life.stage !== 'erasing') return false
  await keys.destroyAll([subject, ...(state.erasedUserIds ?? []).map((userId) => `user-${userId}`)])
  for (const { mailId } of state.mails) await forgetMail(mailId)
  const end = clock.now()
  await aggregates.execute({
    aggregate: testerAggregate, id: testerId, context: erasureContext(deps, 'finish', subject, end),
    decide: (tester) => finishTesterErasure(tester, { erasureId, at: end })
  })
  return true
}

/**
 * The accounts of the tester's links that are of nobody else: those that a reset ended, and those of which there is
 * nothing but a broken-off ceremony. A shell that was never reset is deleted as an account first, so that nobody finds
 * an account whose person cannot be read; its own erasure follows. An account with a credential is the person's and stays.
 */
const leftovers = async (deps: ErasureDeps, { testerId, tokens }: PresentTester, at: Date): Promise<string[]> => {
  const { aggregates } = deps
  const found: string[] = []
  for (const { userId } of tokens) {
    const { state } = await aggregates.current(userAggregate, userId)
    if (state.status === 'absent' || (state.status === 'reset' && state.testerId === testerId)) found.push(userId)
    if (!isEmptyShell(state, testerId)) continue
    const context = erasureContext(deps, 'delete-shell', `user-${userId}`, at)
    await aggregates.execute({
      aggregate: userAggregate, id: userId, context: { ...context, source: 'chancery', reasonCode: REASON },
      decide: (user) => isEmptyShell(user, testerId)
        ? deleteAccount(user, { userId, at, source: 'chancery', actor: context.actor, reasonCode: REASON, purgeAfterMs: 0 })
        : []
    })
  }
  return found
}

const REASON = 'tester_erased'

const isEmptyShell = (user: User, testerId: string): boolean =>
  user.status === 'present' && user.testerId === testerId && user.shell && credentialCount(user.credentials) === 0

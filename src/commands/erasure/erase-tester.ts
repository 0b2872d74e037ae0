// Erases a tester who is due: with the tester's own key go those of the accounts that never became more than a shell,
// and the mails that lie in the outbox.
import { isErasable } from '../../domain/account/erasure.ts'
import { emailAggregate, releaseEmail } from '../../domain/reservation/reservation.ts'
import { finishTesterErasure, startTesterErasure } from '../../domain/tester/erasure.ts'
import { testerAggregate, type PresentTester } from '../../domain/tester/tester.ts'
import { isEndedFor, isLeftover, settleLeftover, TESTER_ERASED } from '../../domain/user/leftover.ts'
import { userAggregate } from '../../domain/user/user.ts'
import { erasureContext, type ErasureDeps } from './erase.ts'

export interface TesterErasureDeps extends ErasureDeps {
  /** Removes what is kept here of a mail. */
  forgetMail: (mailId: string) => Promise<void>
}

/**
 * As `eraseUser`, for testers. Nothing is done to an account before the intent stands: from then on no hold comes any
 * more, so whatever is done is done to a tester who goes. @returns true if the tester is erased now
 */
export const eraseTester = async (deps: TesterErasureDeps, testerId: string): Promise<boolean> => {
  const { aggregates, clock, ids, keys, forgetMail } = deps
  const subject = `tester-${testerId}`
  const erasureId = ids.derive('erasure', subject)
  const { state: before } = await aggregates.current(testerAggregate, testerId)
  if (before.status === 'absent') return false
  const at = clock.now()
  const leftovers = isErasable(before, at) ? await leftoversOf(deps, before) : []
  const { state } = await aggregates.execute({
    aggregate: testerAggregate, id: testerId, context: erasureContext(deps, 'start', subject, at),
    decide: (tester) => startTesterErasure(tester, { erasureId, at, userIds: leftovers })
  })
  if (state.status === 'absent' || state.life.stage !== 'erasing') return false
  const userIds = await settle(deps, state, erasureId)
  await keys.destroyAll([subject, ...userIds.map((userId) => `user-${userId}`)])
  for (const { mailId } of state.mails) await forgetMail(mailId)
  const end = clock.now()
  await aggregates.execute({
    aggregate: testerAggregate, id: testerId, context: erasureContext(deps, 'finish', subject, end),
    decide: (tester) => finishTesterErasure(tester, { erasureId, at: end, userIds })
  })
  return true
}

/** The accounts of the tester's links that are of nobody else. */
const leftoversOf = async ({ aggregates }: ErasureDeps, { testerId, tokens }: PresentTester): Promise<string[]> => {
  const found: string[] = []
  for (const { userId } of tokens) {
    const { state } = await aggregates.current(userAggregate, userId)
    if (isLeftover(state, testerId)) found.push(userId)
  }
  return found
}

/**
 * Brings each account that the intent names to its end, and frees the tester's address where it was claimed for one
 * that was never made.
 * @returns those that are ended for good, proven by their streams: their keys may go. One that was made meanwhile, by
 * whoever completed its claim, is not among them, and one that is deleted as an account has an erasure of its own.
 */
const settle = async (deps: ErasureDeps, { testerId, addressHash, leftovers = [] }: PresentTester, erasureId: string): Promise<string[]> => {
  const { aggregates, clock } = deps
  const ended: string[] = []
  for (const userId of leftovers) {
    const at = clock.now()
    const contextOf = (step: string) => ({ ...erasureContext(deps, step, `user-${userId}`, at), source: 'chancery', reasonCode: TESTER_ERASED })
    const context = contextOf('settle-leftover')
    const announcement = { userId, at, source: context.source, actor: context.actor, reasonCode: context.reasonCode }
    const { state } = await aggregates.execute({
      aggregate: userAggregate, id: userId, context, decide: (user) => settleLeftover(user, { testerId, erasureId, announcement })
    })
    if (!isEndedFor(state, testerId)) continue
    await aggregates.execute({
      aggregate: emailAggregate, id: addressHash, context: contextOf('release-claim'),
      decide: (held) => releaseEmail(held, userId, at.toISOString(), TESTER_ERASED)
    })
    ended.push(userId)
  }
  return ended
}

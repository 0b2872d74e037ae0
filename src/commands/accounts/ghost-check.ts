// Ghost-check: the verdict that an operator sees, from one query over the accounts side's read models.
import { refuse } from '../../domain/codes.ts'
import { userAggregate } from '../../domain/user/user.ts'
import { UnreadableEvent } from '../../log-errors.ts'
import type { GhostCheckRequest, GhostVerdict } from '../../ports.ts'
import type { AccountsDeps } from './deps.ts'

/**
 * One verdict a request, in their order. Refuses with `account_not_a_shell` an account of another tester.
 * @param proven wait until the read model knows all that the accounts' streams hold, or refuse with `projection_behind`
 */
export const ghostCheck = async (deps: AccountsDeps, requests: readonly GhostCheckRequest[], proven = false): Promise<GhostVerdict[]> => {
  const { ghosts, clock, graceMs } = deps
  if (proven) await caughtUp(deps, requests)
  const found = await ghosts.verdicts(requests, clock.now(), graceMs)
  return found.map(({ owner, ...verdict }, index) => owner === null || owner === requests[index]?.testerId
    ? verdict
    : refuse('account_not_a_shell', 'The account belongs to another tester.', { user_id: requests[index]?.userId }))
}

const caughtUp = async ({ aggregates, positions }: AccountsDeps, requests: readonly GhostCheckRequest[]): Promise<void> => {
  const ends = await Promise.all(requests.map(({ userId }) => aggregates.current(userAggregate, userId).then(({ position }) => position, unreadable)))
  const behind = await positions.waitFor(['users'], ends.reduce((last, position) => position > last ? position : last, 0n))
  if (behind !== undefined) refuse('projection_behind', 'The accounts are not up to date here yet, so nothing was judged. Ask again shortly.')
}

/** The read model stops at such a fact and will not come; the deletion refuses the account for it. */
const unreadable = (error: unknown): bigint => {
  if (error instanceof UnreadableEvent) return 0n
  throw error
}

// Ghost-check: the verdict that an operator sees, from one query over the accounts side's read models.
import { refuse } from '../../domain/codes.ts'
import { userAggregate } from '../../domain/user/user.ts'
import { UnreadableEvent } from '../../log-errors.ts'
import type { GhostCheckRequest, GhostVerdict } from '../../account-ports.ts'
import type { AccountsDeps } from './deps.ts'

type Judged = Awaited<ReturnType<AccountsDeps['ghosts']['verdicts']>>[number]

/**
 * One answer a request, in their order; undefined where no verdict is to be had: the account is deleted, holds more than
 * an enrolment and no credential, or is of somebody else. One such account must not hide the others of a list.
 * @param proven wait until the read model knows all that the accounts' streams hold, or refuse with `projection_behind`
 */
export const ghostCheck = async (deps: AccountsDeps, requests: readonly GhostCheckRequest[], proven = false): Promise<Array<GhostVerdict | undefined>> => {
  if (proven) await caughtUp(deps, requests)
  const judged = await deps.ghosts.verdicts(requests, deps.clock.now(), deps.graceMs)
  return judged.map((found, index) => exemptionOf(found, requests[index]) === undefined ? verdictIn(found) : undefined)
}

/** The verdict on one account. Refuses with `subject_not_found` a deleted one, and with `account_not_a_shell`. */
export const ghostCheckOne = async ({ ghosts, clock, graceMs }: AccountsDeps, request: GhostCheckRequest): Promise<GhostVerdict> => {
  const [found] = await ghosts.verdicts([request], clock.now(), graceMs)
  if (found === undefined) throw new Error('no verdict')
  switch (exemptionOf(found, request)) {
    case 'deleted': return refuse('subject_not_found', 'There is no such account.')
    case 'not_a_shell': return refuse('account_not_a_shell', 'The account holds more than an enrolment: no ghost reset applies.', { user_id: request.userId })
    case 'another_owner': return refuse('account_not_a_shell', 'The account belongs to another tester.', { user_id: request.userId })
    case undefined: return verdictIn(found)
  }
}

/** A deletion comes first: from outside nobody learns whose account it was (seed 003). */
const exemptionOf = ({ exempt, owner }: Judged, request: GhostCheckRequest | undefined): 'deleted' | 'not_a_shell' | 'another_owner' | undefined => {
  if (exempt === 'deleted') return exempt
  if (owner !== null && owner !== request?.testerId) return 'another_owner'
  return exempt ?? undefined
}

const verdictIn = ({ owner: _, exempt: __, ...verdict }: Judged): GhostVerdict => verdict

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

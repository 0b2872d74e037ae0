// Ghost-check: the verdict that an operator sees, from one query over the accounts side's read models.
import { refuse } from '../../domain/codes.ts'
import type { GhostCheckRequest, GhostVerdict } from '../../ports.ts'
import type { AccountsDeps } from './deps.ts'

/** One verdict a request, in their order. Refuses with `account_not_a_shell` an account of another tester. */
export const ghostCheck = async (
  { ghosts, clock, graceMs }: Pick<AccountsDeps, 'ghosts' | 'clock' | 'graceMs'>, requests: readonly GhostCheckRequest[]
): Promise<GhostVerdict[]> => {
  const found = await ghosts.verdicts(requests, clock.now(), graceMs)
  return found.map(({ owner, ...verdict }, index) => owner === null || owner === requests[index]?.testerId
    ? verdict
    : refuse('account_not_a_shell', 'The account belongs to another tester.', { user_id: requests[index]?.userId }))
}

// The verdict as the console shows it: what the accounts side answers, with the console's own evidence in front.
import type { Verdict, WalkthroughToken } from '../../domain/tester/tester.ts'
import { refuse } from '../../domain/codes.ts'
import { evidenceOf } from '../../domain/user/ghost-delete.ts'
import type { GhostVerdict } from '../../account-ports.ts'
import type { TesterDeps } from './deps.ts'

export type ConsoleVerdict = Verdict & { becomesGhostAt?: string, accountPosition: bigint }

/** Asks the accounts side about one used link, as of all that its account's stream holds now. Refuses with `account_not_a_shell`; throws what the gateway throws. */
export const consoleVerdict = async (
  { accounts }: Pick<TesterDeps, 'accounts'>, testerId: string, token: WalkthroughToken & { status: 'consumed' }
): Promise<ConsoleVerdict> => {
  const { userId, consumed } = token
  const [verdict] = await accounts.ghostCheck([{ testerId, userId, linkOpenedAt: consumed.at }], true)
  if (verdict === undefined) return refuse('account_not_a_shell', 'The account is more than an enrolment, or no more. Nothing was deleted; a ghost reset does not apply.')
  return withOpening(verdict, evidenceOf(`tester-${testerId}`, consumed))
}

/** The opening of the link is the console's to know. */
export const withOpening = (verdict: GhostVerdict, opening: Verdict['evidence'][number]): ConsoleVerdict =>
  ({ ...verdict, evidence: [opening, ...verdict.evidence], evaluatedAtPosition: String(verdict.evaluatedAtPosition) })

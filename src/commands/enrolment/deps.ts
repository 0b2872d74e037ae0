// What the enrolment commands need, and what each of them begins with.
import { testerAggregate, type PresentTester } from '../../domain/tester/tester.ts'
import { openedToken, unknownLink, type LiveToken } from '../../domain/user/enrolment-link.ts'
import type { Ceremonies, Ids, Keys, Vault } from '../../ports.ts'
import type { Aggregates } from '../execute.ts'
import type { Link } from './link.ts'

export interface EnrolmentDeps {
  aggregates: Aggregates
  keys: Pick<Keys, 'linkSecret' | 'challenge'>
  ids: Ids
  vault: Pick<Vault, 'open'>
  ceremonies: Ceremonies
}

/** The tester and its opened link, proven by a read of its stream: a revoked link is refused in every process at once. */
export const openedLink = async (
  { aggregates }: EnrolmentDeps, { testerId, tokenId, userId }: Link, at: Date
): Promise<{ tester: PresentTester, token: LiveToken }> => {
  const { state } = await aggregates.current(testerAggregate, testerId)
  const token = openedToken(state, tokenId, at)
  if (state.status === 'absent' || token.userId !== userId) return unknownLink()
  return { tester: state, token }
}

/** The tester's address in clear; undefined if the person was erased. */
export const addressOf = async ({ vault }: Pick<EnrolmentDeps, 'vault'>, tester: PresentTester): Promise<string | undefined> => {
  const opened = await vault.open(tester.email, `tester-${tester.testerId}`)
  return opened.status === 'open' ? opened.text : undefined
}

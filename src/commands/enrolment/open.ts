// Opens a walkthrough link on the person's click: the token is marked used, the account is not touched yet.
import { live } from '../../domain/account/live.ts'
import { testerAggregate } from '../../domain/tester/tester.ts'
import { liveToken, openLink as decide, supersededLink, unknownLink } from '../../domain/user/enrolment-link.ts'
import { userAggregate } from '../../domain/user/user.ts'
import type { ExpectedRevision } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import type { EnrolmentDeps } from './deps.ts'
import type { Link } from './link.ts'

export interface OpenedLink {
  testerId: string
  userId: string
  openedAt: string
  expiresAt: string
  revision: ExpectedRevision
  position: bigint
}

/** @throws Refusal `link_not_found`, `link_superseded`, `link_expired`, and `subject_not_found` once its account was deleted */
export const openLink = async (deps: EnrolmentDeps, link: Link, context: CommandContext): Promise<OpenedLink> => {
  const { testerId, tokenId, userId } = link
  const { state, revision, position } = await deps.aggregates.execute({
    aggregate: testerAggregate, id: testerId, context, decide: (tester) => decide(tester, { testerId, tokenId, at: context.at })
  })
  const token = liveToken(state, tokenId, context.at)
  if (token.status !== 'consumed' || token.userId !== userId) return unknownLink()
  // The reset ends the account before it revokes the link.
  const user = await deps.aggregates.current(userAggregate, userId)
  if (user.state.status === 'reset') return supersededLink()
  if (user.state.status === 'present') live(user.state)
  return { testerId, userId, openedAt: token.consumed.at, expiresAt: token.expiresAt, revision, position }
}

// Issues a registration challenge to whoever opened the link; the first one claims the address and makes the account.
import { Refusal, refuse } from '../../domain/codes.ts'
import { Clear } from '../../domain/personal.ts'
import { CHALLENGE_LIFE_MS, issueChallenge, mayEnrol } from '../../domain/user/enrolment.ts'
import { refuseDuringReset, unknownLink } from '../../domain/user/enrolment-link.ts'
import { userAggregate } from '../../domain/user/user.ts'
import type { ExpectedRevision } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import { claimAddress, giveBack, type Claimant } from './claim.ts'
import { addressOf, openedLink, type EnrolmentDeps } from './deps.ts'
import type { Link } from './link.ts'

export interface IssuedOptions {
  userId: string
  /** `PublicKeyCredentialCreationOptionsJSON` for the person's device. */
  publicKey: object
  expiresAt: string
  revision: ExpectedRevision
  position: bigint
}

/**
 * The challenge derives from its id and is stored nowhere; the same Idempotency-Key gets the same one again.
 * @throws Refusal `link_not_used`, `link_superseded`, `link_expired`, `account_healthy`, `too_many_attempts`, `conflict`
 */
export const issueOptions = async (deps: EnrolmentDeps, link: Link, context: CommandContext): Promise<IssuedOptions> => {
  const { aggregates, ids, keys, ceremonies } = deps
  const { testerId, userId } = link
  const { tester } = await openedLink(deps, link, context.at)
  refuseDuringReset(tester, link.tokenId)
  const address = await addressOf(deps, tester) ?? unknownLink()
  const { addressHash } = tester
  const claimant: Claimant = { userId, testerId, addressHash, email: (id) => new Clear(address, `user-${id}`) }
  const account = await aggregates.current(userAggregate, userId)
  // Nothing is claimed for an account that could not go on; a repeat gets its first answer.
  if (!account.commands.has(context.commandId)) mayEnrol(account.state, testerId, context.at)
  await claimAddress(deps, claimant, context)
  const challengeId = ids.derive('challenge', context.commandId)
  const issued = await aggregates.execute({
    aggregate: userAggregate, id: userId, context,
    decide: (user) => issueChallenge(user, { userId, testerId, email: claimant.email(userId), addressHash, challengeId, at: context.at })
  }).catch(async (error: unknown) => {
    if (error instanceof Refusal && error.code === 'link_superseded') await giveBack(deps, claimant, context)
    throw error
  })
  const fact = issued.events.find((event) => event.type === 'user.enrolment.options_issued')
  if (fact === undefined) return refuse('conflict', 'The challenge was not recorded. Ask for options again.')
  const publicKey = await ceremonies.creationOptions({
    challenge: keys.challenge(fact.data.challengeId), userId, userName: address, timeoutMs: CHALLENGE_LIFE_MS
  })
  return { userId, publicKey, expiresAt: fact.data.expiresAt, revision: issued.revision, position: issued.position }
}

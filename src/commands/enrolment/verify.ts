// Verifies the answer to a challenge and gives the account its passkey; the challenge is used up before it is looked at.
import { createHash, timingSafeEqual } from 'node:crypto'
import { passkeyAggregate, reservePasskey } from '../../domain/reservation/reservation.ts'
import { ceremonyFailed, failVerification, registerPasskey, useChallenge } from '../../domain/user/enrolment.ts'
import { userAggregate, type User } from '../../domain/user/user.ts'
import type { CeremonyOutcome, ExpectedRevision, Keys, RegistrationAnswer } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import { openedLink, type EnrolmentDeps } from './deps.ts'
import type { Link } from './link.ts'

export interface Enrolled {
  userId: string
  registeredAt: string
  revision: ExpectedRevision
  position: bigint
}

/**
 * The first fact is recorded under the command's id, the outcome under one derived from it: a repeat of the same
 * request finds both, and goes on where a crash between them left off.
 * @throws Refusal `ceremony_failed` for everything about the answer; of the link, as `issueOptions`
 */
export const verifyAnswer = async (
  deps: EnrolmentDeps, link: Link, answer: RegistrationAnswer, context: CommandContext
): Promise<Enrolled> => {
  const { aggregates, ids, keys } = deps
  const { testerId, userId } = link
  await openedLink(deps, link, context.at)
  const claimed = deps.ceremonies.challengeOf(answer)
  const used = await aggregates.execute({
    aggregate: userAggregate, id: userId, context,
    decide: (user) => useChallenge(user, { userId, testerId, challengeId: challengeIdOf(keys, user, claimed), at: context.at })
  })
  const challengeId = used.events.find((event) => event.type === 'user.enrolment.challenge_used')?.data.challengeId
  if (challengeId === undefined) return ceremonyFailed()

  const outcome = await judged(deps, userId, answer, challengeId, context)
  const after = {
    ...context, commandId: ids.derive('outcome', context.commandId), causationId: context.commandId,
    correlationId: context.correlationId ?? context.commandId
  }
  const at = context.at
  if (outcome.status === 'failed') {
    const { cause } = outcome
    await aggregates.execute({
      aggregate: userAggregate, id: userId, context: after, decide: (user) => failVerification(user, { userId, challengeId, cause, at })
    })
    return ceremonyFailed()
  }
  const { events, revision, position } = await aggregates.execute({
    aggregate: userAggregate, id: userId, context: after,
    decide: (user) => registerPasskey(user, { userId, testerId, challengeId, passkey: outcome.passkey, at })
  })
  const registered = events.find((event) => event.type === 'user.passkey_registered')
  return registered === undefined ? ceremonyFailed() : { userId, registeredAt: registered.data.registeredAt, revision, position }
}

/** Which of the account's challenges was answered, if any: they are few, and each is derived again. */
const challengeIdOf = (keys: Pick<Keys, 'challenge'>, user: User, claimed: Uint8Array | undefined): string | undefined => {
  if (user.status === 'reset' || claimed === undefined) return undefined
  return user.ceremony.challenges.find(({ challengeId }) => {
    const challenge = keys.challenge(challengeId)
    return challenge.length === claimed.length && timingSafeEqual(challenge, claimed)
  })?.challengeId
}

/** Checks the answer, then whether its credential id is new to everybody: the reservation decides. */
const judged = async (
  { aggregates, ceremonies, keys }: EnrolmentDeps, userId: string, answer: RegistrationAnswer, challengeId: string, context: CommandContext
): Promise<CeremonyOutcome> => {
  const outcome = await ceremonies.verify(answer, keys.challenge(challengeId))
  if (outcome.status === 'failed') return outcome
  const { state } = await aggregates.execute({
    aggregate: passkeyAggregate, id: createHash('sha256').update(outcome.passkey.credentialId, 'base64url').digest('hex'), context,
    decide: (held) => reservePasskey(held, userId, context.at.toISOString())
  })
  return state.status === 'held' && state.by === userId ? outcome : { status: 'failed', cause: 'credential_known' }
}

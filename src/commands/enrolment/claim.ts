// Claims an address for an account that is about to be made. A claim is completed, never taken over (decision 6).
import type { Personal } from '../../domain/personal.ts'
import { claimEmail, emailAggregate, releaseEmail } from '../../domain/reservation/reservation.ts'
import { addressBlocked, addressTaken } from '../../domain/user/enrolment.ts'
import { userAggregate } from '../../domain/user/user.ts'
import { ADDRESS_RULE } from '../address.ts'
import type { CommandContext } from '../context.ts'
import type { EnrolmentDeps } from './deps.ts'

export interface Claimant { userId: string, testerId: string, addressHash: string, email: (userId: string) => Personal }

/**
 * Holds `email-{hash}` for the account, or refuses with `conflict` if a living account has it. A claim whose account
 * was never made is completed first; one of an account that was reset counts for nothing.
 */
export const claimAddress = async (deps: EnrolmentDeps, claimant: Claimant, context: CommandContext): Promise<void> => {
  const { userId, addressHash } = claimant
  const { state } = await deps.aggregates.cached(emailAggregate, addressHash)
  if (state.status === 'held' && state.by === userId) return
  const gone = state.status === 'held' ? await outlived(deps, state.by, claimant, context) : undefined
  const claim = await deps.aggregates.execute({
    aggregate: emailAggregate, id: addressHash, context,
    decide: (held) => claimEmail(held, {
      userId, ruleVersion: ADDRESS_RULE, at: context.at.toISOString(), ...gone !== undefined && { gone }
    })
  })
  // Somebody was faster: whoever holds it now is looked at when the person tries again.
  if (claim.state.status === 'held' && claim.state.by !== userId) addressTaken()
}

/** Gives the address back if the account turned out to have been reset while it was claimed. */
export const giveBack = async (deps: EnrolmentDeps, { userId, addressHash }: Claimant, context: CommandContext): Promise<void> => {
  await deps.aggregates.execute({
    aggregate: emailAggregate, id: addressHash, context: { ...context, commandId: deps.ids.derive('give-back', context.commandId) },
    decide: (held) => releaseEmail(held, userId, context.at.toISOString())
  })
}

/** The holder, if its stream says that it was reset; an absent one is made, as its claim announced. */
const outlived = async (deps: EnrolmentDeps, holder: string, claimant: Claimant, context: CommandContext): Promise<string> => {
  const { testerId, addressHash } = claimant
  const { state } = await deps.aggregates.execute({
    aggregate: userAggregate, id: holder, context: { ...context, commandId: deps.ids.derive('complete', context.commandId) },
    decide: (user) => user.status === 'absent'
      ? [{ type: 'user.created', data: { userId: holder, testerId, email: claimant.email(holder), addressHash, createdAt: context.at.toISOString() } }]
      : []
  })
  // An account that has another address left this one behind: a key was used twice, and the second time counted.
  if (state.status === 'reset' || (state.status === 'present' && state.addressHash !== addressHash)) return holder
  return state.status === 'present' && state.account.life.stage !== 'live' ? addressBlocked() : addressTaken()
}

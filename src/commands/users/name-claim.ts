// Claims a user name for an account. A claim that cannot come to anything any more is voided in its holder's own stream
// before it is taken over, so that of two claimants one gets the name, whatever crashed or paused in between (ADR 0101).
import { refuse } from '../../domain/codes.ts'
import { lacksName, voidClaim } from '../../domain/account/profile.ts'
import { claimUserName, releaseUserName, userNameAggregate } from '../../domain/reservation/user-name.ts'
import { userAggregate, type User } from '../../domain/user/user.ts'
import type { CommandContext } from '../context.ts'
import type { UserDeps } from './deps.ts'
import { USER_NAME_RULE } from './user-name.ts'

type Deps = Pick<UserDeps, 'aggregates' | 'ids'>
interface Claim { userId: string, hash: string, claimId: string }

/** Claims of others that one command voids: more of them in a row means that many want the name at this moment. */
const MAX_TAKEN_OVER = 3

/** The claim of this command on a name: the first that was not voided, so that a repeat finds its own. */
export const claimIdOf = ({ ids }: Pick<Deps, 'ids'>, user: User, hash: string, { commandId }: CommandContext): string => {
  const voided = user.status === 'present' ? user.account.voidedClaims : []
  for (let n = 0; ; n++) {
    const claimId = ids.derive('user-name-claim', commandId, hash, String(n))
    if (!voided.includes(claimId)) return claimId
  }
}

/** Holds `userName-{hash}` by this claim, or refuses with `user_name_taken`. */
export const claimName = async (deps: Deps, claim: Claim, context: CommandContext): Promise<void> => {
  const { aggregates } = deps
  const { userId, hash, claimId } = claim
  const own = within(context, claimId)
  let gone: string | undefined
  for (let takenOver = 0; takenOver <= MAX_TAKEN_OVER; takenOver++) {
    const { state } = await aggregates.execute({
      aggregate: userNameAggregate, id: hash, context: own, likelyNew: gone === undefined,
      decide: (held) => claimUserName(held, { userId, claimId, ruleVersion: USER_NAME_RULE, at: context.at, ...gone !== undefined && { gone } })
    })
    if (state.status === 'free') return taken()
    if (state.claimId === claimId) return
    gone = await outlived(deps, { userId: state.by, hash, claimId: state.claimId }, context) ? state.claimId : taken()
  }
  return taken()
}

/** True once the claim can never become the holder's name: said in the holder's stream, or the holder is gone. */
const outlived = async ({ aggregates, ids }: Deps, claim: Claim, context: CommandContext): Promise<boolean> => {
  const { userId, hash, claimId } = claim
  const { state } = await aggregates.current(userAggregate, userId)
  if (!lacksName(state, hash)) return false
  // Its own decisions refuse whatever an account that is gone would claim.
  if (state.status !== 'present' || state.account.life.stage !== 'live') return true
  const voided = await aggregates.execute({
    aggregate: userAggregate, id: userId, context: within(context, ids.derive('void', claimId, context.commandId)),
    decide: (user) => voidClaim(user, { userId, claimId, hash, at: context.at })
  })
  return lacksName(voided.state, hash)
}

/** Frees a name that the account has left. If that fails, whoever wants the name next takes it over. */
export const releaseName = async ({ aggregates, ids }: Deps, { hash, claimId }: Omit<Claim, 'userId'>, context: CommandContext, cause = 'renamed'): Promise<void> => {
  await aggregates.execute({
    aggregate: userNameAggregate, id: hash, context: within(context, ids.derive('release', claimId, context.commandId)),
    decide: (held) => releaseUserName(held, { claimId, at: context.at, cause })
  }).catch(() => {})
}

/** Gives a name back that came to nothing: the claim is voided first, as anybody else would do it. */
export const giveNameBack = async (deps: Deps, claim: Claim, context: CommandContext): Promise<void> => {
  if (await outlived(deps, claim, context)) await releaseName(deps, claim, context, 'given_back')
}

/** A step of the command under an id of its own: a stream may see several of them. */
const within = (context: CommandContext, commandId: string): CommandContext =>
  ({ ...context, commandId, causationId: context.commandId, correlationId: context.correlationId ?? context.commandId })

const taken = (): never => refuse('user_name_taken', 'Somebody else has this user name, or is just taking it. Choose another.')

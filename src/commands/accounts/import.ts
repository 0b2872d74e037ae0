// The accounts side's half of an import: claim the address, then take the account over.
import { refuse } from '../../domain/codes.ts'
import { Clear } from '../../domain/personal.ts'
import { claimEmail, emailAggregate, type Reservation } from '../../domain/reservation/reservation.ts'
import { importUser } from '../../domain/user/import.ts'
import { userAggregate } from '../../domain/user/user.ts'
import { ADDRESS_RULE } from '../address.ts'
import type { CommandContext } from '../context.ts'
import type { AccountRow } from '../testers/import.ts'
import type { AccountsDeps } from './deps.ts'

/** Position of the account's fact. An account that is here, or was here and was reset, is left alone. */
export const importAccount = async (
  { aggregates }: Pick<AccountsDeps, 'aggregates'>, row: AccountRow, context: CommandContext
): Promise<bigint> => {
  const { testerId, userId, address, addressHash, createdAt, passkeyPlaceholders, likelyNew } = row
  if (!likelyNew) {
    const { state, position } = await aggregates.current(userAggregate, userId)
    if (state.status !== 'absent') return position
  }
  const claim = { userId, ruleVersion: ADDRESS_RULE, at: context.at.toISOString() }
  const claimed = await aggregates.execute({
    aggregate: emailAggregate, id: addressHash, context, likelyNew, decide: (held: Reservation) => claimEmail(held, claim)
  })
  if (claimed.state.status === 'held' && claimed.state.by !== userId) return refuse('tester_exists', 'Another account has this address.')
  const { position } = await aggregates.execute({
    aggregate: userAggregate,
    id: userId,
    context,
    likelyNew,
    decide: (user) => importUser(user, { userId, testerId, email: new Clear(address, `user-${userId}`), addressHash, createdAt, passkeyPlaceholders })
  })
  return position
}

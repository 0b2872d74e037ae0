// What operators decide about an account: sanctions, limits, the tariff.
import type { LimitCode } from '../../domain/account/catalogues.ts'
import { removeLimit as decideRemoveLimit, setLimit as decideSetLimit } from '../../domain/account/limits.ts'
import { applySanction as decideApply, removeSanction as decideRemove, type NewSanction } from '../../domain/account/sanctions.ts'
import { setTariff as decideTariff, type TariffCommand } from '../../domain/account/tariff.ts'
import { Clear } from '../../domain/personal.ts'
import { userAggregate, type User } from '../../domain/user/user.ts'
import type { Decide, Receipt } from '../aggregate.ts'
import type { CommandContext } from '../context.ts'
import { announcementOf } from './announcement.ts'
import { subjectOf, type UserDeps } from './deps.ts'

type Deps = Pick<UserDeps, 'aggregates' | 'ids'>
type UserReceipt = Receipt<User, 'user'>

interface OnAccount { userId: string, ifMatch?: bigint }

const onAccount = (
  { aggregates }: Pick<Deps, 'aggregates'>, { userId, ifMatch }: OnAccount, context: CommandContext, decide: Decide<User, 'user'>
): Promise<UserReceipt> => aggregates.execute({ aggregate: userAggregate, id: userId, context, decide, ...ifMatch !== undefined && { ifMatch } })

export interface ApplySanction extends OnAccount, Pick<NewSanction, 'code' | 'scope' | 'startsAt' | 'expiresAt'> {
  reasonCode: string
  publicNote?: string
  internalNote?: string
  evidence?: string
}

/** Refuses with `subject_not_found`, `sanction_invalid`, `conflict` (fields: `sanction_id`). */
export const applySanction = async (
  deps: Deps, command: ApplySanction, context: CommandContext
): Promise<UserReceipt & { sanctionId: string }> => {
  const { userId, code, scope, startsAt, expiresAt, reasonCode, publicNote, internalNote, evidence } = command
  const sanctionId = deps.ids.derive('sanction', context.commandId)
  const clear = (text: string) => new Clear(text, subjectOf(userId))
  const receipt = await onAccount(deps, command, context, (user) => decideApply(user, {
    ...announcementOf(userId, reasonCode, context),
    sanctionId,
    code,
    scope,
    ...startsAt !== undefined && { startsAt },
    ...expiresAt !== undefined && { expiresAt },
    ...publicNote !== undefined && { publicNote: clear(publicNote) },
    ...internalNote !== undefined && { internalNote: clear(internalNote) },
    ...evidence !== undefined && { evidence: clear(evidence) }
  }))
  return { ...receipt, sanctionId }
}

/** Refuses with `subject_not_found`, and with `conflict` a sanction that ran out by itself. */
export const removeSanction = (deps: Deps, command: OnAccount & { sanctionId: string }, context: CommandContext): Promise<UserReceipt> =>
  onAccount(deps, command, context, (user) => decideRemove(user, { ...command, at: context.at }))

/** Refuses with `subject_not_found`. */
export const setLimit = (deps: Deps, command: OnAccount & { code: LimitCode, value: number }, context: CommandContext): Promise<UserReceipt> =>
  onAccount(deps, command, context, (user) => decideSetLimit(user, { ...command, at: context.at }))

/** Refuses with `subject_not_found`. */
export const removeLimit = (deps: Deps, command: OnAccount & { code: LimitCode }, context: CommandContext): Promise<UserReceipt> =>
  onAccount(deps, command, context, (user) => decideRemoveLimit(user, { ...command, at: context.at }))

/** Refuses with `subject_not_found`, `invalid_request`. */
export const setTariff = (deps: Deps, command: OnAccount & Omit<TariffCommand, 'at'>, context: CommandContext): Promise<UserReceipt> =>
  onAccount(deps, command, context, (user) => decideTariff(user, { ...command, at: context.at }))

// DeleteUser (seed 003): the account is gone for everybody outside, its record and its lookup keys stay.
import { deleteAccount } from '../../domain/account/delete.ts'
import { userAggregate } from '../../domain/user/user.ts'
import type { ExpectedRevision } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import { announcementOf } from './announcement.ts'
import type { UserDeps } from './deps.ts'

export interface DeletedUser { userId: string, deletedAt: string, purgeAfter: string, revision: ExpectedRevision, position: bigint }

/** Refuses with `subject_not_found`, a second call too, unless it repeats the first one's Idempotency-Key. */
export const deleteUser = async (
  { aggregates, purgeAfterMs }: Pick<UserDeps, 'aggregates' | 'purgeAfterMs'>, command: { userId: string, reasonCode: string, ifMatch?: bigint }, context: CommandContext
): Promise<DeletedUser> => {
  const { userId, reasonCode, ifMatch } = command
  const { events, revision, position } = await aggregates.execute({
    aggregate: userAggregate,
    id: userId,
    context,
    ...ifMatch !== undefined && { ifMatch },
    decide: (user) => deleteAccount(user, { ...announcementOf(userId, reasonCode, context), purgeAfterMs })
  })
  const deleted = events.find((event) => event.type === 'user.deleted')
  if (deleted === undefined) throw new Error('a deletion that was neither recorded nor refused')
  const { deletedAt, purgeAfter } = deleted.data
  return { userId, deletedAt, purgeAfter, revision, position }
}

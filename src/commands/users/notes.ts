// The public note of a sanction: what the person is told of it, opened only for the person's own surface.
import { Refusal } from '../../domain/codes.ts'
import { userAggregate } from '../../domain/user/user.ts'
import { subjectOf, type UserDeps } from './deps.ts'

/** The same refusal with `public_note`, if it names a sanction that has one; every other error unchanged. */
export const withPublicNote = async ({ aggregates, vault }: Pick<UserDeps, 'aggregates' | 'vault'>, userId: string, error: unknown): Promise<unknown> => {
  if (!(error instanceof Refusal) || error.code !== 'conflict') return error
  const { sanction_id: sanctionId } = error.fields
  if (typeof sanctionId !== 'string') return error
  const { state } = await aggregates.cached(userAggregate, userId)
  const note = state.status === 'present' ? state.account.sanctions.find((sanction) => sanction.sanctionId === sanctionId)?.publicNote : undefined
  if (note === undefined) return error
  const opened = await vault.open(note, subjectOf(userId))
  return opened.status === 'open' ? new Refusal(error.code, error.message, { ...error.fields, public_note: opened.text }) : error
}

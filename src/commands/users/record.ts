// Looks up the account that an admin asks about: now or as of then, deleted only with a reason, which is recorded first.
import { openRecord } from '../../domain/account/open-record.ts'
import { isErased, type Stage } from '../../domain/account/account.ts'
import { noSuchAccount, onRecord, type PresentUser } from '../../domain/account/live.ts'
import type { Personal } from '../../domain/personal.ts'
import { userAggregate } from '../../domain/user/user.ts'
import type { Clock, EventStore, ExpectedRevision, Vault } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'
import { accountAsOf, type AsOf } from './as-of.ts'

export interface RecordDeps {
  aggregates: Aggregates
  events: Pick<EventStore, 'readStream' | 'at'>
  clock: Clock
  vault: Pick<Vault, 'open'>
}

/** Context of the fact that a record is opened, its reason sealed for the account that it is about. */
export type Opening = (userId: string) => CommandContext

export interface RecordRequest {
  /** Default: now. */
  asOf?: AsOf
  /** With it, deleted accounts are shown as well (`include_deleted`). */
  opening?: Opening
}

export interface Found {
  /** The account at the moment asked about. */
  user: PresentUser
  /** Where its life stands now. */
  stage: Stage['stage']
  /** Place of the last fact that counted, and the moment at which the clock is judged. */
  position: bigint
  revision: ExpectedRevision
  at: Date
}

/**
 * Answers from the account's stream. A deleted account is found only with `opening`; then `user.record_opened` is
 * appended before this returns. Refuses with `subject_not_found` (also an account that was not there yet at that
 * moment), `invalid_request`; throws what a failed append throws.
 */
export const findRecord = async (deps: RecordDeps, userId: string, { asOf, opening }: RecordRequest): Promise<Found> => {
  if (asOf !== undefined) {
    const { then, now, position, revision, at } = await accountAsOf(deps.events, userId, asOf, deps.clock.now())
    const { life } = onRecord(now).account
    if (life.stage === 'live') return { user: onRecord(then), stage: life.stage, position, revision, at }
    const user = onRecord(then)
    return { user, stage: (await opened(deps, userId, opening)).user.account.life.stage, position, revision, at }
  }
  const { state, position, revision } = await deps.aggregates.current(userAggregate, userId)
  const { life } = onRecord(state).account
  if (life.stage === 'live') return { user: onRecord(state), stage: life.stage, position, revision, at: deps.clock.now() }
  const receipt = await opened(deps, userId, opening)
  return { ...receipt, stage: receipt.user.account.life.stage, at: deps.clock.now() }
}

/** Enters that a deleted account's record is about to be shown, unless its erasure began. Without `opening`: `subject_not_found`. */
export const opened = async (
  { aggregates }: Pick<RecordDeps, 'aggregates'>, userId: string, opening: Opening | undefined
): Promise<{ user: PresentUser, position: bigint, revision: ExpectedRevision }> => {
  if (opening === undefined) return noSuchAccount()
  const context = opening(userId)
  const { state, position, revision } = await aggregates.execute({
    aggregate: userAggregate, id: userId, context, decide: (user) => openRecord(user, { userId, at: context.at })
  })
  return { user: onRecord(state), position, revision }
}

/** The person's words; null where there are none, nobody may see them, or they are erased. */
export interface Persona { email: string | null, userName: string | null, displayName: string | null }

type SealedPersona = { email: Personal, userName?: Personal | null | undefined, displayName?: Personal | null | undefined }

/** Opens them, unless the erasure began: what is about to be destroyed is opened no more. */
export const personaOf = async (
  vault: Pick<Vault, 'open'>, userId: string, { email, userName, displayName }: SealedPersona, stage: Stage['stage']
): Promise<Persona> => {
  if (isErased(stage)) return { email: null, userName: null, displayName: null }
  const open = async (sealed: Personal | null | undefined): Promise<string | null> => {
    if (sealed === null || sealed === undefined) return null
    const found = await vault.open(sealed, `${userAggregate.category}-${userId}`)
    return found.status === 'open' ? found.text : null
  }
  const [mail, name, shown] = await Promise.all([open(email), open(userName), open(displayName)])
  return { email: mail, userName: name, displayName: shown }
}

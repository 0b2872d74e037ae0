// Legal holds on an account's record: placing, lifting, and which of them keep it from being erased now.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Instant } from '../event.ts'
import type { User } from '../user/user.ts'
import { onRecord } from './live.ts'
import { isErased, type LegalHold, type Stage } from './account.ts'

/** What erasure looks at, of an account and of a tester alike. */
export interface Kept { life: Stage, holds: readonly LegalHold[] }

export interface HoldPlacing {
  holdId: string
  /** Names the matter to those who know it; no personal data, it stays clear. */
  matter: string
  until?: Instant
  at: Date
}

/** True until its end (exclusive); one without an end holds until it is lifted. */
export const isInForce = ({ until }: Pick<LegalHold, 'until'>, at: Date): boolean => until === undefined || at.getTime() < Date.parse(until)

/** Refuses what comes too late (`conflict`) and an end that has passed (`invalid_request`). */
export const checkPlacing = ({ life }: Kept, { until, at }: HoldPlacing): void => {
  notBegun(life)
  if (until !== undefined && Date.parse(until) <= at.getTime()) refuse('invalid_request', 'A legal hold ends in the future, or, without until, when it is lifted.')
}

/** Refuses with `subject_not_found` a hold that is not there any more, and with `conflict` once the erasure began. */
export const checkLifting = ({ life, holds }: Kept, holdId: string): void => {
  notBegun(life)
  if (!holds.some((hold) => hold.holdId === holdId)) refuse('subject_not_found', 'There is no such legal hold, or it was lifted before.')
}

const notBegun = ({ stage }: Stage): void => {
  if (isErased(stage)) refuse('conflict', 'The erasure has begun: no legal hold can keep this record any more.', { stage })
}

/** Also of a deleted account (decision 29). Refuses with `subject_not_found`, `conflict`, `invalid_request`. */
export const placeHold = (user: User, placing: HoldPlacing): Array<EventOf<'user'>> => {
  const { userId, account } = onRecord(user)
  checkPlacing(account, placing)
  const { holdId, matter, until, at } = placing
  return [{ type: 'user.legal_hold_placed', data: { userId, holdId, matter, placedAt: at.toISOString(), ...until !== undefined && { until } } }]
}

/** Refuses with `subject_not_found`, `conflict`. */
export const liftHold = (user: User, holdId: string, at: Date): Array<EventOf<'user'>> => {
  const { userId, account } = onRecord(user)
  checkLifting(account, holdId)
  return [{ type: 'user.legal_hold_lifted', data: { userId, holdId, liftedAt: at.toISOString() } }]
}

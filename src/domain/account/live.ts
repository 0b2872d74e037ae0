// Who is there to decide about: a live account, and for the person's own wishes one that no sanction stands against.
import { refuse } from '../codes.ts'
import type { User } from '../user/user.ts'
import type { Account, Sanction } from './account.ts'
import type { Marker } from './catalogues.ts'
import { eligibilityOf, permanentBlockOf } from './eligibility.ts'

export type PresentUser = Extract<User, { status: 'present' }>

/** The account, or `subject_not_found`: absent, reset and deleted accounts look alike from outside (seed 003). */
export const live = (user: User): PresentUser =>
  user.status === 'present' && user.account.life.stage === 'live' ? user : noSuchAccount()

/** The account, deleted or not. Refuses with `subject_not_found` one that never was, or that a reset ended. */
export const onRecord = (user: User): PresentUser => user.status === 'present' ? user : noSuchAccount()

/** Absent, reset, deleted: from outside they look alike (seed 003). */
export const noSuchAccount = (): never => refuse('subject_not_found', 'There is no such account.')

/** Refuses with `conflict` while a permanent block counts: the self-service neither shows nor changes anything then. */
export const refusePermanentlyBlocked = (account: Account, at: Date): void => {
  const block = permanentBlockOf(account, at)
  if (block !== undefined) sanctioned(block)
}

/** Refuses with `conflict` if the account may not do at this moment what the marker says. */
export const refuseUnlessMay = (account: Account, marker: Marker, at: Date): void => {
  refusePermanentlyBlocked(account, at)
  const verdict = eligibilityOf(account, at).markers[marker]
  if (!verdict.allowed && verdict.because !== undefined) sanctioned(verdict.because)
}

/** `reason` is the sanction's code; the public note is opened by whoever answers the person. */
const sanctioned = ({ code, sanctionId, reasonCode }: Sanction): never => refuse('conflict',
  code === 'permanent_block' ? 'The account is blocked for good: reason_code and public_note say why, and an operator can remove the block.' : 'A sanction stands against this: reason_code and public_note say why, and an operator can remove it.',
  { reason: code, sanction_id: sanctionId, ...reasonCode !== undefined && { reason_code: reasonCode } })

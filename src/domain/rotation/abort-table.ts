// What abort means in each state: the one table, which decisions, documents and tests go by.
import type { JobState } from './job.ts'

/**
 * `at_once`: nothing was made, the job ends with the command. `way_back`: the old value is tried first, then given back, then the
 * new token is revoked. `under_way`: it was asked for already. `forward`: 409 `not_abortable`.
 */
export type AbortKind = 'at_once' | 'way_back' | 'under_way' | 'forward'

const nothingMade = 'Nothing was made at the vendor: the rotation ends at once, and the current value stays as it is.'
const beforeDelivery = 'What the vendor is minting is waited for, listed and revoked; then the rotation ends.'
const wayBack = 'The old value is tried. If it works, every consumer that may have taken the new one is given the old one back and has to prove that it uses it; the old one is tried once more, and the new token is revoked and has to be seen refused. If the old one is refused, the way is forward, with the new one.'

export const abortTable: Readonly<Record<JobState, { kind: AbortKind, means: string }>> = {
  opened: { kind: 'at_once', means: nothingMade },
  verifying: { kind: 'at_once', means: nothingMade },
  verified: { kind: 'at_once', means: nothingMade },
  verify_failed: { kind: 'at_once', means: nothingMade },
  mint_failed: { kind: 'at_once', means: nothingMade },
  minting: { kind: 'way_back', means: beforeDelivery },
  mint_outcome_unknown: { kind: 'way_back', means: beforeDelivery },
  distributing: { kind: 'way_back', means: wayBack },
  distribute_partial: { kind: 'way_back', means: wayBack },
  distributed: { kind: 'way_back', means: wayBack },
  validating: { kind: 'way_back', means: wayBack },
  validation_failed: { kind: 'way_back', means: wayBack },
  validated: { kind: 'way_back', means: wayBack },
  confirming: { kind: 'way_back', means: `${wayBack} Only until the vendor is told to revoke.` },
  abort_checking: { kind: 'under_way', means: 'It is under way: the old value is being tried.' },
  aborting: { kind: 'under_way', means: 'It is under way: the old value is given back, proved and tried again, then the new token is revoked.' },
  revoking: { kind: 'forward', means: 'The old token is being revoked: the way is forward.' },
  revoke_unconfirmed: { kind: 'forward', means: 'The old token is being revoked: the way is forward.' },
  done: { kind: 'forward', means: 'The rotation has ended.' },
  aborted: { kind: 'forward', means: 'The rotation has ended.' }
}

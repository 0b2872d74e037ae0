// Which steps a job offers in which state, and what each state means: one table for decisions, view and documents.
import { abortTable } from './abort-table.ts'
import type { JobState, StepName } from './job.ts'
import { isTheConnection, notHeld, notListed, notRefused, notTaken } from './sentences.ts'
import { isBehind, mayHold } from './standing.ts'
import type { Job } from './state.ts'

/** What may be asked for besides abort. `retry` and `waive` only while there is somebody for it. */
const stepTable: Readonly<Record<JobState, readonly StepName[]>> = {
  opened: ['verify'],
  verifying: [],
  verified: ['distribute'],
  verify_failed: ['verify'],
  minting: [],
  mint_failed: ['distribute'],
  mint_outcome_unknown: [],
  distributing: [],
  distribute_partial: ['retry'],
  distributed: ['retry', 'validate', 'waive'],
  validating: [],
  validation_failed: ['retry', 'validate', 'waive'],
  validated: ['validate', 'waive', 'revoke'],
  confirming: [],
  revoking: [],
  revoke_unconfirmed: [],
  abort_checking: [],
  aborting: [],
  done: [],
  aborted: []
}

/** One sentence for each state: what it means, and what to do next. */
const meanings: Readonly<Record<JobState, string>> = {
  opened: 'The rotation is open and nothing was touched. Verify the current value next.',
  verifying: 'The current value is being tried at the vendor; nothing is changed.',
  verified: 'The current value works and a new one may be minted. Distribute next: it mints a new value and gives it to the consumers.',
  verify_failed: 'Nothing was touched: the vendor did not accept the probes. Mend what its answer says, then verify again, or abort.',
  minting: 'The vendor is asked for a new value; the old one works on.',
  mint_failed: 'No new value came of it: the vendor refused, gave the one that is in use once more, or does not accept what was pasted. The old one works on. Mend what its answer says, then distribute again, or abort.',
  mint_outcome_unknown: 'Whether the vendor minted is not known. Its list is being looked at, and what is found is revoked; then it can be asked again.',
  distributing: 'The consumers are given the new value; the old one works on.',
  distribute_partial: 'Not every required consumer has the new value; the old one works on. Retry those that failed, or abort.',
  distributed: 'Every required consumer has the new value; the old one works on. Validate next: each consumer has to prove the new one.',
  validating: 'The consumers are asked to prove that they use the new value; the old one works on.',
  validation_failed: 'The gate is closed: not everything is proved. The old value works on. Give the new one again (retry), validate again, waive who is not required, or abort.',
  validated: 'All consumers proved the new value or were waived. Revoke the old one next, by typing the name of the credential, with a ticket.',
  confirming: 'The consumers are asked once more, and the vendor\'s list is looked at; then the old token is revoked.',
  revoking: 'The vendor is told to revoke the old token, which has to be seen refused three times in a row.',
  revoke_unconfirmed: 'The vendor has not confirmed that the old token is revoked, or it is not seen refused yet. It is revoked and tried again until both is so. If the vendor knows no token by the id that it was adopted with, revoke it there by hand: that is seen, and ends it.',
  abort_checking: 'Abort was asked for: the old value is being tried before anything is given back.',
  aborting: 'The consumers are given the old value back and have to prove that they use it; then the new token is revoked. A required one that does not prove it is waited for: mend it, or, if it is gone for good, put a manifest without it, with a ticket.',
  done: 'Done: the new value is the current one, and the old token was seen refused.',
  aborted: 'Aborted: the old value is the current one, and nothing is left of a new one.'
}

/** The same where the old value is dead: it was not tried, and nobody can go on with it. */
const replacing: Partial<Record<JobState, string>> = {
  opened: 'The rotation is open and nothing was touched. Verify next: whether the vendor lets a new value be minted. The old one is taken for dead.',
  verifying: 'The vendor is asked whether it lets a new value be minted; nothing is changed.',
  verified: 'A new value may be minted. Distribute next: it mints a new value and gives it to the consumers.',
  minting: 'The vendor is asked for a new value.',
  distributing: 'The consumers are given the new value.',
  distribute_partial: 'Not every required consumer has the new value. Retry those that failed; abort is offered as long as nobody may have taken it.',
  distributed: 'Every required consumer has the new value. Validate next: each consumer has to prove it.',
  validating: 'The consumers are asked to prove that they use the new value.',
  validation_failed: 'The gate is closed: not everything is proved. Give the new value again (retry), validate again, or waive who is not required.'
}

/** Nor can anybody where abort has found it dead, though nobody had taken it for that. */
const foundDead: Partial<Record<JobState, string | undefined>> = {
  distributing: replacing.distributing, distributed: replacing.distributed, validating: replacing.validating, validation_failed: replacing.validation_failed,
  distribute_partial: 'Not every required consumer has the new value. Retry those that failed.'
}

/** Why the gate was closed after everybody had proved the new value, and what opens it. */
const closedGates: Readonly<Record<string, string>> = {
  old_value_used: 'The gate is closed: the vendor says that the old value was used after everybody had proved the new one. Find who uses it, then validate and revoke again. If nobody of yours does, it has leaked: revoke it at the vendor by hand, which opens the gate.',
  new_value_refused: 'The gate is closed: the vendor refuses the new value. Abort, and find out at the vendor why, before a new rotation.',
  new_value_missing: 'The gate is closed: the vault does not hold the new value, as after a restore from an older backup, so that it can be neither tried nor given to anybody again. Abort, and open a new rotation.',
  new_value_untried: 'The gate is closed: the vendor did not say whether it accepts the new value. Validate and revoke again.',
  vendor_list_failed: 'The gate is closed: the vendor\'s list could not be read, so that nobody knows whether the old value is in use. Validate and revoke again.'
}

/** Why it stands there, where the state alone does not say enough: what closed the gate, or what failed at the vendor. */
const whyOf = ({ state, gateClosed, failure }: Pick<Job, 'state' | 'gateClosed' | 'failure'>): string | undefined => {
  if (state === 'validation_failed') return gateClosed && closedGates[gateClosed.why]
  if (failure === undefined) return undefined
  return state === 'verify_failed' ? notHeld(failure) ?? notRefused(failure) ?? notListed(failure) ?? isTheConnection(failure) : state === 'verified' ? notTaken(failure) : undefined
}

/** One sentence or two: what the job's state means, and what to do next. */
export const meaningOf = ({ state, mode, gateClosed, failure, abort }: Pick<Job, 'state' | 'mode' | 'gateClosed' | 'failure' | 'abort'>): string => {
  const why = whyOf({ state, gateClosed, failure })
  const dead = abort?.checkedDead === true
  const meaning = why ?? (mode === 'replace' ? replacing[state] : dead ? foundDead[state] : undefined) ?? meanings[state]
  if (!dead || state === 'done') return meaning
  return `${meaning} Abort was refused: ${abort.oldMissing ? 'the vault does not hold the old value, which can be neither tried nor given back' : 'the old value is dead'}, the way is forward.`
}

const waivable = ({ consumers }: Job): boolean => [...consumers.values()].some(({ subscriber, waived }) => !subscriber.required && waived === undefined)

/** True if somebody may have taken the new value while there is no old one to give back, unless the new one is dead too (ADR 0151). */
export const replacedAlready = (job: Job): boolean => job.mode === 'replace' && !job.newRefused && [...job.consumers.values()].some((consumer) => mayHold(job, consumer))

/** What may be asked for now. */
export const offered = (job: Job): StepName[] => {
  const steps = stepTable[job.state].filter((step) => (step !== 'retry' || [...job.consumers.values()].some(isBehind)) && (step !== 'waive' || waivable(job)))
  return abortable(job) ? [...steps, 'abort'] : steps
}

export const abortable = (job: Job): boolean => {
  const { kind } = abortTable[job.state]
  return kind === 'at_once' || (kind === 'way_back' && !replacedAlready(job))
}

// What leads on from where a rotation stands: the steps in a sensible order, as command lines, and a way out where the usual one is closed.
import type { ConsumerView, JobView, Step } from './rotation-api.ts'

/** Who has not taken the new value, or answered without it; those that were waived are not missed. */
export const behind = ({ consumers }: JobView): ConsumerView[] => consumers.filter(({ distribute_status: status, proof_outcome: outcome, waived }) =>
  waived === null && (status !== 'succeeded' || (outcome !== null && outcome !== 'proved')))

/** Whose proof is missing and may be done without. */
export const waivable = ({ consumers }: JobView): ConsumerView[] =>
  consumers.filter(({ required, proof_outcome: outcome, waived }) => !required && outcome !== 'proved' && waived === null)

/** What may be asked for and makes a difference: the way forward first, and of two ways the one that leads further. */
export const stepsOn = (job: JobView): Step[] => {
  const again: Step[] = job.state !== 'distributed' && behind(job).length > 0 ? ['retry', 'validate'] : ['validate', 'retry']
  const order: Step[] = ['revoke', 'verify', 'distribute', ...again, 'waive', 'abort']
  return order.filter((step) => job.steps.includes(step) && (step !== 'revoke' || job.gate.open) && (step !== 'waive' || waivable(job).length > 0))
}

/**
 * The same as command lines.
 * @param asks somebody is there to be asked for reason, name and ticket; a script has to say them
 */
export const nextCommands = (job: JobView, { asks }: { asks: boolean }): string[] =>
  stepsOn(job).map((step) => ['chancery rotations', step, job.credential, ...wordsFor(step, job, asks), ...asks ? [] : ['--reason "…"']].join(' '))

const wordsFor = (step: Step, job: JobView, asks: boolean): string[] => {
  const ticket = asks ? [] : ['--ticket TICKET']
  if (step === 'revoke') return [...asks ? [] : [`--confirm ${job.credential}`], ...ticket]
  if (step !== 'waive') return []
  const [one, ...others] = waivable(job)
  return [`--consumer ${one === undefined || others.length > 0 ? 'NAME' : one.consumer}`, ...ticket]
}

/** Where the usual way does not lead on, what else there is. */
export const wayOn = (job: JobView): string | undefined => {
  const { state, credential, mode, failure } = job
  const replacing = mode === 'replace'
  switch (state) {
    case 'verify_failed':
      return replacing || failure?.probe !== 'authenticate' ? undefined : `If the value is dead for good: abort, then chancery rotate ${credential} --mode replace --ticket TICKET.`
    case 'mint_failed':
      return `Mend at the vendor what its answer says${replacing ? '' : '; the value in use works on'}.`
    case 'distribute_partial':
      return replacing ? 'Those that have the new value use it; the others work again once they have it.' : 'Nothing is lost: those that have the new value use it, the others the old one.'
    case 'validation_failed':
      return wayOverGate(job)
    default:
      return undefined
  }
}

const wayOverGate = ({ credential, consumers, gate }: JobView): string | undefined => {
  const named = new Set(gate.closed_by.map(({ consumer }) => consumer))
  const inTheWay = consumers.filter(({ consumer }) => named.has(consumer))
  if (inTheWay.some(({ required }) => required)) return `A required consumer has to prove it; one that is gone for good leaves by a new manifest: chancery credentials put ${credential} --manifest FILE --ticket TICKET.`
  return inTheWay.length > 0 ? 'Who is not required may be waived, with a ticket.' : undefined
}

/** True if a stage came to nothing, or somebody should look. */
export const needsSomebody = ({ state, alarm }: JobView): boolean =>
  alarm !== null || ['verify_failed', 'mint_failed', 'mint_outcome_unknown', 'distribute_partial', 'validation_failed', 'revoke_unconfirmed'].includes(state)

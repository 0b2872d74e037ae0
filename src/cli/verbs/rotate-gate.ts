// What is asked at a gate of a rotation: which step, why, and what that step needs besides. Nothing is sent from here.
import { confirm, isCancel, password, select, text } from '@clack/prompts'
import { behind, stepsOn, waivable, wayOn } from '../next-steps.ts'
import type { JobView, Step } from '../rotation-api.ts'
import type { Surroundings } from '../terminal.ts'
import type { CredentialPage } from './credentials-page.ts'
import type { StepBody } from './rotations-job.ts'
import { isNot, typeIt } from './rotations.ts'

/** What was said before and is offered again. */
export interface Gathered { reason: string | undefined, ticket: string | undefined }

export type Answer = { step: Step, body: StepBody } | 'all' | 'leave' | 'moved'

interface Gate {
  page: CredentialPage
  gathered: Gathered
  /** Aborted when the job moves on under the question. */
  moved: AbortSignal
  /** The question before was taken back: a key that was meant for it does nothing here. */
  again: boolean
  /** Not all of it was shown. */
  more: boolean
}

/** Ends the asking: Ctrl-C or Escape, or the job moved on. */
class Ended extends Error {}

export const atGate = async (surroundings: Surroundings, job: JobView, gate: Gate): Promise<Answer> => {
  try {
    return await ask(prompts(surroundings, gate.moved), job, gate)
  } catch (error) {
    if (!(error instanceof Ended)) throw error
    return gate.moved.aborted ? 'moved' : 'leave'
  }
}

type Prompts = ReturnType<typeof prompts>

const prompts = ({ stdin, stderr }: Surroundings, signal: AbortSignal) => {
  const common = { input: stdin, output: stderr, signal }
  const answered = async <T>(asked: Promise<T>): Promise<Exclude<T, symbol>> => {
    const answer = await asked
    if (isCancel(answer)) throw new Ended()
    return answer as Exclude<T, symbol>
  }
  const needed = (answer: string | undefined) => (answer ?? '').trim() === '' ? 'This is needed.' : undefined
  return {
    choice: <T extends string>(message: string, options: Array<{ value: T, label: string, hint?: string }>, first?: T): Promise<T> =>
      answered(select<string>({ ...common, message, options, showInstructions: false, ...first !== undefined && { initialValue: first } })) as Promise<T>,
    sentence: (message: string, before?: string) => answered(text({ ...common, message, ...before !== undefined && { initialValue: before }, validate: needed })),
    exactly: (message: string, wanted: string) => answered(text({ ...common, message, validate: (answer) => answer === wanted ? undefined : isNot(wanted) })),
    perhaps: async (message: string) => (await answered(text({ ...common, message, defaultValue: '' }))).trim(),
    hidden: (message: string) => answered(password({ ...common, message, validate: needed })),
    sure: (message: string) => answered(confirm({ ...common, message, initialValue: false }))
  }
}

const ask = async (asked: Prompts, job: JobView, gate: Gate): Promise<Answer> => {
  const next = await asked.choice(`What now? ${wayOn(job) ?? ''}`.trim(), options(job, gate), gate.again ? 'leave' : undefined)
  if (next === 'all' || next === 'leave') return next
  if (next === 'abort' && !await asked.sure(`Abort? ${job.abort_means ?? ''}`.trim())) return ask(asked, job, gate)
  const { gathered } = gate
  const special = await specials(asked, next, job, gate)
  const reason = await asked.sentence('Why? (kept sealed in the log)', gathered.reason)
  gathered.reason = reason
  return { step: next, body: { reason, ...special } }
}

const options = (job: JobView, { more }: Gate): Array<{ value: Step | 'all' | 'leave', label: string, hint?: string }> => [
  ...stepsOn(job).map((step) => labelOf(step, job)),
  ...more ? [{ value: 'all' as const, label: 'Show all of it', hint: 'every consumer, and what went wrong to its end' }] : [],
  { value: 'leave', label: 'Leave it as it is', hint: 'go on later with the same command' }
]

const labelOf = (step: Step, job: JobView): { value: Step, label: string, hint?: string } => {
  switch (step) {
    case 'verify': return { value: step, label: job.state === 'opened' ? 'Verify the value in use' : 'Verify again', hint: 'asks the vendor, changes nothing' }
    case 'distribute': return { value: step, label: 'Mint a new value and give it to every consumer', hint: job.mode === 'replace' ? 'the old one is dead' : 'the old one works on' }
    case 'retry': return { value: step, label: 'Give the new value again to consumers that do not use it', hint: `${behind(job).length} of ${job.consumers.length}; nothing is minted` }
    case 'validate': return { value: step, label: 'Have every consumer prove that it uses the new value', hint: 'changes nothing' }
    case 'waive': return { value: step, label: 'Do without the proof of a consumer', hint: 'only one that is not required; needs a ticket' }
    case 'revoke': return { value: step, label: 'Revoke the old value', hint: 'cannot be undone; needs a ticket' }
    case 'abort': return { value: step, label: 'Abort', hint: job.abort_means ?? 'goes back to the old value' }
  }
}

/** What a step needs besides a reason. */
const specials = async (asked: Prompts, step: Step, job: JobView, { page, gathered }: Gate): Promise<Omit<StepBody, 'reason'>> => {
  const ticket = async (): Promise<string> => {
    gathered.ticket = await asked.sentence('Ticket', gathered.ticket)
    return gathered.ticket
  }
  const { vendor } = page.manifest
  if (step === 'distribute' && vendor.kind === 'manual') {
    const value = await asked.hidden(`${vendor.instructions ?? ''} Paste the new value (not shown)`.trim())
    const id = await asked.perhaps('What the vendor calls it, if it has an id (Enter: none)')
    return { value, ...id !== '' && { vendor_token_id: id } }
  }
  if (step === 'waive') {
    const consumer = await asked.choice('Whose proof?', waivable(job)
      .map(({ consumer: name, proof_outcome: outcome, last_error: error }) => ({ value: name, label: name, hint: outcome ?? error ?? 'not asked yet' })))
    return { consumer, ticket: await ticket() }
  }
  if (step === 'revoke') return { confirm: await asked.exactly(typeIt(job.credential), job.credential), ticket: await ticket() }
  return {}
}

// What is asked at a gate of a rotation: which step, why, and what that step needs besides. Nothing is sent from here.
import { confirm, isCancel, password, select, text } from '@clack/prompts'
import type { ConsumerView, JobView, Step } from '../rotation-api.ts'
import type { Surroundings } from '../terminal.ts'
import type { CredentialPage } from './credentials-page.ts'
import { wayOn, type StepBody } from './rotations-job.ts'
import { typeIt } from './rotations.ts'

/** What was said before and is offered again. */
export interface Gathered { reason: string | undefined, ticket: string | undefined }

export type Answer = { step: Step, body: StepBody } | 'all' | 'leave' | 'moved'

interface Gate {
  page: CredentialPage
  gathered: Gathered
  /** Aborted when the job moves on under the question. */
  moved: AbortSignal
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
    choice: <T extends string>(message: string, options: Array<{ value: T, label: string, hint?: string }>): Promise<T> =>
      answered(select<string>({ ...common, message, options, showInstructions: false })) as Promise<T>,
    sentence: (message: string, before?: string) => answered(text({ ...common, message, ...before !== undefined && { initialValue: before }, validate: needed })),
    exactly: (message: string, wanted: string) => answered(text({ ...common, message, validate: (answer) => answer === wanted ? undefined : `That is not it: ${wanted}` })),
    perhaps: async (message: string) => (await answered(text({ ...common, message, defaultValue: '' }))).trim(),
    hidden: (message: string) => answered(password({ ...common, message, validate: needed })),
    sure: (message: string) => answered(confirm({ ...common, message, initialValue: false }))
  }
}

const ask = async (asked: Prompts, job: JobView, gate: Gate): Promise<Answer> => {
  const next = await asked.choice(`What now? ${wayOn(job) ?? ''}`.trim(), options(job))
  if (next === 'all' || next === 'leave') return next
  if (next === 'abort' && !await asked.sure(`Abort? ${job.abort_means ?? ''}`.trim())) return ask(asked, job, gate)
  const { gathered } = gate
  const special = await specials(asked, next, job, gate)
  const reason = await asked.sentence('Why? (kept sealed in the log)', gathered.reason)
  gathered.reason = reason
  return { step: next, body: { reason, ...special } }
}

/** The way forward first, and of two ways the one that leads further. */
const order = (job: JobView): readonly Step[] =>
  ['revoke', 'verify', 'distribute', ...job.state !== 'distributed' && behind(job).length > 0 ? ['retry', 'validate'] as const : ['validate', 'retry'] as const, 'waive', 'abort']

const options = (job: JobView): Array<{ value: Step | 'all' | 'leave', label: string, hint?: string }> => [
  ...order(job).filter((step) => job.steps.includes(step)).map((step) => labelOf(step, job)),
  { value: 'all', label: 'Show all consumers' },
  { value: 'leave', label: 'Leave it as it is', hint: 'go on later with the same command' }
]

const labelOf = (step: Step, job: JobView): { value: Step, label: string, hint?: string } => {
  switch (step) {
    case 'verify': return { value: step, label: job.state === 'opened' ? 'Verify the value in use' : 'Verify again', hint: 'asks the vendor, changes nothing' }
    case 'distribute': return { value: step, label: 'Mint a new value and give it to every consumer', hint: 'the old one works on' }
    case 'retry': return { value: step, label: 'Give the new value again to consumers that do not use it', hint: `${behind(job).length} of ${job.consumers.length}; nothing is minted` }
    case 'validate': return { value: step, label: 'Have every consumer prove that it uses the new value', hint: 'changes nothing' }
    case 'waive': return { value: step, label: 'Do without the proof of a consumer', hint: 'only one that is not required; needs a ticket' }
    case 'revoke': return { value: step, label: 'Revoke the old value', hint: 'cannot be undone; needs a ticket' }
    case 'abort': return { value: step, label: 'Abort', hint: job.abort_means ?? 'goes back to the old value' }
  }
}

/** Who has not taken the new value, or answered without it; those that were waived are not missed. */
const behind = ({ consumers }: JobView): ConsumerView[] => consumers.filter(({ distribute_status: status, proof_outcome: outcome, waived }) =>
  waived === null && (status !== 'succeeded' || (outcome !== null && outcome !== 'proved')))

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
    const consumer = await asked.choice('Whose proof?', job.consumers.filter(({ required, proof_outcome: outcome, waived }) => !required && outcome !== 'proved' && waived === null)
      .map(({ consumer: name, proof_outcome: outcome, last_error: error }) => ({ value: name, label: name, hint: outcome ?? error ?? 'not asked yet' })))
    return { consumer, ticket: await ticket() }
  }
  if (step === 'revoke') return { confirm: await asked.exactly(typeIt(job.credential), job.credential), ticket: await ticket() }
  return {}
}

// `chancery rotations …`: each step of a rotation as a command of its own, for scripts and for those who want one at a time.
import { Option, type Command } from 'commander'
import { answerTo, reasonFor, somebodyThere } from '../ask.ts'
import { Failure } from '../failures.ts'
import { nextCommands, wayOn } from '../next-steps.ts'
import { isWorking, rotationPath, type JobAnswer, type JobView, type Step } from '../rotation-api.ts'
import { jsonOption, keyOption, reasonOption, ticketOption, type Bind, type Family, type Json, type Tools } from '../verb.ts'
import { readValue, valueFileOption } from './credential-value.ts'
import { findJob, followUntilWaiting, readCredential, readJob, takeStep, ticketNote, type StepBody } from './rotations-job.ts'
import { lookVerbs } from './rotations-look.ts'

interface OpenOptions extends Json { mode: string, reason?: string, ticket?: string, confirm?: string, key?: string }
interface StepOptions extends Json {
  rotation?: string
  reason?: string
  ticket?: string
  transition?: string
  wait: boolean
  key?: string
  confirm?: string
  consumer?: string
  valueFile?: string
  vendorTokenId?: string
  expiresAt?: string
}

export const rotationVerbs: Family = (program, bind) => {
  const rotations = program.command('rotations')
    .description('Rotations of a credential, a step at a time: open, verify, distribute, retry, validate, waive, revoke, abort; list, show, watch, transcript. All of it in one, with questions: chancery rotate.')
    .addHelpText('after', `
The order, with what each changes:
  open         nothing yet
  verify       nothing: asks the vendor whether the value in use works, and whether a new one may be minted
  distribute   the vendor mints a new value, and every consumer is given it; the old one works on
  validate     nothing: every consumer proves that it uses the new value
  revoke       the old value stops working, for good
  abort        any time before revoke: the old value holds, and what was minted is revoked`)
  openVerb(rotations, bind)
  stepVerb(rotations, bind, 'verify', 'Stage 1: asks the vendor whether the value in use works, what it is, and whether a new one may be minted. Changes nothing.')
  stepVerb(rotations, bind, 'distribute', 'Stage 2: has the vendor mint a new value, and gives it to every consumer at once. The old one works on.', (command) => command
    .addOption(valueFileOption('; for a vendor of the kind manual')).option('--vendor-token-id <id>', 'what the vendor calls the new value; for a vendor of the kind manual').option('--expires-at <time>', 'of the new value; for a vendor of the kind manual'))
  stepVerb(rotations, bind, 'retry', 'Gives the same new value again to the consumers that did not take it. Mints nothing.')
  stepVerb(rotations, bind, 'validate', 'Stage 3: has every consumer prove that it uses the new value. Changes nothing.')
  stepVerb(rotations, bind, 'waive', 'Does without the proof of one consumer that is not required. Needs a ticket.', (command) => command.requiredOption('--consumer <name>', 'which one'))
  stepVerb(rotations, bind, 'revoke', 'Revokes the old value, once all have proved the new one. Cannot be undone. Needs the credential\'s name typed, and a ticket.', (command) => command
    .option('--confirm <name>', 'the name of the credential, typed again'))
  stepVerb(rotations, bind, 'abort', 'Goes back: everyone who may have taken the new value is given the old one, then the new one is revoked. Not after revoke.')
  lookVerbs(rotations, bind)
}

const openVerb = (rotations: Command, bind: Bind): void => {
  const open = rotations.command('open').argument('<credential>')
    .description('Opens a rotation. Nothing is asked of the vendor yet.')
    .addOption(new Option('--mode <mode>', 'replace: the value in use is dead already; needs a ticket and the name typed').choices(['rotate', 'replace']).default('rotate'))
    .option('--confirm <name>', 'the name of the credential, typed again; for replace')
    .addOption(reasonOption()).addOption(ticketOption()).addOption(keyOption()).addOption(jsonOption())
  bind(open, async (tools, credential: string, options: OpenOptions) => {
    const job = await openJob(tools, credential, options)
    if (options.json === true) tools.terminal.json(job)
    else {
      tools.terminal.line(`opened: rotation ${job.rotation_id} of ${credential}`)
      sayNext(tools, job)
    }
    return 'done'
  })
}

export const openJob = async ({ client, surroundings }: Tools, credential: string, options: Omit<OpenOptions, 'json'>): Promise<JobAnswer> => {
  const replace = options.mode === 'replace'
  // Who mistypes the name is told so before being asked for more.
  if (options.reason === undefined) await readCredential(client, credential)
  const reason = await reasonFor(options.reason, `rotating ${credential}`, surroundings)
  const needs = `Replacing a dead value needs --confirm ${credential} and --ticket TICKET.`
  const confirm = options.confirm ?? (replace ? await answerTo(typeIt(credential), needs, surroundings, (answer) => answer === credential ? undefined : isNot(credential)) : undefined)
  const ticket = options.ticket ?? (replace ? await answerTo('Ticket', needs, surroundings) : undefined)
  const { body } = await client.request<{ rotation_id: string }>('POST', rotationPath(credential), {
    key: options.key,
    body: { mode: options.mode, reason, ...ticket !== undefined && { ticket }, ...confirm !== undefined && { confirm } }
  })
  return readJob(client, credential, body.rotation_id)
}

export const typeIt = (credential: string): string => `Type the credential's name to confirm (${credential})`
/** What was typed is another name, or only looks like it. */
export const isNot = (credential: string): string => `That is another word. Type it letter by letter: ${credential}`

const stepVerb = (rotations: Command, bind: Bind, step: Step, description: string, more: (command: Command) => Command = (command) => command): void => {
  const verb = more(rotations.command(step).argument('<credential>').description(description))
    .option('--rotation <id>', 'default: the open one')
    .option('--transition <number>', 'refuse if the rotation has moved on since it was shown with this number')
    .option('--no-wait', 'answer at once, not only when the step is through')
    .addOption(reasonOption()).addOption(ticketOption()).addOption(keyOption()).addOption(jsonOption())
  bind(verb, async (tools, credential: string, options: StepOptions) => {
    const found = await findJob(tools.client, credential, options.rotation)
    const seen = options.transition === undefined ? found : { ...found, transition: numberOf(options.transition) }
    const body = await stepBody(tools, step, seen, options)
    const sent = await takeStep(tools.client, seen, step, body, { key: options.key, signal: tools.surroundings.signal, onTrouble: (message) => { tools.terminal.note(message) } })
    for (const note of ticketNote(sent, body)) tools.terminal.note(note)
    const job = options.wait ? await followUntilWaiting(tools, sent, { show: options.json !== true }) : sent
    if (options.json === true) tools.terminal.json(job)
    else if (!options.wait) tools.terminal.line(`${step}: ${credential} is ${job.state}`)
    if (options.json !== true) sayNext(tools, job)
    return isWorking(job) || good[step].has(job.state) ? 'done' : 'findings'
  })
}

/** The states that a step is taken for; another one needs somebody. */
const good: Readonly<Record<Step, ReadonlySet<string>>> = {
  verify: new Set(['verified']),
  distribute: new Set(['distributed']),
  retry: new Set(['distributed']),
  validate: new Set(['validated']),
  waive: new Set(['distributed', 'validation_failed', 'validated']),
  revoke: new Set(['done']),
  abort: new Set(['aborted'])
}

const stepBody = async (tools: Tools, step: Step, { credential }: JobView, options: StepOptions): Promise<StepBody> => {
  const { surroundings } = tools
  const needs = step === 'revoke' ? `Revoking needs --confirm ${credential} and --ticket TICKET.` : 'Waiving needs --ticket TICKET.'
  const confirm = step !== 'revoke' ? undefined : options.confirm ?? await answerTo(typeIt(credential), needs, surroundings, (answer) => answer === credential ? undefined : isNot(credential))
  const ticket = options.ticket ?? (step === 'revoke' || step === 'waive' ? await answerTo('Ticket', needs, surroundings) : undefined)
  const value = step === 'distribute' ? await pastedValue(tools, credential, options.valueFile) : undefined
  return {
    reason: await reasonFor(options.reason, `${step} of ${credential}`, surroundings),
    ...ticket !== undefined && { ticket },
    ...confirm !== undefined && { confirm },
    ...options.consumer !== undefined && { consumer: options.consumer },
    ...value !== undefined && { value },
    ...options.vendorTokenId !== undefined && { vendor_token_id: options.vendorTokenId },
    ...options.expiresAt !== undefined && { expires_at: options.expiresAt }
  }
}

/** The new value, where a person mints it. */
const pastedValue = async (tools: Tools, credential: string, file: string | undefined): Promise<string | undefined> => {
  if (file !== undefined) return readValue(file, '', tools)
  const { vendor } = (await readCredential(tools.client, credential)).manifest
  if (vendor.kind !== 'manual') return undefined
  const instructions = vendor.instructions ?? 'Make the new value at the vendor by hand.'
  return readValue(undefined, `${instructions} Paste the new value (not shown)`, tools, `${instructions} Then hand it over: --value-file <file>, or --value-file - and a pipe; and --vendor-token-id ID if the vendor has one for it.`)
}

const numberOf = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new Failure('usage', '--transition is the number that show prints.')
  return Number(text)
}

const sayNext = ({ terminal, surroundings }: Tools, job: JobView): void => {
  const commands = nextCommands(job, { asks: somebodyThere(surroundings) })
  const way = wayOn(job)
  if (way !== undefined) terminal.note(way)
  if (commands.length > 0) terminal.note(`next: ${commands.join('\n  or: ')}`)
}

// Use cases on a rotation: opening it, and the steps that an operator takes. Reason and ticket travel in the context.
import { credentialAggregate } from '../../domain/credential/credential.ts'
import type { Credential } from '../../domain/credential/state.ts'
import type { Mode, Trigger } from '../../domain/rotation/job.ts'
import { open } from '../../domain/rotation/open.ts'
import type { Pasted } from '../../domain/rotation/state.ts'
import { takeStepOn, type Step, type StepCommand } from '../../domain/rotation/steps.ts'
import type { Loaded } from '../aggregate.ts'
import type { CommandContext } from '../context.ts'
import { notReused } from '../execute.ts'
import { checkedTicket, type CredentialReceipt, type RotationDeps } from './deps.ts'

/**
 * Opens a job; its id derives from the command's.
 * @throws Refusal `subject_not_found`, `value_missing`, `rotation_open` naming it, for `replace` also `confirmation_mismatch`, `ticket_…`
 */
export const openRotation = async (
  deps: RotationDeps, command: { credential: string, mode: Mode, trigger: Trigger, confirm?: string }, context: CommandContext
): Promise<CredentialReceipt & { rotationId: string }> => {
  const { aggregates, ids } = deps
  const { credential: name, mode, trigger, confirm } = command
  const rotationId = ids.derive('rotation', name, context.commandId)
  const opening = { rotationId, mode, trigger, confirm, at: context.at }
  const loaded = await aggregates.current(credentialAggregate, name)
  const ticket = mode === 'replace'
    ? await ticketFor(deps, loaded, context, (said) => { open(loaded.state, { ...opening, ticket: said }) })
    : undefined
  const receipt = await aggregates.execute({ aggregate: credentialAggregate, id: name, context, decide: (credential) => open(credential, { ...opening, ticket }) })
  return { ...receipt, rotationId }
}

/**
 * Takes a step; the reactor carries it out.
 * @param command.transition what the caller knows to be the last stage transition (`If-Match`)
 * @throws Refusal `subject_not_found`, `precondition_required` without a transition, `precondition_failed`, `step_not_offered`,
 *   `gate_closed`, `not_abortable`, `old_credential_dead`, `confirmation_mismatch`, `ticket_…`, `invalid_request`
 */
export const takeStep = async (
  deps: RotationDeps, command: { credential: string, rotationId: string, transition: number | undefined, step: Step }, context: CommandContext
): Promise<CredentialReceipt> => {
  const { aggregates, rules } = deps
  const { credential: name, rotationId, transition, step } = command
  const loaded = await aggregates.current(credentialAggregate, name)
  const { decided, store } = withPasted(deps, name, step, context)
  const asked = (ticket: StepCommand['ticket']): StepCommand => ({ rotationId, transition, step: decided, ticket, at: context.at })
  const tryOn = (ticket: StepCommand['ticket']): void => { takeStepOn(loaded.state, asked(ticket), rules) }
  const ticket = step.kind === 'revoke' || step.kind === 'waive' ? await ticketFor(deps, loaded, context, tryOn) : undefined
  if (store !== undefined && !isRepeated(loaded, context)) {
    tryOn(ticket)
    // In the vault before the fact that names it (decision 31).
    await store()
  }
  return aggregates.execute({ aggregate: credentialAggregate, id: name, context, decide: (credential) => takeStepOn(credential, asked(ticket), rules) })
}

/** A repeated command is answered from what is recorded: neither ticket system nor vault is asked again. */
const isRepeated = (loaded: Loaded<Credential>, context: CommandContext): boolean => {
  notReused(loaded, context)
  return loaded.commands.has(context.commandId)
}

/** Looked up only if nothing else stands against the command. */
const ticketFor = async (
  deps: RotationDeps, loaded: Loaded<Credential>, context: CommandContext, tryOn: (said: 'format') => void
): Promise<StepCommand['ticket']> => {
  if (isRepeated(loaded, context)) return undefined
  if (context.ticket !== undefined) tryOn('format')
  return checkedTicket(deps, context)
}

/** The step as a decision may know it: of a pasted value only id and fingerprint. */
const withPasted = (
  { ids, values }: RotationDeps, name: string, step: Step, context: CommandContext
): { decided: StepCommand['step'], store?: () => Promise<void> } => {
  if (step.kind !== 'distribute') return { decided: step }
  if (step.pasted === undefined) return { decided: { kind: 'distribute' } }
  const { value: secret, ...rest } = step.pasted
  const valueId = ids.derive('pasted', name, context.commandId)
  const pasted: Pasted = { ...rest, valueId, fingerprint: values.fingerprint(secret) }
  return { decided: { kind: 'distribute', pasted }, store: () => values.put({ valueId, credential: name, secret }) }
}

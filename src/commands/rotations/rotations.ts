// Use cases on a rotation: opening it, and the steps that an operator takes. Reason and ticket travel in the context.
import { refuse } from '../../domain/codes.ts'
import type { Mode, Trigger } from '../../domain/rotation/job.ts'
import type { Step } from '../../domain/rotation/steps.ts'
import type { CommandContext } from '../context.ts'
import type { CredentialReceipt, RotationDeps } from './deps.ts'

/**
 * Opens a job; its id derives from the command's.
 * @throws Refusal `subject_not_found`, `value_missing`, `rotation_open` naming it, for `replace` also `confirmation_mismatch`, `ticket_…`
 */
export const openRotation = async (
  deps: RotationDeps, command: { credential: string, mode: Mode, trigger: Trigger, confirm?: string }, context: CommandContext
): Promise<CredentialReceipt & { rotationId: string }> => refuse('internal_error', 'not built yet')

/**
 * Takes a step; the reactor carries it out.
 * @param command.transition what the caller knows to be the last stage transition (`If-Match`)
 * @throws Refusal `subject_not_found`, `precondition_required` without a transition, `precondition_failed`, `step_not_offered`,
 *   `gate_closed`, `not_abortable`, `old_credential_dead`, `confirmation_mismatch`, `ticket_…`, `invalid_request`
 */
export const takeStep = async (
  deps: RotationDeps, command: { credential: string, rotationId: string, transition: number | undefined, step: Step }, context: CommandContext
): Promise<CredentialReceipt> => refuse('internal_error', 'not built yet')

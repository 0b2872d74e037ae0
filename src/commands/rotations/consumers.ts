// What a consumer does itself: it fetches the value that it is to use, and reports that it uses it.
import { refuse } from '../../domain/codes.ts'
import type { CommandContext } from '../context.ts'
import type { CredentialReceipt, FetchDeps, RotationDeps } from './deps.ts'

/**
 * Gives a consumer the value that it is to use now, sealed to its key; each fetch is a fact.
 * @throws Refusal `subject_not_found` for who stands not in the manifest, `value_missing`, `consumer_key_missing`
 */
export const fetchValue = async (
  deps: FetchDeps, command: { consumer: string, credential: string }, context: CommandContext
): Promise<CredentialReceipt & { jwe: string, deliverySeq: number }> => refuse('internal_error', 'not built yet')

/**
 * Records that a consumer uses what it was given. Again, or outside a rotation, there is nothing to record.
 * @throws Refusal `subject_not_found`, `delivery_superseded` for an older delivery, `conflict` for one that there never was
 */
export const acknowledge = async (
  deps: RotationDeps, command: { consumer: string, credential: string, deliverySeq: number }, context: CommandContext
): Promise<CredentialReceipt> => refuse('internal_error', 'not built yet')

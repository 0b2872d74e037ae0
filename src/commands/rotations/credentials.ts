// Use cases on a credential itself: its manifest, and the value that is in use.
import type { Manifest } from '../../domain/credential/manifest.ts'
import type { Secret } from '../../domain/credential/secret.ts'
import { refuse } from '../../domain/codes.ts'
import type { Instant } from '../../domain/event.ts'
import type { CommandContext } from '../context.ts'
import type { CredentialReceipt, RotationDeps } from './deps.ts'

/**
 * Puts a version of the manifest, which holds at once, also for an open rotation. The ticket is the context's.
 * @throws Refusal `manifest_invalid` with `errors`, `ticket_invalid`, `ticket_not_open`, `rotation_open` (another vendor while a new token exists)
 */
export const putManifest = async (
  deps: RotationDeps, command: { credential: string, manifest: Manifest, ifMatch?: bigint }, context: CommandContext
): Promise<CredentialReceipt> => refuse('internal_error', 'not built yet')

/**
 * Hands the value in use to the vault.
 * @throws Refusal `subject_not_found` without a manifest, `rotation_open`
 */
export const adoptValue = async (
  deps: RotationDeps, command: { credential: string, value: Secret, vendorTokenId?: string, expiresAt?: Instant }, context: CommandContext
): Promise<CredentialReceipt> => refuse('internal_error', 'not built yet')

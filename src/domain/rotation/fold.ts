// Folds the facts of a rotation into its job. Never throws.
import type { EventOf, RecordedOf } from '../catalogue.ts'
import type { KnownCredential } from '../credential/state.ts'
import type { Job } from './state.ts'

export type RotationFact = Extract<RecordedOf<'credential'>, { type: `rotation.${string}` }>
export type CredentialFact = EventOf<'credential'>

export const isRotationFact = (event: RecordedOf<'credential'>): event is RotationFact => event.type.startsWith('rotation.')

export const foldRotation = (credential: KnownCredential, event: RotationFact): KnownCredential => credential

/** What a version of the manifest means for an open job. */
export const withManifest = (job: Job, credential: KnownCredential): Job => job

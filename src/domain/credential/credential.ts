// A credential: manifest, value and rotations, folded from the one stream they stand in (ADR 0150).
import type { RecordedOf } from '../catalogue.ts'
import type { Instant } from '../event.ts'
import type { Job } from '../rotation/state.ts'
import type { Credential } from './state.ts'

export type { Credential, CurrentValue, KnownCredential } from './state.ts'

const absent: Credential = { status: 'absent' }

const evolve = (credential: Credential, event: RecordedOf<'credential'>): Credential => credential

export const credentialAggregate = { category: 'credential', initial: absent, evolve } as const

/** The job that is under way, if there is one. */
export const openJob = (credential: Credential): Job | undefined =>
  credential.status === 'known' && credential.job !== undefined && credential.job.endedAt === undefined ? credential.job : undefined

/** The value to work with now: the new one as soon as the old one is being revoked. For connections and fetches outside a delivery. */
export const valueInUse = (credential: Credential): string | undefined => undefined

/** When the value expires by what vendor and manifest say, and from when on a rotation is due. Undefined: never, or no value. */
export const expiryOf = (credential: Credential): { expiresAt: Instant, dueAt: Instant } | undefined => undefined

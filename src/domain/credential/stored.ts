// A credential's state as plain JSON, for a read model that folds on from where it stopped; what no later fact needs is left out.
import type { ConsumerState, Job } from '../rotation/state.ts'
import type { Credential, CurrentValue, KnownCredential } from './state.ts'
import type { Manifest } from './manifest.ts'

/** Of the same state always the same text, whichever facts were folded in one go: keys are in order, absent is absent. */
export interface StoredCredential {
  name: string
  version: number
  manifest: unknown
  value: unknown
  /** The open rotation. */
  job: unknown
  lastCompletedAt: string | undefined
}

export const stored = ({ name, version, manifest, value, job, lastCompletedAt }: KnownCredential): StoredCredential => ({
  name,
  version,
  manifest: plain(manifest),
  value: value === undefined ? null : plain(value),
  job: job === undefined || job.endedAt !== undefined ? null : plain({ ...job, consumers: [...job.consumers] }),
  lastCompletedAt
})

/** Takes what `stored` gave, through JSON or not. Ended rotations, who holds what, and to whom it was lent, are not in it. */
export const restored = ({ name, version, manifest, value, job, lastCompletedAt }: StoredCredential): Credential => ({
  status: 'known',
  name,
  version,
  manifest: manifest as Manifest,
  value: (value ?? undefined) as CurrentValue | undefined,
  job: job === null ? undefined : { ...job as Job, consumers: new Map((job as { consumers: Array<[string, ConsumerState]> }).consumers) },
  past: new Map(),
  lastCompletedAt,
  deliverySeq: 0,
  held: new Map(),
  lent: new Map(),
  superseded: new Map()
})

const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([key, inner]) => [key, plain(inner)]))
}

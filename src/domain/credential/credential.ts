// A credential: manifest, value and rotations, folded from the one stream they stand in (ADR 0150).
import type { RecordedOf } from '../catalogue.ts'
import type { Instant } from '../event.ts'
import { foldRotation, isRotationFact } from '../rotation/fold.ts'
import { fetched, move, withManifest } from '../rotation/fold-consumers.ts'
import type { Job } from '../rotation/state.ts'
import type { Credential, KnownCredential } from './state.ts'
import { otherVendor } from './vendor-address.ts'

export type { Credential, CurrentValue, KnownCredential } from './state.ts'

const DAY_MS = 86_400_000
const absent: Credential = { status: 'absent' }

const evolve = (credential: Credential, event: RecordedOf<'credential'>): Credential => {
  if (event.type === 'credential.manifest_put') return manifestPut(credential, event)
  if (credential.status === 'absent') return credential
  if (isRotationFact(event)) return foldRotation(credential, event)
  switch (event.type) {
    case 'credential.value_adopted': {
      const { valueId, fingerprint, vendorTokenId, expiresAt, adoptedAt } = event.data
      return { ...credential, value: { valueId, fingerprint, vendorTokenId, expiresAt, since: adoptedAt } }
    }
    case 'credential.value_fetched': {
      const { consumer, valueId, deliverySeq, fetchedAt } = event.data
      return {
        ...credential,
        deliverySeq: Math.max(credential.deliverySeq, deliverySeq),
        held: new Map(credential.held).set(consumer, { valueId, seq: deliverySeq }),
        job: credential.job && fetched(credential.job, consumer, valueId, fetchedAt)
      }
    }
    case 'credential.value_lent': {
      const { to, valueId, rotationId, transition } = event.data
      return { ...credential, lent: new Map(credential.lent).set(to, { valueId, rotationId, transition }) }
    }
    case 'credential.value_superseded': {
      const { valueId, destroyAfter } = event.data
      const value = credential.value?.valueId === valueId ? undefined : credential.value
      return { ...credential, value, superseded: new Map(credential.superseded).set(valueId, { destroyAfter }) }
    }
    case 'credential.value_destroyed': {
      const superseded = new Map(credential.superseded)
      superseded.delete(event.data.valueId)
      return { ...credential, superseded }
    }
  }
}

const manifestPut = (credential: Credential, { data, metadata }: Extract<RecordedOf<'credential'>, { type: 'credential.manifest_put' }>): KnownCredential => {
  const known: KnownCredential = credential.status === 'known'
    ? { ...credential, version: data.version, manifest: data.manifest }
    : {
        status: 'known', name: data.credential, version: data.version, manifest: data.manifest,
        value: undefined, job: undefined, past: new Map(), lastCompletedAt: undefined, deliverySeq: 0, held: new Map(), lent: new Map(), superseded: new Map()
      }
  const open = openJob(known)
  if (open === undefined || credential.status === 'absent') return known
  // What was asked in vain may be mended by it, and is asked at once.
  const job = withManifest({ ...open, vain: undefined, ticketCheck: data.ticketCheck ?? open.ticketCheck }, data.manifest.consumers, known.held, metadata.occurredAt)
  // What stage 1 found out, it found out at the vendor as it was.
  const stale = open.minting === undefined && otherVendor(credential.manifest, data.manifest)
  return { ...known, job: stale ? move(job, 'opened', metadata.occurredAt) : job }
}

export const credentialAggregate = { category: 'credential', initial: absent, evolve } as const

/** The job that is under way, if there is one. */
export const openJob = (credential: Credential): Job | undefined =>
  credential.status === 'known' && credential.job !== undefined && credential.job.endedAt === undefined ? credential.job : undefined

/** The value to work with now: the new one as soon as the old one is being revoked. For connections and fetches outside a delivery. */
export const valueInUse = (credential: Credential): string | undefined => {
  if (credential.status === 'absent') return undefined
  const job = openJob(credential)
  return job?.newValue !== undefined && job.revoking !== undefined ? job.newValue.valueId : credential.value?.valueId
}

/** When the value expires by what vendor and manifest say, and from when on a rotation is due. Undefined: never, or no value. */
export const expiryOf = (credential: Credential): { expiresAt: Instant, dueAt: Instant } | undefined => {
  if (credential.status === 'absent' || credential.value === undefined) return undefined
  const { value, manifest } = credential
  const ends = [
    ...value.expiresAt === undefined ? [] : [Date.parse(value.expiresAt)],
    ...manifest.lifetimeDays === undefined ? [] : [Date.parse(value.since) + manifest.lifetimeDays * DAY_MS]
  ]
  if (ends.length === 0) return undefined
  const end = Math.min(...ends)
  return { expiresAt: new Date(end).toISOString(), dueAt: new Date(end - manifest.leadDays * DAY_MS).toISOString() }
}

// Opening a rotation, and what changes a credential beside it: manifest and value.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import { openJob } from '../credential/credential.ts'
import { manifestInvalid, type ManifestError } from '../credential/manifest-check.ts'
import type { Manifest } from '../credential/manifest.ts'
import { superseded } from '../credential/superseded.ts'
import { leadsElsewhere, needsTokenId, otherVendor } from '../credential/vendor-address.ts'
import type { Credential, KnownCredential } from '../credential/state.ts'
import type { Instant } from '../event.ts'
import type { Mode, Trigger } from './job.ts'
import { confirmed } from './confirmed.ts'

type Facts = Array<EventOf<'credential'>>

/** Refuses with `subject_not_found` what has no manifest. */
const known = (credential: Credential): KnownCredential => credential.status === 'known'
  ? credential
  : refuse('subject_not_found', 'There is no such credential. Put its manifest first.')

const notOpen = (credential: KnownCredential): void => {
  const job = openJob(credential)
  if (job === undefined) return
  refuse('rotation_open', 'A rotation of this credential is open. Bring it to its end, or abort it.', { rotation_id: job.rotationId, state: job.state })
}

/** True if the vendor could not be told which token to revoke: no rotation of it can be opened (ADR 0194). */
export const lacksTokenId = ({ value, manifest }: Pick<KnownCredential, 'value' | 'manifest'>): boolean =>
  value !== undefined && value.vendorTokenId === undefined && needsTokenId(manifest.vendor)

/** What is wrong with a manifest as the next version of this credential's: the value in use could not be revoked by it any more. */
export const checkNext = (credential: Credential, { vendor }: Pick<Manifest, 'vendor'>): ManifestError[] => {
  if (credential.status === 'absent' || leadsElsewhere(credential.manifest.vendor, vendor)) return []
  if (lacksTokenId(credential) || !lacksTokenId({ value: credential.value, manifest: { ...credential.manifest, vendor } })) return []
  return [{ path: '/vendor/revoke', message: '{{token_id}} stands in it, and the id of the value in use is not known. Adopt the value again, with vendor_token_id, the id that the vendor gave it; then put this manifest.' }]
}

export interface Opening { rotationId: string, mode: Mode, trigger: Trigger, confirm: string | undefined, ticket: 'open' | 'format' | undefined, at: Date }

/** Refuses with `subject_not_found`, `rotation_open`, `value_missing`, and for `replace` with `confirmation_mismatch` and `ticket_invalid`. */
export const open = (state: Credential, { rotationId, mode, trigger, confirm, ticket, at }: Opening): Facts => {
  const credential = known(state)
  notOpen(credential)
  const { name, version, value } = credential
  if (value === undefined) return refuse('value_missing', 'Chancery does not have the value that is in use. Adopt it first: POST /api/v1/credentials/{name}/value.')
  if (lacksTokenId(credential)) {
    refuse('conflict', 'The vendor has to be told which token to revoke, and the id of the one in use is not known. Adopt the value again, with vendor_token_id.')
  }
  if (mode === 'replace') {
    confirmed(name, confirm)
    if (ticket === undefined) refuse('ticket_invalid', 'To replace a dead credential needs a ticket.')
  }
  return [{ type: 'rotation.opened', data: { credential: name, rotationId, mode, trigger, manifestVersion: version, oldValueId: value.valueId, ...ticket !== undefined && { ticketCheck: ticket }, openedAt: at.toISOString() } }]
}

/** Required consumers that a new version of the manifest lets go or makes optional while a job is open: that needs a ticket (decision 33). */
export const letGo = (credential: Credential, manifest: Manifest): string[] => {
  if (credential.status === 'absent' || openJob(credential) === undefined) return []
  const required = new Set(manifest.consumers.filter((subscriber) => subscriber.required).map(({ consumer }) => consumer))
  return credential.manifest.consumers.filter((subscriber) => subscriber.required && !required.has(subscriber.consumer)).map(({ consumer }) => consumer)
}

/**
 * Refuses with `ticket_invalid`, with `manifest_invalid` what `checkNext` finds, and with `rotation_open` another vendor while a token of the present one may be in the making. Other
 * addresses of the vendor void the value: it was handed over for the ones before (the issue: a changed URL voids what was stored for it).
 */
export const putManifestOn = (
  credential: Credential, { name, manifest, ticket, at, graceMs }: { name: string, manifest: Manifest, ticket: 'open' | 'format' | undefined, at: Date, graceMs: number }
): Facts => {
  const errors = checkNext(credential, manifest)
  if (errors.length > 0) throw manifestInvalid(errors)
  const gone = letGo(credential, manifest)
  if (gone.length > 0 && ticket === undefined) {
    refuse('ticket_invalid', `While a rotation is open, a required consumer leaves or becomes optional only with a ticket: ${gone.join(', ')}.`, { consumers: gone })
  }
  const job = openJob(credential)
  const elsewhere = credential.status === 'known' && leadsElsewhere(credential.manifest.vendor, manifest.vendor)
  if (credential.status === 'known' && job !== undefined && (elsewhere || (job.minting !== undefined && otherVendor(credential.manifest, manifest)))) {
    refuse('rotation_open', 'While a rotation is open the vendor stays where it is, and once a new token was asked for, its settings and the connection stay as they are. Bring the rotation to its end, or abort it.', { rotation_id: job.rotationId, state: job.state })
  }
  const version = credential.status === 'known' ? credential.version + 1 : 1
  const value = credential.status === 'known' && elsewhere ? credential.value : undefined
  return [
    { type: 'credential.manifest_put', data: { credential: name, version, manifest, ...gone.length > 0 && ticket !== undefined && { ticketCheck: ticket }, putAt: at.toISOString() } },
    ...value === undefined ? [] : [superseded(name, value.valueId, at, graceMs)]
  ]
}

export interface Adoption { valueId: string, fingerprint: string, vendorTokenId?: string, expiresAt?: Instant }

/** Refuses with `subject_not_found`, `rotation_open`, and with `invalid_request` a token that could never be revoked. A value that is in use already changes nothing. */
export const adopt = (state: Credential, adoption: Adoption, at: Date, graceMs: number): Facts => {
  const credential = known(state)
  notOpen(credential)
  const { name, value } = credential
  if (adoption.vendorTokenId === undefined && needsTokenId(credential.manifest.vendor)) {
    refuse('invalid_request', 'The vendor has to be told which token to revoke: send vendor_token_id along, the id that the vendor gave this one.')
  }
  if (value?.fingerprint === adoption.fingerprint && value.vendorTokenId === adoption.vendorTokenId && value.expiresAt === adoption.expiresAt) return []
  const adoptedAt = at.toISOString()
  return [
    { type: 'credential.value_adopted', data: { credential: name, ...adoption, adoptedAt } },
    ...value === undefined ? [] : [superseded(name, value.valueId, at, graceMs)]
  ]
}

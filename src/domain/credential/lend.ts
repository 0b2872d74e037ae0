// Lends a credential's value as another one's connection: to its own vendor only, and by a fact that comes first (ADR 0181).
import type { EventOf } from '../catalogue.ts'
import { openJob, valueInUse } from './credential.ts'
import type { Credential } from './state.ts'
import { leadsTo } from './vendor-address.ts'

export interface Loan {
  /** The credential whose connection it is. */
  to: string
  /** Where the value will be sent. */
  address: string
  /** The other credential's open rotation and the number of its last transition; absent while a manifest is being put. */
  rotation?: { rotationId: string, transition: number }
}

/**
 * The new value as soon as all have proved it: a request of ours by the old one would be a use of it that closes the gate. Back to the old one
 * with whatever leads away from revoking (ADR 0196).
 */
const valueToLend = (credential: Credential): string | undefined => {
  const job = openJob(credential)
  return job?.state === 'validated' || job?.state === 'confirming' ? job.newValue?.valueId : valueInUse(credential)
}

/** The value that may be opened for an address; undefined if there is none. */
export const lendable = (credential: Credential, address: string): { valueId: string } | 'elsewhere' | undefined => {
  const valueId = valueToLend(credential)
  if (credential.status === 'absent' || valueId === undefined) return undefined
  return leadsTo(credential.manifest.vendor, address) ? { valueId } : 'elsewhere'
}

/** One fact for each stage of the other's rotation, one for each check; nothing where nothing may be opened. */
export const lend = (credential: Credential, { to, address, rotation }: Loan, at: Date): Array<EventOf<'credential'>> => {
  const lent = lendable(credential, address)
  if (credential.status === 'absent' || lent === undefined || lent === 'elsewhere') return []
  const { valueId } = lent
  const last = credential.lent.get(to)
  if (rotation !== undefined && last?.valueId === valueId && last.rotationId === rotation.rotationId && last.transition === rotation.transition) return []
  return [{
    type: 'credential.value_lent',
    data: { credential: credential.name, valueId, to, purpose: rotation === undefined ? 'check' : 'rotation', ...rotation, lentAt: at.toISOString() }
  }]
}

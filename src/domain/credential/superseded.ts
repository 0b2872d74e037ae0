// The fact that a value is out of use: the vault keeps it for its grace time, in case somebody still needs it.
import type { EventOf } from '../catalogue.ts'

/** @param graceMs how long the vault keeps it from `at` on */
export const superseded = (credential: string, valueId: string, at: Date, graceMs: number): EventOf<'credential'> & { type: 'credential.value_superseded' } => ({
  type: 'credential.value_superseded', data: { credential, valueId, destroyAfter: new Date(at.getTime() + graceMs).toISOString(), supersededAt: at.toISOString() }
})

// The vault of credentials' values in memory, with faults by script: the port CredentialValues for tests that cannot wait.
import { createHmac } from 'node:crypto'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { CredentialValues } from '../../src/rotation-ports.ts'

/** What happens to the next call instead of an answer. `put_lost`: nothing was stored; `put_unanswered`: it was, and nobody heard of it. */
export type ValuesFault = 'put_lost' | 'put_unanswered' | 'open_failed'

export interface MemoryValues extends CredentialValues {
  fault (...faults: ValuesFault[]): void
  heal (): void
  /** What is stored under the id, without asking the port. */
  peek (valueId: string): Secret | undefined
}

class VaultAway extends Error {
  override readonly name = 'VaultAway'
  readonly code = 'ECONNREFUSED'
}

export const memoryValues = (): MemoryValues => {
  const stored = new Map<string, { credential: string, secret: Secret }>()
  const destroyed = new Set<string>()
  let faults: ValuesFault[] = []

  const meets = (...kinds: ValuesFault[]): ValuesFault | undefined => {
    const found = faults.find((fault) => kinds.includes(fault))
    if (found !== undefined) faults.splice(faults.indexOf(found), 1)
    return found
  }
  return {
    put: async ({ valueId, credential, secret }) => {
      const fault = meets('put_lost', 'put_unanswered')
      if (fault === 'put_lost') throw new VaultAway('the vault is away')
      if (destroyed.has(valueId)) throw new Error('a destroyed value cannot be stored again')
      if (!stored.has(valueId)) stored.set(valueId, { credential, secret: new Secret(secret.reveal()) })
      if (fault === 'put_unanswered') throw new VaultAway('the vault went away')
    },
    open: async (valueId) => {
      if (meets('open_failed') !== undefined) throw new VaultAway('the vault is away')
      return stored.get(valueId)?.secret
    },
    destroy: async (valueId) => {
      stored.delete(valueId)
      destroyed.add(valueId)
    },
    fingerprint: (secret) => createHmac('sha256', 'a key of the test').update(secret.reveal()).digest('base64url'),
    fault: (...more) => { faults.push(...more) },
    heal: () => { faults = [] },
    peek: (valueId) => stored.get(valueId)?.secret
  }
}

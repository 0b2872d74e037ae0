// What an operator may ask of a job, and the facts that each step is: the decisions behind the POSTs.
import type { Secret } from '../credential/secret.ts'
import type { Instant } from '../event.ts'

export type Step =
  | { kind: 'verify' }
  /** `pasted`: for a vendor of the kind `manual`, and only for that. */
  | { kind: 'distribute', pasted?: { value: Secret, vendorTokenId?: string, expiresAt?: Instant } }
  | { kind: 'retry' }
  | { kind: 'validate' }
  | { kind: 'waive', consumer: string }
  | { kind: 'revoke', confirm: string }
  | { kind: 'abort' }

// Who asks and what they may: the interface between the door and the principals' streams.
import type { Permission, Role } from '../../domain/principal/roles.ts'

/** A principal whose token was accepted for this request. */
export interface Caller {
  principalId: string
  kind: 'operator' | 'service'
  tokenId: string
  roles: ReadonlySet<Role>
}

/** The outcome of looking at a token, and at the right if one is asked for. */
export type Verdict =
  | { outcome: 'allowed', caller: Caller }
  | { outcome: 'forbidden', caller: Caller }
  /** No token, or one that is malformed, unknown, revoked or expired: the caller is not told which. */
  | { outcome: 'unauthenticated' }

export interface Access {
  /**
   * Judges a bearer token for one request from the principal's stream and the roster, never from a read model
   * (decisions 2, 7). Rejects with LogUnavailable when neither log nor a proven cache can tell.
   * @param permission undefined: any known principal may
   */
  judge (token: string | undefined, permission: Permission | undefined): Promise<Verdict>
  /** Enters that a right was lacking, at most once per right and minute (decision 8). Never rejects. */
  noteRefusal (refusal: { caller: Caller, permission: Permission, route: string, requestId: string }): Promise<void>
}

// Somebody who calls: an operator or a service, with roles and access tokens. Superadmin stands in the roster instead.
import type { EventOf, RecordedOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import { assertNever, type Instant } from '../event.ts'
import type { Clear, Personal } from '../personal.ts'
import { isRole, type Role } from './roles.ts'

export type PrincipalKind = 'operator' | 'service'
/** A role that stands in the principal's own stream. */
export type OwnRole = Exclude<Role, 'superadmin'>

export interface AccessToken {
  tokenId: string
  /** SHA-256 of the whole token, lower-case hex. */
  sha256: string
  label?: string
  issuedAt: Instant
  expiresAt?: Instant
  revokedAt?: Instant
}

export type Principal =
  | { status: 'absent' }
  | {
    status: 'known', principalId: string, kind: PrincipalKind, name: Personal, createdAt: Instant
    roles: ReadonlySet<OwnRole>, tokens: ReadonlyMap<string, AccessToken>
  }
export type KnownPrincipal = Extract<Principal, { status: 'known' }>
type NewToken = Pick<AccessToken, 'tokenId' | 'sha256' | 'label' | 'expiresAt'>
type PrincipalEvent = EventOf<'principal'>

/** Tokens of one principal that are usable at once; the roster's arrays are bounded by it too. */
export const MAX_USABLE_TOKENS = 100

const evolve = (principal: Principal, event: RecordedOf<'principal'>): Principal => {
  if (event.type === 'principal.created') {
    const { principalId, kind, name, createdAt } = event.data
    return { status: 'known', principalId, kind, name, createdAt, roles: new Set(), tokens: new Map() }
  }
  if (principal.status === 'absent') return principal
  switch (event.type) {
    case 'principal.role_granted': return { ...principal, roles: withRole(principal.roles, event.data.role) }
    case 'principal.role_revoked': return { ...principal, roles: new Set([...principal.roles].filter((role) => role !== event.data.role)) }
    case 'principal.token_issued': {
      const { principalId: _, ...token } = event.data
      return { ...principal, tokens: new Map(principal.tokens).set(token.tokenId, token) }
    }
    case 'principal.token_revoked': {
      const token = principal.tokens.get(event.data.tokenId)
      if (token === undefined) return principal
      return { ...principal, tokens: new Map(principal.tokens).set(token.tokenId, { ...token, revokedAt: event.data.revokedAt }) }
    }
    default: return assertNever(event)
  }
}

/** Streams `principal-{id}`. */
export const principalAggregate = { category: 'principal', initial: { status: 'absent' } as Principal, evolve } as const

/** A role that the program no longer knows carries nothing. */
const withRole = (held: ReadonlySet<OwnRole>, role: string): ReadonlySet<OwnRole> =>
  isRole(role) && role !== 'superadmin' ? new Set([...held, role]) : held

/** True if the token opens the door at this moment. */
export const isUsable = (token: Pick<AccessToken, 'expiresAt' | 'revokedAt'>, at: Date): boolean =>
  token.revokedAt === undefined && (token.expiresAt === undefined || at.getTime() < Date.parse(token.expiresAt))

/** The tokens that open the door at this moment. */
export const usableTokens = (principal: Principal, at: Date): AccessToken[] =>
  principal.status === 'absent' ? [] : [...principal.tokens.values()].filter((token) => isUsable(token, at))

export const known = (principal: Principal): KnownPrincipal =>
  principal.status === 'known' ? principal : refuse('subject_not_found', 'There is no such principal.')

/** Makes a principal known, with roles from the start. */
export const create = (principal: Principal, command: {
  principalId: string, kind: PrincipalKind, name: Clear, roles: readonly OwnRole[], at: Date
}): PrincipalEvent[] => {
  if (principal.status === 'known') return refuse('conflict', 'The principal exists already.')
  const { principalId, kind, name } = command
  const at = command.at.toISOString()
  return [
    { type: 'principal.created', data: { principalId, kind, name, createdAt: at } },
    ...[...new Set(command.roles)].map((role) => ({ type: 'principal.role_granted' as const, data: { principalId, role, grantedAt: at } }))
  ]
}

/** Grants a role. Granting it again is no event: it is so already. */
export const grantRole = (principal: Principal, role: OwnRole, at: Date): PrincipalEvent[] => {
  const { principalId, roles: held } = known(principal)
  return held.has(role) ? [] : [{ type: 'principal.role_granted', data: { principalId, role, grantedAt: at.toISOString() } }]
}

/** Takes a role away. One that is not held is not found, as a second delete is in seed 003. */
export const revokeRole = (principal: Principal, role: OwnRole, at: Date): PrincipalEvent[] => {
  const { principalId, roles: held } = known(principal)
  if (!held.has(role)) return refuse('subject_not_found', 'The principal does not hold this role.')
  return [{ type: 'principal.role_revoked', data: { principalId, role, revokedAt: at.toISOString() } }]
}

/** Enters a token by its digest. */
export const issueToken = (
  principal: Principal, token: NewToken, at: Date
): PrincipalEvent[] => {
  const { principalId } = known(principal)
  if (usableTokens(principal, at).length >= MAX_USABLE_TOKENS) {
    return refuse('conflict', `A principal has at most ${MAX_USABLE_TOKENS} usable tokens. Revoke one first.`)
  }
  if (token.expiresAt !== undefined && Date.parse(token.expiresAt) <= at.getTime()) {
    return refuse('invalid_request', 'expires_at lies in the past.')
  }
  return [tokenIssued(principalId, token, at)]
}

/** The fact itself: for the first token, which is entered together with its principal. */
export const tokenIssued = (principalId: string, token: NewToken, at: Date): PrincipalEvent =>
  ({ type: 'principal.token_issued', data: { principalId, ...token, issuedAt: at.toISOString() } })

/** The token if it is there and was not revoked; else `subject_not_found`. */
export const revocable = (principal: Principal, tokenId: string): AccessToken => {
  const token = known(principal).tokens.get(tokenId)
  if (token === undefined || token.revokedAt !== undefined) return refuse('subject_not_found', 'There is no such token, or it was revoked before.')
  return token
}

export const revokeToken = (principal: Principal, tokenId: string, at: Date): PrincipalEvent[] => {
  revocable(principal, tokenId)
  return [{ type: 'principal.token_revoked', data: { principalId: known(principal).principalId, tokenId, revokedAt: at.toISOString() } }]
}

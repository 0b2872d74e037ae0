// The superadmins and their tokens (`roster-superadmin`): one stream, because "the last one stays" is a rule over several
// principals (decision 7). It may count too few usable tokens after a crash, never too many.
import type { EventOf, RecordedOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import { assertNever, type Instant } from '../event.ts'
import { isUsable } from './principal.ts'

/** Id of the one stream. */
export const ROSTER = 'superadmin'

/** Superadmin → token id → expiry, if any; only tokens that were not withdrawn. */
export type Roster = ReadonlyMap<string, ReadonlyMap<string, Instant | undefined>>
type RosterEvent = EventOf<'roster'>

interface RosterToken { tokenId: string, expiresAt?: Instant }

const evolve = (roster: Roster, event: RecordedOf<'roster'>): Roster => {
  const { principalId } = event.data
  const held = roster.get(principalId)
  const become = (tokens: ReadonlyMap<string, Instant | undefined>): Roster => new Map(roster).set(principalId, tokens)
  switch (event.type) {
    case 'superadmin.granted': return become(new Map([...held ?? [], ...event.data.tokens.map(entry)]))
    case 'superadmin.removed': return new Map([...roster].filter(([id]) => id !== principalId))
    case 'superadmin.token_added': return held === undefined ? roster : become(new Map([...held, entry(event.data.token)]))
    case 'superadmin.token_withdrawn': return held === undefined ? roster : become(new Map([...held].filter(([id]) => id !== event.data.tokenId)))
    case 'superadmin.recovered': return become(new Map([...held ?? [], entry(event.data.token)]))
    default: return assertNever(event)
  }
}

const entry = ({ tokenId, expiresAt }: RosterToken): [string, Instant | undefined] => [tokenId, expiresAt]

export const rosterAggregate = { category: 'roster', initial: new Map() as Roster, evolve } as const

/** How many tokens open the door to a superadmin at this moment. */
export const usableCount = (roster: Roster, at: Date): number =>
  [...roster.values()].reduce((sum, tokens) => sum + usableOf(tokens, at), 0)

const usableOf = (tokens: ReadonlyMap<string, Instant | undefined>, at: Date): number =>
  [...tokens.values()].filter((expiresAt) => isUsable(expiresAt === undefined ? {} : { expiresAt }, at)).length

/** Makes a principal superadmin, with the tokens that are usable now. */
export const grant = (roster: Roster, principalId: string, tokens: readonly RosterToken[], at: Date): RosterEvent[] => {
  if (roster.has(principalId)) return []
  return [{ type: 'superadmin.granted', data: { principalId, tokens: tokens.map(({ tokenId, expiresAt }) => tokenOf(tokenId, expiresAt)), grantedAt: at.toISOString() } }]
}

/** Takes superadmin away, unless nobody with a usable token would be left: 409 `last_superadmin`. */
export const remove = (roster: Roster, principalId: string, at: Date): RosterEvent[] => {
  const tokens = roster.get(principalId)
  if (tokens === undefined) return refuse('subject_not_found', 'The principal does not hold this role.')
  if (usableCount(roster, at) - usableOf(tokens, at) === 0) return last()
  return [{ type: 'superadmin.removed', data: { principalId, removedAt: at.toISOString() } }]
}

/** Enters a further token of a superadmin; nothing for everybody else and for one that stands there. */
export const addToken = (roster: Roster, principalId: string, token: RosterToken, at: Date): RosterEvent[] => {
  const tokens = roster.get(principalId)
  if (tokens === undefined || tokens.has(token.tokenId)) return []
  return [{ type: 'superadmin.token_added', data: { principalId, token: tokenOf(token.tokenId, token.expiresAt), addedAt: at.toISOString() } }]
}

/** Decides that a token goes, before its revocation is entered: the last usable one stays, 409 `last_superadmin`. */
export const withdrawToken = (roster: Roster, principalId: string, tokenId: string, at: Date): RosterEvent[] => {
  const tokens = roster.get(principalId)
  if (tokens?.has(tokenId) !== true) return []
  const expiresAt = tokens.get(tokenId)
  const usable = isUsable(expiresAt === undefined ? {} : { expiresAt }, at)
  if (usable && usableCount(roster, at) === 1) return last()
  return [{ type: 'superadmin.token_withdrawn', data: { principalId, tokenId, withdrawnAt: at.toISOString() } }]
}

/** Notes that a token of a superadmin turned out to be revoked already; there is nothing left to refuse. */
export const strikeToken = (roster: Roster, principalId: string, tokenId: string, at: Date): RosterEvent[] =>
  roster.get(principalId)?.has(tokenId) === true
    ? [{ type: 'superadmin.token_withdrawn', data: { principalId, tokenId, withdrawnAt: at.toISOString() } }]
    : []

/** Somebody with the data folder, and the service stopped, made a superadmin token. */
export const recover = (roster: Roster, principalId: string, token: RosterToken, at: Date): RosterEvent[] =>
  roster.get(principalId)?.has(token.tokenId) === true
    ? []
    : [{ type: 'superadmin.recovered', data: { principalId, token: tokenOf(token.tokenId, token.expiresAt), recoveredAt: at.toISOString() } }]

const tokenOf = (tokenId: string, expiresAt: Instant | undefined): RosterToken => ({ tokenId, ...expiresAt !== undefined && { expiresAt } })

const last = () => refuse('last_superadmin', 'This would leave no superadmin with a usable token. Give another one first.')

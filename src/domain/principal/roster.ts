// The superadmins and their tokens (`roster-superadmin`): one stream, because "the last one stays" is a rule over several
// principals (decision 7). It may count too few usable tokens after a crash, never too many.
import type { EventOf, RecordedOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import { assertNever, type Instant } from '../event.ts'
import { isUsable } from './principal.ts'

/** Id of the one stream. */
export const ROSTER = 'superadmin'

type Tokens = ReadonlyMap<string, Instant | undefined>

export interface Roster {
  /** Superadmin → token id → expiry, if any. */
  superadmins: ReadonlyMap<string, Tokens>
  /**
   * Tokens of anybody that are to be revoked. Each revocation passes here first, so a grant that is decided at the same
   * moment cannot count a token that is about to go.
   */
  withdrawn: ReadonlySet<string>
}
type RosterEvent = EventOf<'roster'>

interface RosterToken { tokenId: string, expiresAt?: Instant }

const evolve = (roster: Roster, event: RecordedOf<'roster'>): Roster => {
  const { principalId } = event.data
  const held = roster.superadmins.get(principalId)
  const become = (tokens: Tokens): Roster => ({ ...roster, superadmins: new Map(roster.superadmins).set(principalId, tokens) })
  switch (event.type) {
    case 'superadmin.granted': return become(new Map([...held ?? [], ...event.data.tokens.map(entry)]))
    case 'superadmin.removed': return { ...roster, superadmins: without(roster.superadmins, principalId) }
    case 'superadmin.token_added': return held === undefined ? roster : become(new Map([...held, entry(event.data.token)]))
    case 'superadmin.token_withdrawn': return {
      superadmins: held === undefined ? roster.superadmins : new Map(roster.superadmins).set(principalId, without(held, event.data.tokenId)),
      withdrawn: new Set([...roster.withdrawn, event.data.tokenId])
    }
    case 'superadmin.recovered': return become(new Map([...held ?? [], entry(event.data.token)]))
    default: return assertNever(event)
  }
}

const entry = ({ tokenId, expiresAt }: RosterToken): [string, Instant | undefined] => [tokenId, expiresAt]

const without = <V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> => new Map([...map].filter(([other]) => other !== key))

export const rosterAggregate = { category: 'roster', initial: { superadmins: new Map(), withdrawn: new Set() } as Roster, evolve } as const

/** How many tokens open the door to a superadmin at this moment. */
export const usableCount = ({ superadmins }: Roster, at: Date): number =>
  [...superadmins.values()].reduce((sum, tokens) => sum + usableOf(tokens, at), 0)

const usableOf = (tokens: Tokens, at: Date): number =>
  [...tokens.values()].filter((expiresAt) => isUsable(expiresAt === undefined ? {} : { expiresAt }, at)).length

/** Makes a principal superadmin, with the tokens that are usable now. */
export const grant = ({ superadmins, withdrawn }: Roster, principalId: string, tokens: readonly RosterToken[], at: Date): RosterEvent[] => {
  if (superadmins.has(principalId)) return []
  const staying = tokens.filter(({ tokenId }) => !withdrawn.has(tokenId)).map(({ tokenId, expiresAt }) => tokenOf(tokenId, expiresAt))
  return [{ type: 'superadmin.granted', data: { principalId, tokens: staying, grantedAt: at.toISOString() } }]
}

/** Takes superadmin away, unless nobody with a usable token would be left: 409 `last_superadmin`. */
export const remove = (roster: Roster, principalId: string, at: Date): RosterEvent[] => {
  const tokens = roster.superadmins.get(principalId)
  if (tokens === undefined) return refuse('subject_not_found', 'The principal does not hold this role.')
  if (usableCount(roster, at) - usableOf(tokens, at) === 0) return last()
  return [{ type: 'superadmin.removed', data: { principalId, removedAt: at.toISOString() } }]
}

/** Enters a further token of a superadmin; nothing for everybody else, and for one that stands there or is to go. */
export const addToken = ({ superadmins, withdrawn }: Roster, principalId: string, token: RosterToken, at: Date): RosterEvent[] => {
  const tokens = superadmins.get(principalId)
  if (tokens === undefined || tokens.has(token.tokenId) || withdrawn.has(token.tokenId)) return []
  return [{ type: 'superadmin.token_added', data: { principalId, token: tokenOf(token.tokenId, token.expiresAt), addedAt: at.toISOString() } }]
}

/** Decides that a token of anybody goes, before its revocation is entered: a superadmin's last usable one stays, 409 `last_superadmin`. */
export const withdrawToken = (roster: Roster, principalId: string, tokenId: string, at: Date): RosterEvent[] => {
  if (roster.withdrawn.has(tokenId)) return []
  const tokens = roster.superadmins.get(principalId)
  const expiresAt = tokens?.get(tokenId)
  const counts = tokens?.has(tokenId) === true && isUsable(expiresAt === undefined ? {} : { expiresAt }, at)
  if (counts && usableCount(roster, at) === 1) return last()
  return [{ type: 'superadmin.token_withdrawn', data: { principalId, tokenId, withdrawnAt: at.toISOString() } }]
}

/** Somebody with the data folder, and the service stopped, made a superadmin token. */
export const recover = (roster: Roster, principalId: string, token: RosterToken, at: Date): RosterEvent[] =>
  roster.superadmins.get(principalId)?.has(token.tokenId) === true
    ? []
    : [{ type: 'superadmin.recovered', data: { principalId, token: tokenOf(token.tokenId, token.expiresAt), recoveredAt: at.toISOString() } }]

const tokenOf = (tokenId: string, expiresAt: Instant | undefined): RosterToken => ({ tokenId, ...expiresAt !== undefined && { expiresAt } })

const last = () => refuse('last_superadmin', 'This would leave no superadmin with a usable token. Give another one first.')

// The roster without tokens that the principals' own streams say are revoked: before "the last one stays" is judged.
import { principalAggregate } from '../../domain/principal/principal.ts'
import { ROSTER, rosterAggregate, type Roster } from '../../domain/principal/roster.ts'
import type { Aggregates } from '../execute.ts'

/**
 * Reads the streams of all superadmins and gives back a filter for the roster. A crash between a grant and the look
 * after it may have left a revoked token in the roster; it must not count as the last usable one.
 */
export const withoutRevoked = async (aggregates: Aggregates): Promise<(roster: Roster) => Roster> => {
  const { state } = await aggregates.current(rosterAggregate, ROSTER)
  const principals = await Promise.all([...state.keys()].map((id) => aggregates.current(principalAggregate, id)))
  const revoked = new Set(principals.flatMap(({ state: principal }) =>
    principal.status === 'absent' ? [] : [...principal.tokens.values()].filter((token) => token.revokedAt !== undefined).map((token) => token.tokenId)))
  return (roster) => new Map([...roster].map(([id, tokens]) => [id, new Map([...tokens].filter(([tokenId]) => !revoked.has(tokenId)))]))
}

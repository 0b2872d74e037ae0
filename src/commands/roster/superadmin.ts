// The first superadmin, and the one that somebody with the data folder makes when all tokens are lost (decision 7).
import { Clear } from '../../domain/personal.ts'
import { create, isUsable, issueToken, principalAggregate, tokenIssued, type Principal } from '../../domain/principal/principal.ts'
import { ROSTER, grant, recover, rosterAggregate } from '../../domain/principal/roster.ts'
import type { Clock, Ids } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'
import { digestOf, makeToken, matches, parseToken } from '../tokens/token.ts'

/** Where the token is left for its owner. `write` returns once it is on disk, readable by nobody else. */
export interface TokenFile {
  read (): Promise<string | undefined>
  write (token: string): Promise<void>
}

export interface SuperadminDeps { aggregates: Aggregates, ids: Ids, clock: Clock, tokenFile: TokenFile }

/**
 * Makes the first superadmin if there never was one. The token is in its file before its fact is appended, so that no
 * crash leaves a superadmin whose token nobody has; a start that was cut off in between is completed by the next.
 * @returns the token if this call made or completed it, undefined if there is a superadmin already
 */
export const bootstrapSuperadmin = async (deps: SuperadminDeps): Promise<string | undefined> => {
  const { aggregates } = deps
  const { state: { superadmins } } = await aggregates.current(rosterAggregate, ROSTER)
  if (superadmins.size > 0) return undefined
  const principalId = firstPrincipal(deps)
  const { state } = await aggregates.current(principalAggregate, principalId)
  const context = contextOf(deps, 'bootstrap')
  const token = await leftBehind(deps, state, context.at) ?? await enterToken(deps, context)
  const tokenId = parseToken(token)?.tokenId ?? ''
  await aggregates.execute({
    aggregate: rosterAggregate, id: ROSTER, context, decide: (roster) => grant(roster, principalId, [{ tokenId }], context.at)
  })
  return token
}

/**
 * Makes a new superadmin token for the first principal, with the service stopped; earlier tokens stay as they are.
 * @returns the token, which stands in the file too
 */
export const recoverSuperadmin = async (deps: SuperadminDeps): Promise<string> => {
  const context = contextOf(deps, 'recovery')
  const token = await enterToken(deps, context)
  const tokenId = parseToken(token)?.tokenId ?? ''
  await deps.aggregates.execute({
    aggregate: rosterAggregate, id: ROSTER, context, decide: (roster) => recover(roster, firstPrincipal(deps), { tokenId }, context.at)
  })
  return token
}

const firstPrincipal = ({ ids }: SuperadminDeps): string => ids.derive('principal', 'bootstrap')

/** The token of a start that came as far as the principal's stream. */
const leftBehind = async ({ tokenFile }: SuperadminDeps, state: Principal, at: Date): Promise<string | undefined> => {
  if (state.status === 'absent') return undefined
  const token = (await tokenFile.read())?.trim()
  const parts = token === undefined ? undefined : parseToken(token)
  const kept = parts?.principalId === state.principalId ? state.tokens.get(parts.tokenId) : undefined
  return token !== undefined && kept !== undefined && matches(token, kept.sha256) && isUsable(kept, at) ? token : undefined
}

const enterToken = async (deps: SuperadminDeps, context: CommandContext): Promise<string> => {
  const { aggregates, ids, tokenFile } = deps
  const principalId = firstPrincipal(deps)
  const tokenId = ids.next()
  const token = makeToken({ principalId, tokenId })
  await tokenFile.write(token)
  const entry = { tokenId, sha256: digestOf(token), label: 'superadmin' }
  const name = new Clear('superadmin', `principal-${principalId}`)
  await aggregates.execute({
    aggregate: principalAggregate,
    id: principalId,
    context,
    decide: (state) => state.status === 'known'
      ? issueToken(state, entry, context.at)
      : [...create(state, { principalId, kind: 'operator', name, roles: [], at: context.at }), tokenIssued(principalId, entry, context.at)]
  })
  return token
}

const contextOf = ({ ids, clock }: SuperadminDeps, id: string): CommandContext =>
  ({ commandId: ids.next(), at: clock.now(), actor: { type: 'system', id }, requestId: ids.next() })

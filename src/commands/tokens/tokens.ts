// Use cases on access tokens: making one, shown once, and revoking one.
import { issueToken, known, principalAggregate, revocable, revokeToken } from '../../domain/principal/principal.ts'
import { ROSTER, addToken, rosterAggregate, withdrawToken } from '../../domain/principal/roster.ts'
import type { CommandContext } from '../context.ts'
import { notReused } from '../execute.ts'
import { unmoved, type PrincipalDeps, type PrincipalReceipt } from '../principals/principals.ts'
import { digestOf, makeToken } from './token.ts'

export interface IssueCommand { principalId: string, label?: string, expiresAt?: string, ifMatch?: bigint | undefined }

/** The token stands in the answer once; a repeat of the request gets none (decision 4). */
export type IssuedToken = PrincipalReceipt & { tokenId: string, token: string | undefined, expiresAt: string | undefined }

/**
 * Makes a token. It is entered with the principal first and, for a superadmin, in the roster afterwards: after a crash
 * in between the roster counts one usable token too few, and repeating the request completes it.
 */
export const issueTokenFor = async (
  { aggregates, ids }: PrincipalDeps, command: IssueCommand, context: CommandContext
): Promise<IssuedToken> => {
  const { principalId, label, expiresAt, ifMatch } = command
  notReused(await aggregates.current(rosterAggregate, ROSTER), context)
  const tokenId = ids.derive('token', principalId, context.commandId)
  const token = makeToken({ principalId, tokenId })
  const entry = { tokenId, sha256: digestOf(token), ...label !== undefined && { label }, ...expiresAt !== undefined && { expiresAt } }
  const receipt = await aggregates.execute({
    aggregate: principalAggregate, id: principalId, context, decide: (state) => issueToken(state, entry, context.at), ...ifMatch !== undefined && { ifMatch }
  })
  const roster = await aggregates.execute({
    aggregate: rosterAggregate, id: ROSTER, context, decide: (state) => addToken(state, principalId, entry, context.at)
  })
  const position = roster.events.length > 0 && roster.position > receipt.position ? roster.position : receipt.position
  return { principalId, tokenId, token: receipt.replayed ? undefined : token, expiresAt, position, revision: receipt.revision }
}

export interface RevokeCommand { principalId: string, tokenId: string, ifMatch?: bigint | undefined }

/**
 * Revokes a token. The roster decides first, so that a superadmin with a usable token always stays; only then is the
 * revocation entered, from which on the door refuses the token. Repeating the request completes what a crash cut off.
 */
export const revokeTokenOf = async (
  { aggregates }: PrincipalDeps, { principalId, tokenId, ifMatch }: RevokeCommand, context: CommandContext
): Promise<PrincipalReceipt> => {
  const before = await aggregates.current(principalAggregate, principalId)
  known(before.state)
  notReused(before, context)
  if (!before.commands.has(context.commandId)) {
    unmoved(before.revision, ifMatch)
    revocable(before.state, tokenId)
  }
  await aggregates.execute({
    aggregate: rosterAggregate, id: ROSTER, context, decide: (roster) => withdrawToken(roster, principalId, tokenId, context.at)
  })
  const { position, revision } = await aggregates.execute({
    aggregate: principalAggregate, id: principalId, context, decide: (state) => revokeToken(state, tokenId, context.at), ...ifMatch !== undefined && { ifMatch }
  })
  return { principalId, position, revision }
}

// Our own access tokens as a vendor of rotations sees them: the use cases on principals, by the actor `rotation`.
import type { OwnTokens } from '../../infra/vendors/chancery-token.ts'
import type { Access } from '../commands/access/access.ts'
import type { CommandContext } from '../commands/context.ts'
import type { Aggregates } from '../commands/execute.ts'
import { parseToken } from '../commands/tokens/token.ts'
import { issueTokenFor, revokeTokenOf } from '../commands/tokens/tokens.ts'
import { MAX_USABLE_TOKENS, principalAggregate, usableTokens } from '../domain/principal/principal.ts'
import { ROSTER, rosterAggregate } from '../domain/principal/roster.ts'
import type { Clock, Ids } from '../ports.ts'

export interface OwnTokensDeps { aggregates: Aggregates, access: Pick<Access, 'judge'>, ids: Ids, clock: Clock }

export const ownTokens = ({ aggregates, access, ids, clock }: OwnTokensDeps): OwnTokens => {
  const contextOf = (commandId: string): CommandContext => ({ commandId, at: clock.now(), actor: { type: 'system', id: 'rotation' }, requestId: commandId })
  return {
    look: async (principalId) => {
      const [{ state }, { state: { superadmins } }] = await Promise.all([aggregates.current(principalAggregate, principalId), aggregates.current(rosterAggregate, ROSTER)])
      if (state.status === 'absent') return undefined
      const tokens = usableTokens(state, clock.now())
      return { kind: superadmins.has(principalId) ? 'superadmin' : state.kind, tokens: tokens.map(({ tokenId, label }) => ({ tokenId, ...(label !== undefined && { label }) })), full: tokens.length >= MAX_USABLE_TOKENS }
    },
    issue: async ({ principalId, label, seed }) => {
      const { tokenId, token } = await issueTokenFor({ aggregates, ids }, { principalId, label }, contextOf(ids.derive('rotated-token', seed)))
      return { tokenId, token }
    },
    revoke: async ({ principalId, tokenId }) => { await revokeTokenOf({ aggregates, ids }, { principalId, tokenId }, contextOf(ids.next())) },
    judge: async (token) => {
      const verdict = await access.judge(token, undefined)
      return verdict.outcome === 'unauthenticated' ? undefined : { principalId: verdict.caller.principalId, tokenId: verdict.caller.tokenId }
    },
    parse: parseToken
  }
}

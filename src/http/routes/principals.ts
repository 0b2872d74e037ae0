// Principals, their roles and tokens: `/api/v1/principals`, and who one is: `/api/v1/me`.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Aggregates } from '../../commands/execute.ts'
import { createPrincipal, grantRoleTo, revokeRoleFrom, type PrincipalReceipt } from '../../commands/principals/principals.ts'
import { issueTokenFor, revokeTokenOf } from '../../commands/tokens/tokens.ts'
import { refuse } from '../../domain/codes.ts'
import { isUsable, known, principalAggregate, usableTokens, type AccessToken } from '../../domain/principal/principal.ts'
import { allows, isConsumerRole, permissions, roles, type Role } from '../../domain/principal/roles.ts'
import { ROSTER, rosterAggregate } from '../../domain/principal/roster.ts'
import type { Personal } from '../../domain/personal.ts'
import type { Ids, Vault } from '../../ports.ts'
import { accepted, located } from '../answers.ts'
import { vaultFor } from '../clear-text.ts'
import { commandContext } from '../command-context.ts'
import * as schemas from '../schemas/principals.ts'
import type { PrincipalQueries, PrincipalRow } from '../../queries.ts'
import { Empty, limitOf } from '../schemas/shared.ts'
import { instantOf } from '../times.ts'

export interface PrincipalRouteDeps {
  aggregates: Aggregates
  ids: Ids
  vault: Pick<Vault, 'open'>
  principals: PrincipalQueries
}

const READ = { permission: 'principals.read' } as const
const WRITE = { permission: 'principals.write' } as const
const tags = ['principals']

export const principalRoutes = (deps: PrincipalRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  const { aggregates, vault, principals } = deps
  const { clock } = app.door

  app.get('/api/v1/me', {
    config: { access: 'authenticated' }, schema: { tags, summary: 'Who the token belongs to, and what it may', response: { 200: schemas.Me } }
  }, async (request) => {
    const { principalId, kind, tokenId, roles: held } = request.caller ?? refuse('unauthenticated', 'Send an access token.')
    return {
      principal_id: principalId, kind, token_id: tokenId, roles: inOrder(held), permissions: permissions.filter((permission) => allows(held, permission))
    }
  })

  app.post('/api/v1/principals', {
    config: WRITE, schema: { tags, summary: 'Make a principal known', body: schemas.CreatePrincipalBody, response: { 201: schemas.PrincipalAccepted } }
  }, async (request, reply) => {
    const { name, kind, roles: granted = [] } = request.body
    return answer(reply, await createPrincipal(deps, { name, kind, roles: granted }, commandContext(request)), 201)
  })

  app.get('/api/v1/principals', {
    config: { ...READ, waitsFor: ['principals'] },
    schema: { tags, summary: 'All principals, in the order in which they were made known', querystring: schemas.PrincipalQuery, response: { 200: schemas.PrincipalPage } }
  }, async (request) => {
    const { query } = request
    const limit = limitOf(query)
    const rows = await principals.page(query.cursor === undefined ? {} : { after: BigInt(query.cursor) }, limit)
    const items = await Promise.all(rows.map((row) => listItem(row, vaultFor(request, vault), clock.now())))
    return { items, next_cursor: rows.length < limit ? null : String(rows.at(-1)?.firstPosition) }
  })

  app.get('/api/v1/principals/:principal_id', {
    config: READ, schema: { tags, summary: 'One principal', params: schemas.PrincipalParams, response: { 200: schemas.PrincipalAnswer } }
  }, async (request, reply) => {
    const id = request.params.principal_id
    const [loaded, roster] = await Promise.all([aggregates.current(principalAggregate, id), aggregates.current(rosterAggregate, ROSTER)])
    const principal = known(loaded.state)
    const superadmin = roster.state.superadmins.has(id)
    const position = superadmin && roster.position > loaded.position ? roster.position : loaded.position
    return located(reply, { position, revision: loaded.revision }, {
      principal_id: id,
      kind: principal.kind,
      name: await nameOf(vaultFor(request, vault), id, principal.name),
      roles: inOrder(superadmin ? [...principal.roles, 'superadmin'] : principal.roles),
      usable_tokens: usableTokens(principal, clock.now()).length,
      created_at: principal.createdAt
    })
  })

  app.put('/api/v1/principals/:principal_id/roles/:role', {
    config: WRITE, schema: { tags, summary: 'Grant a role', params: schemas.RoleParams, body: Empty, response: { 200: schemas.PrincipalAccepted } }
  }, async (request, reply) => {
    const { principal_id: principalId, role } = request.params
    return answer(reply, await grantRoleTo(deps, { principalId, role, ifMatch: request.ifMatch }, commandContext(request)))
  })

  app.delete('/api/v1/principals/:principal_id/roles/:role', {
    config: WRITE, schema: { tags, summary: 'Take a role away', params: schemas.RoleParams, response: { 200: schemas.PrincipalAccepted } }
  }, async (request, reply) => {
    const { principal_id: principalId, role } = request.params
    return answer(reply, await revokeRoleFrom(deps, { principalId, role, ifMatch: request.ifMatch }, commandContext(request)))
  })

  app.post('/api/v1/principals/:principal_id/tokens', {
    config: WRITE,
    schema: { tags, summary: 'Make an access token, shown once', params: schemas.PrincipalParams, body: schemas.IssueTokenBody, response: { 201: schemas.TokenIssued } }
  }, async (request, reply) => {
    const { label, expires_at: expires } = request.body
    const expiresAt = expires === undefined ? undefined : instantOf(expires)
    const issued = await issueTokenFor(deps, {
      principalId: request.params.principal_id, ifMatch: request.ifMatch, ...label !== undefined && { label }, ...expiresAt !== undefined && { expiresAt }
    }, commandContext(request))
    return accepted(reply, issued, {
      principal_id: issued.principalId,
      token_id: issued.tokenId,
      ...issued.expiresAt !== undefined && { expires_at: issued.expiresAt },
      ...issued.token === undefined ? { token_withheld: true as const } : { token: issued.token }
    }, 201)
  })

  app.get('/api/v1/principals/:principal_id/tokens', {
    config: READ, schema: { tags, summary: 'The tokens of a principal, never themselves', params: schemas.PrincipalParams, response: { 200: schemas.TokenList } }
  }, async (request) => {
    const { state } = await aggregates.current(principalAggregate, request.params.principal_id)
    return { items: [...known(state).tokens.values()].map((token) => tokenItem(token, clock.now())), next_cursor: null }
  })

  app.delete('/api/v1/principals/:principal_id/tokens/:token_id', {
    config: WRITE, schema: { tags, summary: 'Revoke a token', params: schemas.TokenParams, response: { 200: schemas.PrincipalAccepted } }
  }, async (request, reply) => {
    const { principal_id: principalId, token_id: tokenId } = request.params
    return answer(reply, await revokeTokenOf(deps, { principalId, tokenId, ifMatch: request.ifMatch }, commandContext(request)))
  })
}

const answer = (reply: Parameters<typeof accepted>[0], receipt: PrincipalReceipt, status = 200) =>
  accepted(reply, receipt, { principal_id: receipt.principalId }, status)

const nameOf = async (vault: PrincipalRouteDeps['vault'], id: string, sealed: Personal): Promise<string | null> => {
  const name = await vault.open(sealed, `principal-${id}`)
  return name.status === 'open' ? name.text : null
}

const listItem = async (row: PrincipalRow, vault: PrincipalRouteDeps['vault'], at: Date) => ({
  principal_id: row.principalId,
  kind: row.kind,
  name: await nameOf(vault, row.principalId, row.name),
  roles: inOrder(row.roles as Role[]),
  usable_tokens: Object.values(row.tokens).filter((expiresAt) => expiresAt === null || at.getTime() < Date.parse(expiresAt)).length,
  created_at: row.createdAt,
  position: String(row.position)
})

const inOrder = (held: Iterable<Role>): Role[] => {
  const set = new Set(held)
  return [...(Object.keys(roles) as Role[]).filter((role) => set.has(role)), ...[...set].filter(isConsumerRole).sort()]
}

const tokenItem = ({ tokenId, label, issuedAt, expiresAt, revokedAt }: AccessToken, at: Date): schemas.TokenItem => ({
  token_id: tokenId,
  ...label !== undefined && { label },
  issued_at: issuedAt,
  ...expiresAt !== undefined && { expires_at: expiresAt },
  ...revokedAt !== undefined && { revoked_at: revokedAt },
  usable: isUsable({ ...expiresAt !== undefined && { expiresAt }, ...revokedAt !== undefined && { revokedAt } }, at)
})

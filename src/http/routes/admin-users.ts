// The admin's reads of accounts: the list, one account with all that stands against or for it, and its facts.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { requireAddress } from '../../commands/address.ts'
import { accountTimeline, listAccounts, showAccount, type OverviewDeps, type PageRequest } from '../../commands/users/overview.ts'
import { requireUserName } from '../../commands/users/user-name.ts'
import { refuse } from '../../domain/codes.ts'
import type { Keys } from '../../ports.ts'
import { located } from '../answers.ts'
import { asOfIn } from '../as-of.ts'
import { vaultFor } from '../clear-text.ts'
import { positionIn } from '../cursors.ts'
import { openingOf } from '../opening.ts'
import * as schemas from '../schemas/admin-users.ts'
import { limitOf } from '../schemas/shared.ts'
import { instantOf } from '../times.ts'
import { accountItem, factItem, listedAccount } from '../user-items.ts'

export type AdminUserRouteDeps = OverviewDeps & { keys: Pick<Keys, 'addressHash' | 'userNameHash'> }

const PATH = '/api/v1/admin/users'
const tags = ['admin']
const READ = { permission: 'accounts.read' } as const

export const adminUserRoutes = (deps: AdminUserRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  // HEAD would enter facts of openings that show nothing.
  app.get(PATH, {
    exposeHeadRoute: false,
    config: { ...READ, waitsFor: ['users'] },
    schema: { tags, summary: 'Accounts, the newest first; deleted ones only with include_deleted and a reason', querystring: schemas.UsersQuery, response: { 200: schemas.UserPage } }
  }, async (request) => {
    const { query } = request
    const { email, user_name: userName, tester_id: testerId, sanction, limit_code: code, limit_value: value, tariff, created_from: from, created_to: to } = query
    if (value !== undefined && code === undefined) refuse('invalid_request', 'limit_value needs limit_code.')
    const opening = await openingOf(request, query)
    const { items, next } = await listAccounts({ ...deps, vault: vaultFor(request, deps.vault) }, {
      ...email !== undefined && { addressHash: requireAddress(deps.keys, email).hash },
      ...userName !== undefined && { userNameHash: requireUserName(deps.keys, userName).hash },
      ...testerId !== undefined && { testerId },
      ...sanction !== undefined && { sanction },
      ...code !== undefined && { limit: { code, ...value !== undefined && { value: Number(value) } } },
      ...tariff !== undefined && { tariff },
      ...from !== undefined && { createdFrom: instantOf(from) },
      ...to !== undefined && { createdTo: instantOf(to) }
    }, pageOf(query), opening)
    const now = deps.clock.now()
    return { items: items.map((item) => listedAccount(item, now)), next_cursor: next === null ? null : String(next) }
  })

  app.get(`${PATH}/:user_id`, {
    exposeHeadRoute: false,
    config: READ,
    schema: { tags, summary: 'One account: sanctions, limits, tariff, what it may do; now, or as of a moment', params: schemas.UserParams, querystring: schemas.UserQuery, response: { 200: schemas.UserAnswer } }
  }, async (request, reply) => {
    const view = await showAccount({ ...deps, vault: vaultFor(request, deps.vault) }, request.params.user_id, await requestOf(request))
    return located(reply, view, accountItem(view))
  })

  app.get(`${PATH}/:user_id/timeline`, {
    exposeHeadRoute: false,
    config: READ,
    schema: { tags, summary: 'The facts of one account, the newest first; now, or as of a moment', params: schemas.UserParams, querystring: schemas.TimelineQuery, response: { 200: schemas.TimelinePage } }
  }, async (request, reply) => {
    const { user_id: userId } = request.params
    const { facts, next, position, at } = await accountTimeline(deps, userId, await requestOf(request), pageOf(request.query))
    void reply.header('chancery-position', String(position))
    return {
      user_id: userId, as_of: { position: String(position), at: at.toISOString() }, items: facts.map(factItem), next_cursor: next === null ? null : String(next)
    }
  })
}

type Asked = Parameters<typeof openingOf>[0] & { query: Parameters<typeof openingOf>[1] & { as_of?: string } }

const requestOf = async (request: Asked) => {
  const [asOf, opening] = [asOfIn(request.query), await openingOf(request, request.query)]
  return { ...asOf !== undefined && { asOf }, ...opening !== undefined && { opening } }
}

const pageOf = (query: { cursor?: string, limit?: string, direction?: PageRequest['direction'] }): PageRequest => {
  const { cursor, direction = 'backwards' } = query
  return { limit: limitOf(query), direction, ...cursor !== undefined && { after: positionIn(cursor) } }
}

// The self-service surface: a person's own account, by way of a gateway that vouches for who it is (seed 003, decision 29).
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import type { CommandContext } from '../../commands/context.ts'
import type { UserDeps } from '../../commands/users/deps.ts'
import { selfHistory, selfView } from '../../commands/users/look.ts'
import { updateSelf } from '../../commands/users/self.ts'
import { activeSanctions, eligibilityOf } from '../../domain/account/eligibility.ts'
import { eligibilityItem, opener, ownFactItem, ownSanctionItem, tariffItem } from '../account-items.ts'
import { accepted, located } from '../answers.ts'
import { commandContext } from '../command-context.ts'
import { positionIn } from '../cursors.ts'
import { limitOf } from '../schemas/shared.ts'
import * as schemas from '../schemas/users.ts'

const PATH = '/api/v1/self/:user_id'
const config = { permission: 'accounts.self' } as const
const tags = ['self']

export const selfRoutes = (deps: UserDeps): FastifyPluginAsyncTypebox => async (app) => {
  const { clock } = app.door

  app.get(PATH, {
    config, schema: { tags, summary: 'The person\'s own account', params: schemas.UserParams, response: { 200: schemas.SelfAnswer } }
  }, async (request, reply) => {
    const userId = request.params.user_id
    const now = clock.now()
    const { user: { account, email, created }, ...place } = await selfView(deps, userId, now)
    const open = opener(deps.vault, userId)
    const [mail, userName, displayName, sanctions] = await Promise.all([
      open(email), open(account.userName), open(account.displayName),
      Promise.all(activeSanctions(account, now).map((sanction) => ownSanctionItem(sanction, open)))
    ])
    return located(reply, place, {
      user_id: userId,
      email: mail,
      profile: { user_name: userName, display_name: displayName },
      settings: { preferred_language: account.preferredLanguage ?? null, time_zone: account.timeZone ?? null },
      tariff: account.tariff === undefined ? null : tariffItem(account.tariff),
      sanctions,
      ...eligibilityItem(eligibilityOf(account, now)),
      created_at: created.at
    })
  })

  app.patch(PATH, {
    config, schema: { tags, summary: 'Change profile and settings; what is not named stays', params: schemas.UserParams, body: schemas.SelfBody, response: { 200: schemas.SelfUpdatedAnswer } }
  }, async (request, reply) => {
    const userId = request.params.user_id
    const { profile: { user_name: userName, display_name: displayName } = {}, settings: { preferred_language: preferredLanguage, time_zone: timeZone } = {} } = request.body
    const updated = await updateSelf(deps, {
      userId,
      ...userName !== undefined && { userName },
      ...displayName !== undefined && { displayName },
      ...preferredLanguage !== undefined && { preferredLanguage },
      ...timeZone !== undefined && { timeZone },
      ...request.ifMatch !== undefined && { ifMatch: request.ifMatch }
    }, asThePerson(request, userId))
    return accepted(reply, updated, { user_id: userId, changed: updated.changed })
  })

  app.get(`${PATH}/history`, {
    config, schema: { tags, summary: 'What happened to the account, newest first, as the person may see it', params: schemas.UserParams, querystring: schemas.HistoryQuery, response: { 200: schemas.HistoryAnswer } }
  }, async (request) => {
    const userId = request.params.user_id
    const { cursor } = request.query
    const { events, next } = await selfHistory(deps, {
      userId, limit: limitOf(request.query), ...cursor !== undefined && { before: positionIn(cursor) }
    }, clock.now())
    const open = opener(deps.vault, userId)
    return { items: await Promise.all(events.map((event) => ownFactItem(event, open))), next_cursor: next === null ? null : String(next) }
  })
}

/** The person is the actor, the gateway the source; the Idempotency-Key is the gateway's (decision 29). */
const asThePerson = (request: FastifyRequest, userId: string): CommandContext => {
  const context = commandContext(request)
  return { ...context, actor: { type: 'person', id: userId }, source: context.actor.id }
}

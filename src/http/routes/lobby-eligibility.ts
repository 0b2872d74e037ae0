// The lobby surface of one account: what it may do, and why not (seed 003).
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { UserDeps } from '../../commands/users/deps.ts'
import { eligibility } from '../../commands/users/look.ts'
import type { EventStore } from '../../ports.ts'
import { eligibilityItem } from '../account-items.ts'
import { asOfIn } from '../as-of.ts'
import { located } from '../answers.ts'
import * as schemas from '../schemas/users.ts'

type Deps = Pick<UserDeps, 'aggregates'> & { events: Pick<EventStore, 'readStream' | 'at'> }

export const lobbyEligibilityRoutes = (deps: Deps): FastifyPluginAsyncTypebox => async (app) => {
  app.get('/api/v1/lobby/users/:user_id/eligibility', {
    config: { permission: 'lobby.read' },
    schema: { tags: ['lobby'], summary: 'What an account may do, with the sanction and the event behind each no', params: schemas.UserParams, querystring: schemas.EligibilityQuery, response: { 200: schemas.EligibilityAnswer } }
  }, async (request, reply) => {
    const { user_id: userId } = request.params
    const { game_id: gameId } = request.query
    const asOf = asOfIn(request.query)
    const answer = await eligibility(deps, { userId, ...gameId !== undefined && { gameId }, ...asOf !== undefined && { asOf } }, app.door.clock.now())
    const { position, revision } = located(reply, answer, {})
    return { user_id: userId, ...eligibilityItem(answer), evaluated_at: answer.evaluatedAt.toISOString(), evaluated_at_position: position, revision }
  })
}

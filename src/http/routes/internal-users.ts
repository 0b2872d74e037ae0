// The trusted command DeleteUser (seed 003), for the admin service on behalf of whoever decided it.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { deleteUser } from '../../commands/users/delete.ts'
import { subjectOf, type UserDeps } from '../../commands/users/deps.ts'
import { accepted } from '../answers.ts'
import * as schemas from '../schemas/users.ts'
import { contextWithWhy } from '../why.ts'

export const internalUserRoutes = (deps: Pick<UserDeps, 'aggregates' | 'purgeAfterMs'>): FastifyPluginAsyncTypebox => async (app) => {
  app.post('/api/v1/internal/users/:user_id/delete', {
    config: { permission: 'accounts.delete' },
    schema: { tags: ['internal'], summary: 'Delete an account softly (a second time: 404 subject_not_found)', params: schemas.UserParams, body: schemas.DeleteUserBody, response: { 200: schemas.DeletedUserAnswer } }
  }, async (request, reply) => {
    const { body, params: { user_id: userId } } = request
    const context = contextWithWhy(request, subjectOf(userId), body)
    const deleted = await deleteUser(deps, {
      userId, reasonCode: body.reason_code, ...request.ifMatch !== undefined && { ifMatch: request.ifMatch }
    }, body.actor === undefined ? context : { ...context, actor: body.actor, source: context.actor.id })
    return accepted(reply, deleted, { user_id: userId, deleted_at: deleted.deletedAt, purge_after: deleted.purgeAfter })
  })
}

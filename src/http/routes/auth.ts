// The auth surface: what an address stands for, and the account that it makes (seed 003).
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ensureByEmail, resolveByEmail, type Ensured, type Resolved } from '../../commands/users/by-email.ts'
import type { UserDeps } from '../../commands/users/deps.ts'
import type { BlockedReason } from '../../domain/account/register.ts'
import { accepted } from '../answers.ts'
import { commandContext } from '../command-context.ts'
import * as schemas from '../schemas/users.ts'

const config = { permission: 'accounts.resolve' } as const
const tags = ['auth']

export const authRoutes = (deps: UserDeps): FastifyPluginAsyncTypebox => async (app) => {
  app.post('/api/v1/auth/resolve-by-email', {
    config, schema: { tags, summary: 'What an address stands for: an account, none yet, or none ever', body: schemas.ResolveBody, response: { 200: schemas.ResolveAnswer } }
  }, async (request) => {
    const resolved = await resolveByEmail(deps, request.body.email, app.door.clock.now())
    return outcomeItem(resolved)
  })

  app.post('/api/v1/auth/ensure-by-email', {
    config, schema: { tags, summary: 'The account of an address, made if there is none', body: schemas.EnsureBody, response: { 200: schemas.EnsureAnswer } }
  }, async (request, reply) => {
    const { email, preferred_language: preferredLanguage, time_zone: timeZone } = request.body
    const ensured = await ensureByEmail(deps, {
      email, ...preferredLanguage !== undefined && { preferredLanguage }, ...timeZone !== undefined && { timeZone }
    }, commandContext(request))
    return accepted(reply, ensured, outcomeItem(ensured))
  })
}

const outcomeItem = <Of extends Resolved | Ensured>(of: Of): { outcome: Of['outcome'], user_id?: string, reason_code?: BlockedReason } => ({
  outcome: of.outcome, ...'userId' in of && { user_id: of.userId }, ...'reasonCode' in of && { reason_code: of.reasonCode }
})

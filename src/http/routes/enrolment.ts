// Enrolment: a person opens a walkthrough link and sets up a passkey. No access token: the link's own is in the body,
// never in a path, a query or a log.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import type { EnrolmentDeps } from '../../commands/enrolment/deps.ts'
import { readToken, type Link } from '../../commands/enrolment/link.ts'
import { openLink } from '../../commands/enrolment/open.ts'
import { issueOptions } from '../../commands/enrolment/options.ts'
import { verifyAnswer } from '../../commands/enrolment/verify.ts'
import { accepted } from '../answers.ts'
import { personContext } from '../command-context.ts'
import * as schemas from '../schemas/enrolment.ts'

const tags = ['enrolment']
const config = { access: 'public' } as const

export const enrolmentRoutes = (deps: EnrolmentDeps): FastifyPluginAsyncTypebox => async (app) => {
  /** Who asks is known by the link alone: the account that it would make. */
  const caller = (request: FastifyRequest, token: string) => {
    const link = readToken(deps, token)
    return { link, context: personContext(request, personOf(link)) }
  }

  app.post('/api/v1/enrolment/open', {
    config, schema: { tags, summary: 'Open a walkthrough link, on the person\'s click', body: schemas.TokenBody, response: { 200: schemas.LinkOpened } }
  }, async (request, reply) => {
    const { link, context } = caller(request, request.body.token)
    const opened = await openLink(deps, link, context)
    return accepted(reply, opened, { opened_at: opened.openedAt, expires_at: opened.expiresAt })
  })

  app.post('/api/v1/enrolment/options', {
    config, schema: { tags, summary: 'Get a registration challenge, good once and for five minutes', body: schemas.TokenBody, response: { 200: schemas.OptionsIssued } }
  }, async (request, reply) => {
    const { link, context } = caller(request, request.body.token)
    const issued = await issueOptions(deps, link, context)
    return accepted(reply, issued, {
      user_id: issued.userId, expires_at: issued.expiresAt, public_key: issued.publicKey as (typeof schemas.OptionsIssued)['static']['public_key']
    })
  })

  app.post('/api/v1/enrolment/verify', {
    config, schema: { tags, summary: 'Answer the challenge with a new passkey', body: schemas.VerifyBody, response: { 200: schemas.Enrolled } }
  }, async (request, reply) => {
    const { token, response: answer } = request.body
    const { link, context } = caller(request, token)
    const { id, rawId, type, response: { clientDataJSON, attestationObject, transports } } = answer
    const enrolled = await verifyAnswer(deps, link, {
      id, rawId, type, response: { clientDataJSON, attestationObject, ...transports !== undefined && { transports } }
    }, context)
    return accepted(reply, enrolled, { user_id: enrolled.userId, registered_at: enrolled.registeredAt })
  })
}

const personOf = ({ userId }: Link) => ({ id: userId, subject: `user-${userId}` })

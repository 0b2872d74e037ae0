// What a consumer of credentials asks for itself: `/api/v1/consumers/{name}/…`, for the caller of that very name and nobody else.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { acknowledge, fetchValue, hasNewest } from '../../commands/rotations/consumers.ts'
import type { FetchDeps } from '../../commands/rotations/deps.ts'
import { openWebhookSecret, registerKey, type SubscriberDeps } from '../../commands/subscribers/subscribers.ts'
import { refuse } from '../../domain/codes.ts'
import { consumerRoleOf } from '../../domain/principal/roles.ts'
import { keyOf } from '../../domain/subscriber/subscriber.ts'
import { accepted } from '../answers.ts'
import { commandContext } from '../command-context.ts'
import { forbid } from '../forbid.ts'
import * as schemas from '../schemas/subscribers.ts'

export type SubscriberRouteDeps = SubscriberDeps & FetchDeps

const PATH = '/api/v1/consumers/:name'
const permission = 'credentials.consume'
const config = { permission } as const
const tags = ['consumers']
/** Fetches of one principal a minute, beyond those that are answered 304: each is a fact, in a stream that every process folds whole (ADR 0167). */
const FETCHES_PER_MINUTE = 120

export const subscriberRoutes = (deps: SubscriberRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  // After the door has looked at the token and before anything of the body is read.
  app.addHook('onRequest', ownNameOnly)
  const countFetch = app.createRateLimit({ max: FETCHES_PER_MINUTE, timeWindow: 60_000, keyGenerator: ({ caller }) => caller?.principalId ?? '' })

  app.put(`${PATH}/key`, {
    config,
    schema: { tags, summary: 'Register the public key that one\'s deliveries are sealed to, or replace it', params: schemas.SubscriberParams, body: schemas.KeyBody, response: { 200: schemas.KeyAccepted } }
  }, async (request, reply) => {
    const { params: { name: consumer }, body: key, ifMatch } = request
    const receipt = await registerKey(deps, { consumer, key, ifMatch }, commandContext(request))
    const registered = keyOf(receipt.state)
    if (registered === undefined) throw new Error('a key that was neither recorded nor refused')
    return accepted(reply, receipt, { consumer, key_id: receipt.keyId, registered_at: registered.registeredAt })
  })

  app.post(`${PATH}/webhook-secret`, {
    config,
    schema: { tags, summary: 'The secret that checks what is pushed for a credential; each opening is a fact', params: schemas.SubscriberParams, body: schemas.WebhookSecretBody, response: { 200: schemas.WebhookSecretAnswer } }
  }, async (request, reply) => {
    const { params: { name: consumer }, body: { credential } } = request
    const { url, secret, ...receipt } = await openWebhookSecret(deps, { consumer, credential }, commandContext(request))
    unkept(reply)
    return accepted(reply, receipt, { consumer, credential, url, secret: secret.reveal() })
  })

  app.get(`${PATH}/credentials/:credential`, {
    config,
    schema: {
      tags, summary: 'The value that is to be used now, sealed to the registered key; each fetch is a fact, and 120 a minute are enough', params: schemas.SubscriberCredentialParams, headers: schemas.FetchHeaders,
      response: { 200: schemas.FetchedAnswer, 304: schemas.NothingNewer }
    }
  }, async (request, reply) => {
    const { name: consumer, credential } = request.params
    const has = deliveryIn(request.headers['if-none-match'])
    unkept(reply)
    if (has !== undefined && await hasNewest(deps, { consumer, credential, deliverySeq: has })) return reply.code(304).header('etag', `"${has}"`).send(null)
    const counted = await countFetch(request)
    if (!counted.isAllowed && counted.isExceeded) {
      refuse('rate_limited', 'Too many fetches. Wait as Retry-After says; send the ETag of the last one as If-None-Match, which counts only where there is something newer.', { retry_after: counted.ttlInSeconds })
    }
    const { jwe, deliverySeq, ...receipt } = await fetchValue(deps, { consumer, credential }, commandContext(request))
    const body = accepted(reply, receipt, { consumer, credential, delivery_seq: deliverySeq, jwe })
    void reply.header('etag', `"${deliverySeq}"`)
    return body
  })

  app.post(`${PATH}/credentials/:credential/acknowledgements`, {
    config,
    schema: {
      tags, summary: 'Report that a delivered value is in use; safe to repeat', params: schemas.SubscriberCredentialParams, body: schemas.AcknowledgementBody, response: { 200: schemas.AcknowledgementAnswer }
    }
  }, async (request, reply) => {
    const { params: { name: consumer, credential }, body: { delivery_seq: deliverySeq } } = request
    const receipt = await acknowledge(deps, { consumer, credential, deliverySeq }, commandContext(request))
    return accepted(reply, receipt, { consumer, credential, delivery_seq: deliverySeq })
  })
}

/** Whoever names anything else has to be given what there is. */
const deliveryIn = (header: string | undefined): number | undefined => {
  const text = /^"(\d{1,7})"$/.exec(header ?? '')?.[1]
  return text === undefined ? undefined : Number(text)
}

/** No cache on the way may keep it. */
const unkept = (reply: { header (name: string, value: string): unknown }): void => { void reply.header('cache-control', 'no-store') }

/** The role `consumer:{name}` is of that name alone, and no other role stands in for it, also not a superadmin's (decision 34). */
const ownNameOnly = async (request: FastifyRequest): Promise<void> => {
  const { name = '' } = request.params as { name?: string }
  if (request.caller?.roles.has(consumerRoleOf(name)) === true) return
  await forbid(request, permission, 'What is meant for a consumer is given to the principal with its own role consumer:{name}, and to nobody else.')
}

// Consumers of the lifecycle stream: `/api/v1/lobby/consumers`.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { openMacKeyFor, registerConsumer, retireConsumer, type ConsumerDeps } from '../../commands/consumers/consumers.ts'
import type { Consumer } from '../../domain/consumer/consumer.ts'
import { Clear } from '../../domain/personal.ts'
import type { ConsumerQueries, ConsumerRow } from '../../account-queries.ts'
import { accepted } from '../answers.ts'
import { commandContext } from '../command-context.ts'
import { asOwner } from '../own-consumer.ts'
import * as schemas from '../schemas/consumers.ts'
import { Empty, limitOf } from '../schemas/shared.ts'

export type ConsumerRouteDeps = ConsumerDeps & { consumers: Pick<ConsumerQueries, 'page' | 'registered'> }

const PATH = '/api/v1/lobby/consumers'
const WRITE = { permission: 'lobby.write' } as const
const tags = ['lobby']

export const consumerRoutes = (deps: ConsumerRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  app.get(PATH, {
    config: { permission: 'lobby.read', waitsFor: ['consumers'] },
    schema: { tags, summary: 'Who follows the lifecycle stream, retired ones too', querystring: schemas.ConsumerQuery, response: { 200: schemas.ConsumerPage } }
  }, async ({ query }) => {
    const limit = limitOf(query)
    const rows = await deps.consumers.page(query.cursor === undefined ? {} : { after: BigInt(query.cursor) }, limit)
    return { items: rows.map(consumerItem), next_cursor: rows.length < limit ? null : String(rows.at(-1)?.firstPosition) }
  })

  app.put(`${PATH}/:name`, {
    config: WRITE,
    schema: { tags, summary: 'Make a consumer known as one\'s own, or change what is known', params: schemas.ConsumerParams, body: schemas.RegisterBody, response: { 200: schemas.ConsumerAccepted } }
  }, async (request, reply) => {
    const { name: consumer } = request.params
    const { group, overdue_ms: overdueMs } = request.body
    const receipt = await asOwner(request, (by) => registerConsumer(deps, { consumer, group, overdueMs, by, ifMatch: request.ifMatch }, commandContext(request)))
    return accepted(reply, receipt, consumerAnswer(consumer, receipt.state))
  })

  app.post(`${PATH}/:name/retire`, {
    config: WRITE,
    schema: { tags, summary: 'Wait for this consumer no more: the stream may lose what it has not read', params: schemas.ConsumerParams, body: schemas.RetireBody, response: { 200: schemas.ConsumerAccepted } }
  }, async (request, reply) => {
    const { name: consumer } = request.params
    const { reason, ticket } = request.body
    const context = commandContext(request, { reason: new Clear(reason, `principal-${request.caller?.principalId ?? ''}`), ...ticket !== undefined && { ticket } })
    const receipt = await asOwner(request, (by) => retireConsumer(deps, { consumer, by, ifMatch: request.ifMatch }, context))
    return accepted(reply, receipt, consumerAnswer(consumer, receipt.state))
  })

  app.post(`${PATH}/:name/mac-key`, {
    config: WRITE,
    schema: { tags, summary: 'The key that checks the entries\' MAC; each opening is a fact', params: schemas.ConsumerParams, body: Empty, response: { 200: schemas.MacKeyAnswer } }
  }, async (request, reply) => {
    const { name: consumer } = request.params
    const { keyId, key, ...receipt } = await asOwner(request, (by) => openMacKeyFor(deps, { consumer, by, ifMatch: request.ifMatch }, commandContext(request)))
    // A secret: no cache on the way may keep it.
    void reply.header('cache-control', 'no-store')
    return accepted(reply, receipt, { consumer, key_id: keyId, key: Buffer.from(key).toString('base64url') })
  })
}

const consumerAnswer = (consumer: string, state: Consumer) => {
  if (state.status === 'absent') throw new Error('a consumer that was neither recorded nor refused')
  return { consumer, group: state.group, overdue_ms: state.overdueMs, status: state.status }
}

const consumerItem = ({ name, group, overdueMs, registeredAt, retiredAt, position }: ConsumerRow) => ({
  consumer: name, group, overdue_ms: Number(overdueMs), status: retiredAt === null ? 'registered' as const : 'retired' as const,
  registered_at: registeredAt, retired_at: retiredAt, position: String(position)
})

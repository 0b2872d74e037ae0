// What operators do with read models: `/api/v1/operations/projections`.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ProjectionJob, ProjectionOperations, ProjectionStatus } from '../../queries.ts'
import * as schemas from '../schemas/operations.ts'
import { Empty } from '../schemas/shared.ts'

export interface OperationRouteDeps { operations: ProjectionOperations }

const READ = { permission: 'operations.read' } as const
const WRITE = { permission: 'operations.write' } as const
const tags = ['operations']
const PATH = '/api/v1/operations/projections'

export const operationRoutes = ({ operations }: OperationRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  app.get(PATH, {
    config: READ, schema: { tags, summary: 'The read models: version, position, lag, and what stopped them', response: { 200: schemas.ProjectionList } }
  }, async () => ({ items: (await operations.list()).map(projectionItem) }))

  app.post(`${PATH}/:projection/rebuild`, {
    config: WRITE,
    schema: { tags, summary: 'Fill the read model anew beside the serving one, then switch', params: schemas.ProjectionParams, body: Empty, response: { 202: schemas.Operation } }
  }, async (request, reply) => reply.code(202).send(operation(await operations.rebuild(request.params.projection))))

  app.post(`${PATH}/:projection/verify`, {
    config: WRITE,
    schema: { tags, summary: 'Fold the log again and compare byte for byte', params: schemas.ProjectionParams, body: Empty, response: { 202: schemas.Operation } }
  }, async (request, reply) => reply.code(202).send(operation(await operations.verify(request.params.projection))))

  app.get(`${PATH}/operations`, {
    config: READ, schema: { tags, summary: 'The latest rebuilds and verifications', querystring: schemas.OperationQuery, response: { 200: schemas.OperationList } }
  }, async ({ query }) => ({ items: (await operations.jobs(query.projection)).map(operation) }))

  app.get(`${PATH}/operations/:operation_id`, {
    config: READ, schema: { tags, summary: 'How far a rebuild or verification is', params: schemas.OperationParams, response: { 200: schemas.Operation } }
  }, async (request) => operation(await operations.job(...placeOf(request.params.operation_id))))

  app.post(`${PATH}/operations/:operation_id/abort`, {
    config: WRITE, schema: { tags, summary: 'Give up a rebuild or verification', params: schemas.OperationParams, body: Empty, response: { 200: schemas.Operation } }
  }, async (request) => operation(await operations.abort(...placeOf(request.params.operation_id))))
}

/** `users.3`: the read model and the generation that the operation fills. */
const placeOf = (id: string): [string, number] => {
  const [projection = '', generation] = id.split('.')
  return [projection, Number(generation)]
}

const projectionItem = ({ name, version, generation, state, here, position, head, lagMs, alarm }: ProjectionStatus) => ({
  name,
  version,
  generation,
  status: state,
  here,
  position: String(position),
  ...head !== undefined && { head: String(head) },
  lag: lagMs ?? 'unknown' as const,
  ...alarm && { alarm: { ...alarm, message: alarm.message.slice(0, 1000) } }
})

const operation = ({ projection, generation, kind, state, done, total, result, alarm }: ProjectionJob) => ({
  operation_id: `${projection}.${generation}`,
  projection,
  kind,
  status: state,
  done: Number(done),
  total: Number(total),
  ...result && { differences: result.missing + result.unexpected + result.different, result },
  ...alarm && { detail: alarm.message.slice(0, 1000) }
})

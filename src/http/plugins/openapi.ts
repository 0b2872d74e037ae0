// Describes the API as it is: OpenAPI 3.1 at /openapi.json, a page to read it at /docs.
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { Type } from '@sinclair/typebox'
import fp from 'fastify-plugin'
import type { FastifyContextConfig, FastifySchema } from 'fastify'
import { codes } from '../../domain/codes.ts'
import { PROBLEM_TYPE } from '../problems.ts'

const Problem = Type.Object({
  type: Type.String({ maxLength: 128 }),
  title: Type.String({ maxLength: 128 }),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ maxLength: 2000 }),
  code: Type.Union(Object.keys(codes).map((code) => Type.Literal(code))),
  trace_id: Type.String({ maxLength: 32 })
}, { description: 'RFC 9457; further members by code' })

const Keyed = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]+$', maxLength: 255, description: 'The same key and request: the first answer again' }))
})
const CHANGING = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

export default fp(async (app) => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Chancery', version: '1', description: 'Office of record for accounts and credentials. Every command is entered in the log before it takes effect.' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'chy_<principal>.<token>_<secret>_<checksum>' } } }
    },
    transform: ({ schema, url, route }) => ({
      url, schema: described(schema, [route.method].flat().some((method) => CHANGING.has(method)), route.config ?? {})
    })
  })
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { docExpansion: 'list', deepLinking: true } })
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, async () => app.swagger())
})

/** Adds to the description, and only to it, what holds for every route. */
const described = (schema: FastifySchema | undefined, changes: boolean, config: FastifyContextConfig): FastifySchema => {
  const needs = config.permission === undefined
    ? config.access === 'public' ? 'Needs no token; rate limited.' : 'Any known principal.'
    : `Needs the right \`${config.permission}\`${config.loopbackOpen === true ? ', or to be called on the machine itself; rate limited' : ''}.`
  return {
    ...schema,
    description: [schema?.description, needs].filter((text) => text !== undefined).join('\n\n'),
    ...changes && { headers: Keyed },
    ...config.access !== 'public' && { security: [{ token: [] }] },
    response: {
      ...schema?.response as object,
      default: { description: 'Refused, or it went wrong', content: { [PROBLEM_TYPE]: { schema: Problem } } }
    }
  }
}

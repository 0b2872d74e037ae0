// Idempotency-Key, If-Match and the position that a query waits for.
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { refuse } from '../../domain/codes.ts'
import { isPosition } from '../cursors.ts'

/** Longest that a query waits for its read models, in ms. */
const WAIT = 2000
const CHANGING = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

export default fp(async (app) => {
  const { ids, positions } = app.door
  app.decorateRequest('idempotencyKey', undefined)
  app.decorateRequest('ifMatch', undefined)

  app.addHook('onRequest', async (request, reply) => {
    if (!CHANGING.has(request.method) || request.is404) return
    request.idempotencyKey = givenKey(request) ?? ids.next()
    request.ifMatch = ifMatch(request.headers['if-match'])
    void reply.header('idempotency-key', request.idempotencyKey)
  })

  // A request without a body is one with an empty object: then the schema names what is missing.
  app.addHook('preValidation', async (request) => {
    if (request.body === undefined && request.routeOptions.schema?.body !== undefined) request.body = {}
  })

  app.addHook('preHandler', async (request, reply) => {
    const { waitsFor } = request.routeOptions.config
    if (waitsFor === undefined) return
    const wanted = awaited(request) ?? 0n
    const behind = await positions.waitFor(waitsFor, wanted, WAIT)
    if (behind === undefined) return
    void reply.header('retry-after', 1)
    refuse('projection_behind', 'The read model is not there yet. Ask again shortly.', {
      min_position: String(wanted),
      projections: behind.map(({ name, readTo, reason, lagMs }) => ({ name, read_to: String(readTo), reason, lag: lagMs ?? 'unknown' }))
    })
  })
})

const givenKey = (request: FastifyRequest): string | undefined => {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) refuse('invalid_request', 'Idempotency-Key takes 1 to 255 visible ASCII characters.')
  return String(key)
}

/** The quoted revision that ETag gave out; `*` and lists are not taken, since neither says what was read. */
const ifMatch = (header: string | undefined): bigint | undefined => {
  if (header === undefined) return undefined
  const revision = /^"(\d{1,19})"$/.exec(header)?.[1]
  return revision === undefined || !isPosition(revision) ? refuse('invalid_request', 'If-Match takes one ETag as it was given out, such as "7".') : BigInt(revision)
}

const awaited = (request: FastifyRequest): bigint | undefined => {
  const header = request.headers['chancery-position']
  const text = (request.query as { min_position?: string }).min_position ?? header
  if (text === undefined) return undefined
  if (typeof text !== 'string' || !isPosition(text)) return refuse('invalid_request', 'Chancery-Position takes a position as it was given out: a decimal number.')
  return BigInt(text)
}

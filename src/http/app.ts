// Builds the HTTP application: limits, strict reading, who-may, problems; routes are handed in. It does not listen.
import type { ServerOptions } from 'node:http'
import type { FastifyPluginAsyncTypebox, TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, { LogController, type FastifyBaseLogger } from 'fastify'
import { Refusal, refuse } from '../domain/codes.ts'
import { onClientError } from './client-error.ts'
import type { Door } from './door.ts'
import { readJson } from './json.ts'
import type { Metrics } from './metrics.ts'
import authentication from './plugins/authentication.ts'
import headers, { MAX_HEADERS } from './plugins/headers.ts'
import observation from './plugins/observation.ts'
import openapi from './plugins/openapi.ts'
import preconditions from './plugins/preconditions.ts'
import protection from './plugins/protection.ts'
import routeTable from './plugins/route-table.ts'
import { sendProblem } from './problems.ts'

export interface AppOptions extends Door {
  routes: readonly FastifyPluginAsyncTypebox[]
  logger?: FastifyBaseLogger
  metrics?: Pick<Metrics, 'request'>
  /** PEM of certificate and key; without it the app speaks plain HTTP. */
  tls?: { cert: string, key: string }
  /** Addresses or CIDRs whose X-Forwarded-* are believed. */
  trustedProxies?: readonly string[]
  /** Mean delay of the event loop, in ms, from which requests are answered 503 `overloaded`; default 1,000. */
  maxEventLoopDelay?: number
}

/** What a caller may take of us; times in ms, sizes in bytes. */
const LIMITS = { request: 10_000, headers: 5_000, keepAlive: 5_000, headerBytes: 8 * 1024, bodyBytes: 64 * 1024 }
/** Requests a minute and address to paths and methods that there are not, which need no token either. */
const NOWHERE = { max: 600, timeWindow: 60_000 }

/**
 * The application, ready for `listen` or `inject` after `await app.ready()`.
 * Throws at start if a route states neither permission nor access, or a schema is not strict JSON Schema.
 */
export const buildApp = async (options: AppOptions) => {
  const { routes, logger, tls, trustedProxies, maxEventLoopDelay = 1000, metrics, access, keys, ids, clock, positions, readModelsAway } = options
  const server: ServerOptions = {
    maxHeaderSize: LIMITS.headerBytes, headersTimeout: LIMITS.headers, connectionsCheckingInterval: 1000, requireHostHeader: true
  }
  const app = fastify({
    ...logger === undefined ? { logger: false } : { loggerInstance: logger },
    ...tls === undefined ? { http: server } : { https: { ...server, ...tls } },
    trustProxy: trustedProxies === undefined || trustedProxies.length === 0 ? false : [...trustedProxies],
    requestTimeout: LIMITS.request,
    keepAliveTimeout: LIMITS.keepAlive,
    bodyLimit: LIMITS.bodyBytes,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => ids.next(),
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 256, querystringParser: parseQuery },
    clientErrorHandler: onClientError,
    frameworkErrors: sendProblem,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, strict: true, strictTypes: false, allErrors: false, keywords: ['personal'] } }
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.server.maxHeadersCount = 2 * MAX_HEADERS
  app.decorate('door', { access, keys, ids, clock, positions, readModelsAway })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      if (/charset\s*=\s*(?!"?utf-8)/i.test(request.headers['content-type'] ?? '')) refuse('unsupported_media_type', 'Send the body as application/json in UTF-8.')
      done(null, body.length === 0 ? undefined : readJson(body as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })
  app.setErrorHandler(sendProblem)
  if (metrics !== undefined) await app.register(observation, { metrics })
  await app.register(routeTable)
  await app.register(headers)
  await app.register(protection, { tls: tls !== undefined, maxEventLoopDelay })
  app.setNotFoundHandler({ preHandler: app.rateLimit(NOWHERE) }, (request, reply) => {
    const methods = app.methodsOf(request.url.split('?', 1)[0] ?? '')
    if (methods.length === 0) return sendProblem(new Refusal('route_not_found', 'There is no such route. /openapi.json lists them all.'), request, reply)
    void reply.header('allow', methods.join(', '))
    sendProblem(new Refusal('method_not_allowed', `This path takes ${methods.join(', ')}.`), request, reply)
  })

  await app.register(preconditions)
  await app.register(authentication)
  await app.register(openapi)
  for (const route of routes) await app.register(route)
  return app
}

/** Query strings as flat text; a key that stands twice becomes a list, which no schema takes. It must not throw: nobody would catch it. */
const parseQuery = (text: string): Record<string, string | string[]> => {
  const query: Record<string, string | string[]> = Object.create(null) as Record<string, string>
  for (const [key, value] of new URLSearchParams(text)) {
    const before = query[key]
    query[key] = before === undefined ? value : [before, value].flat()
  }
  return query
}

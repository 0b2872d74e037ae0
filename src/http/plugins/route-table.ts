// Every route says who may call it, or the start fails; the table is kept for 405 answers and for the tests that walk it.
import fp from 'fastify-plugin'
import type { FastifyContextConfig, RouteOptions } from 'fastify'
import { POSITION } from '../schemas/shared.ts'

export interface RouteEntry {
  method: string
  /** Pattern, as it was registered: `/api/v1/principals/:principal_id`. */
  url: string
  config: FastifyContextConfig
  schema: Readonly<Record<string, unknown>>
}

declare module 'fastify' {
  interface FastifyInstance {
    routeTable: readonly RouteEntry[]
    /** Methods that another registration of this path has. */
    methodsOf (path: string): string[]
  }
}

/** Pages of other people's plugins, which cannot state a config of their own. */
const FOREIGN = '/docs'

/** Requests a minute and address on a route that needs no token, where the route says no other number. */
const PUBLIC_PER_MINUTE = 120

export default fp(async (app) => {
  const table: RouteEntry[] = []
  const patterns = new Map<string, { pattern: RegExp, methods: Set<string> }>()

  app.decorate('routeTable', table)
  app.decorate('methodsOf', (path: string) => [...patterns.values()].filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => [...methods]))

  app.addHook('onRoute', (route) => {
    const config: FastifyContextConfig = { ...route.config }
    if (route.url.startsWith(FOREIGN) && config.permission === undefined) config.access = 'public'
    if ((config.permission === undefined) === (config.access === undefined)) {
      throw new Error(`${String(route.method)} ${route.url} must state either config.permission or config.access`)
    }
    const open = config.access === 'public' || config.loopbackOpen === true
    if (open && config.rateLimit === false) throw new Error(`${String(route.method)} ${route.url} needs no token, so it needs a rate limit`)
    if (open && config.rateLimit === undefined) config.rateLimit = { max: PUBLIC_PER_MINUTE, timeWindow: 60_000 }
    route.config = config
    withMinPosition(route)

    const { pattern, methods } = patterns.get(route.url) ?? { pattern: patternOf(route.url), methods: new Set<string>() }
    patterns.set(route.url, { pattern, methods })
    for (const method of [route.method].flat()) {
      methods.add(method)
      table.push({ method, url: route.url, config, schema: (route.schema ?? {}) as Record<string, unknown> })
    }
  })
})

const patternOf = (url: string): RegExp => {
  const escaped = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/:[A-Za-z_]+/g, '[^/]+').replaceAll('*', '.*')}$`)
}

/** A query that can wait takes `min_position`, without every schema saying so. */
const withMinPosition = (route: RouteOptions): void => {
  if (route.config?.waitsFor === undefined) return
  const querystring = (route.schema?.querystring ?? { type: 'object', properties: {}, additionalProperties: false }) as { properties?: object }
  route.schema = {
    ...route.schema,
    querystring: {
      ...querystring,
      properties: {
        ...querystring.properties,
        min_position: { type: 'string', pattern: `^${POSITION}$`, description: 'The answer shows at least this log position (or 503 projection_behind).' }
      }
    }
  }
}

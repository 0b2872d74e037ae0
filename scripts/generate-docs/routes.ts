// docs/reference/routes.md: every HTTP route with the right it needs, its body and its answer, from the running app's own table.
import { readConfig } from '../../src/config.ts'
import { buildApp, type AppOptions } from '../../src/http/app.ts'
import type { RouteEntry } from '../../src/http/plugins/route-table.ts'
import { routesOf, type Parts } from '../../src/start/routes.ts'
import { code, opening, table } from './markdown.ts'
import { describe, type Schema } from './schema.ts'

/** Stands for every part of the program: the app is built and looked at, and never asked. */
const nothing: unknown = new Proxy(() => nothing, { get: (_target, name) => name === 'then' ? undefined : nothing, apply: () => nothing })

const routeTable = async (): Promise<RouteEntry[]> => {
  const parts = { ...nothing as object, config: readConfig({}) }
  const every = new Proxy(parts, { get: (target, name) => name in target ? target[name as 'config'] : nothing }) as unknown as Parts
  const door = nothing as AppOptions
  const app = await buildApp({ routes: routesOf(every), access: door.access, keys: door.keys, ids: { next: () => '', derive: () => '' }, clock: door.clock, positions: door.positions, readModelsAway: () => false })
  await app.ready()
  const found = app.routeTable.filter(({ method, url }) => method !== 'HEAD' && url.startsWith('/') && !url.startsWith('/docs'))
  await app.close()
  return found
}

export const routesPage = async (): Promise<string> => {
  const routes = await routeTable()
  return [
    opening('HTTP routes', 'the routes in src/http/routes', 'The same, for programs, is at `/openapi.json` of a running service, and as a page at `/docs`. Answers that are refusals are in ' +
      '[error codes](codes.md), permissions in [roles](roles.md).'),
    table(['route', 'needs', 'what it does'], routes.map((route) => [link(route), needs(route), summary(route)])),
    CONVENTIONS,
    ...routes.filter(hasDetails).map(section)
  ].join('\n')
}

const CONVENTIONS = `## What holds for all of them

- \`Authorization: Bearer chy_…\` on every route that is not public. What needs no token is rate limited by
  address: public routes, health and metrics, and paths that do not exist; then 429 with \`Retry-After\`.
- Bodies are JSON in snake_case and at most 64 KiB, where nothing else is said. What a schema does not name is refused.
- Routes that change something take an \`Idempotency-Key\` (1 to 255 visible ASCII characters): the same key with the same
  request gets the first answer again, with another request 422 \`idempotency_key_reused\`. Without one the service makes one up
  and names it in the answer's header.
- Their answers carry \`position\` and \`revision\` as decimal strings, and the same in \`Chancery-Position\` and \`ETag\`. With
  \`If-Match: "<revision>"\` a command is refused (412) if the subject has moved.
- A query that is sent with \`Chancery-Position\` (or \`min_position\`) shows at least what was done up to there; it waits up to two
  seconds, then answers 503 \`projection_behind\`, which names the read models and their \`lag\` in ms (\`unknown\` before their first event).
- Lists come in pages: \`limit\` (1 to 1000, default 100) and \`cursor\`, the \`next_cursor\` of the page before.
`

const title = ({ method, url }: RouteEntry): string => `${method} ${url.replaceAll(/:([a-z_]+)/g, '{$1}')}`
const anchor = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9_ -]/g, '').replaceAll(' ', '-')
const link = (route: RouteEntry): string => hasDetails(route) ? `[${code(title(route))}](#${anchor(title(route))})` : code(title(route))
const summary = ({ schema }: RouteEntry): string => typeof schema['summary'] === 'string' ? schema['summary'] : ''

const needs = ({ config }: RouteEntry): string => {
  if (config.permission !== undefined) return code(config.permission) + (config.loopbackOpen === true ? ', or to be on the same machine' : '')
  return config.access === 'public' ? 'nothing' : 'any token'
}

const fields = (schema: unknown): string[][] => {
  const { properties = {}, required = [] } = (schema ?? {}) as Schema
  return Object.entries(properties).map(([name, field]) => [code(name), required.includes(name) ? '' : 'optional', describe(field), field.description ?? ''])
}

/** Fields of a body by their part of the route's schema. */
const partsOf = ({ schema }: RouteEntry): Array<[title: string, rows: string[][]]> => {
  const responses = Object.entries((schema['response'] ?? {}) as Record<string, unknown>)
  return ([
    ['Query', fields(schema['querystring'])],
    ['Body', fields(schema['body'])],
    ...responses.map(([status, body]): [string, string[][]] => [`Answer ${status}`, fields(body)])
  ] satisfies Array<[string, string[][]]>).filter(([, rows]) => rows.length > 0)
}

const hasDetails = (route: RouteEntry): boolean => partsOf(route).length > 0

const section = (route: RouteEntry): string => [
  `## ${title(route)}\n`,
  `${summary(route)}. Needs: ${needs(route)}.\n`,
  ...partsOf(route).map(([name, rows]) => `${name}:\n\n${table(['field', '', 'value', 'meaning'], rows)}`)
].join('\n')

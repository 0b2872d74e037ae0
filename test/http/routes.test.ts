// Every route of the service, from its own table: who may call it, what it takes, how it is described.
import { Validator } from '@seriousme/openapi-schema-validator'
import t, { type Test } from 'tap'
import { allows, permissions, roles, type Permission, type Role } from '../../src/domain/principal/roles.ts'
import type { RouteEntry } from '../../src/http/plugins/route-table.ts'
import { routesOf, type Parts } from '../../src/start/routes.ts'
import { readConfig } from '../../src/config.ts'
import { testDoor } from '../support/door.ts'
import { testService } from '../support/service.ts'

t.setTimeout(90_000)

/** The consumer that the routes of consumers are asked for. */
const OWN_CONSUMER: Role = 'consumer:own'

/** Stands for what only a handler would touch: these tests call none. */
const untouched = (): unknown => new Proxy(() => untouched(), { get: (_target, name) => name === 'then' ? undefined : untouched() })

/** The routes of the service as they are registered, with nothing behind them. */
const everyRoute = async (t: Test) => {
  const parts = new Proxy({ config: readConfig({}) }, { get: (target, name) => name === 'config' ? target.config : untouched() })
  return testDoor(t, routesOf(parts as unknown as Parts))
}

/** Ours, without the pages of the API's description. */
const ours = (table: readonly RouteEntry[]) => table.filter(({ url, method }) => !url.startsWith('/docs') && method !== 'HEAD')

t.test('what each route says of itself', async (t) => {
  const app = await everyRoute(t)
  const routes = ours(app.routeTable)
  t.ok(routes.length > 20, `${routes.length} routes`)

  await t.test('free text is something to be seen: a blank is no reason', async (t) => {
    let found = 0
    for (const { method, url, schema } of routes) {
      for (const part of ['body', 'querystring'] as const) {
        for (const [name, field] of Object.entries((schema[part] as Schema | undefined)?.['properties'] ?? {}) as Array<[string, Schema]>) {
          if (!['reason', 'public_note', 'internal_note', 'evidence', 'name'].includes(name)) continue
          found++
          const pattern = new RegExp(typeof field['pattern'] === 'string' ? field['pattern'] : '', 'u')
          for (const text of [' ', '\u00a0\t\n', '\u200b', '\u2800', '\ufeff\u200d']) t.notOk(pattern.test(text), `${method} ${url} ${name}: ${encodeURIComponent(text)}`)
          for (const text of ['x', ' she asked ', '頼まれた', '👩‍🚀']) t.ok(pattern.test(text), `${method} ${url} ${name}: ${text}`)
        }
      }
    }
    t.ok(found > 15, `${found} of them`)
  })

  await t.test('schemas take nothing unknown and nothing without an end', async (t) => {
    for (const { method, url, schema } of routes) {
      const name = `${method} ${url}`
      for (const part of ['body', 'querystring', 'params'] as const) {
        if (schema[part] !== undefined) t.strictSame(loose(schema[part] as Schema, part), [], `${name} ${part}`)
      }
      if (['POST', 'PUT', 'PATCH'].includes(method)) t.ok(schema['body'], `${name} says what it takes`)
      if (/:/.test(url)) t.ok(schema['params'], `${name} says what its path takes`)
    }
    const planted: Schema = { type: 'object', properties: { a: { type: 'array', items: { type: 'string' } } } }
    t.equal(loose(planted, 'body').length, 3, 'a planted loose schema is found')
  })

  await t.test('the description is valid and complete', async (t) => {
    const description = app.swagger() as unknown as { openapi: string, paths: Record<string, Record<string, object>> }
    t.match(description.openapi, /^3\.1/)
    t.match(await new Validator().validate(description), { valid: true })
    for (const { method, url } of routes.filter((route) => route.url !== '/openapi.json' && !route.url.startsWith('/enrol'))) {
      t.ok(description.paths[url.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()], `${method} ${url} is described`)
    }
    t.same((await app.inject('/openapi.json')).json(), JSON.parse(JSON.stringify(description)))
  })

  await t.test('the page to read it obeys the policy', async (t) => {
    const page = await app.inject('/docs/')
    t.equal(page.statusCode, 200)
    t.match(page.headers['content-security-policy'], /default-src 'none';script-src 'self';style-src 'self'/)
    t.notMatch(page.body, /<script(?![^>]*\bsrc=)[^>]*>|<style|\son\w+=|style=/, 'no inline script or style')
    for (const [, source = ''] of page.body.matchAll(/(?:src|href)="\.\/([^"]+)"/g)) t.equal((await app.inject(`/docs/${source}`)).statusCode, 200, source)
  })

  await t.test('the rights that matter most, by name', async (t) => {
    const whoMay = (method: string, url: string) => {
      const route = routes.find((entry) => entry.method === method && entry.url === url)
      const permission = route?.config.permission
      return permission === undefined ? route?.config.access : (Object.keys(roles) as Role[]).filter((role) => allows([role], permission)).sort()
    }
    t.strictSame(whoMay('POST', '/api/v1/console/beta/testers/:tester_id/ghost-reset'), ['console-users-write', 'superadmin'], 'seed 000')
    t.strictSame(whoMay('POST', '/api/internal/users/ghost-delete'), ['accounts-service', 'superadmin'])
    t.strictSame(whoMay('POST', '/api/v1/principals'), ['superadmin'])
    t.strictSame(whoMay('GET', '/api/v1/audit/events'), ['auditor', 'superadmin'])
    t.strictSame(whoMay('POST', '/api/v1/internal/users/:user_id/delete'), ['admin-service', 'superadmin'], 'seed 003')
    t.strictSame(whoMay('POST', '/api/v1/admin/users/:user_id/sanctions'), ['admin', 'superadmin'])
    t.strictSame(whoMay('PATCH', '/api/v1/self/:user_id'), ['gateway-service', 'superadmin'])
    t.strictSame(whoMay('POST', '/api/v1/auth/ensure-by-email'), ['auth-service', 'superadmin'])
    for (const step of ['', '/:rotation_id/verify', '/:rotation_id/distribute', '/:rotation_id/retry', '/:rotation_id/validate', '/:rotation_id/waive', '/:rotation_id/revoke', '/:rotation_id/abort']) {
      t.strictSame(whoMay('POST', `/api/v1/credentials/:name/rotations${step}`), ['rotations-operator', 'superadmin'], `seed 004: ${step}`)
    }
    for (const [method, path] of [['PUT', ''], ['POST', '/value']] as const) t.strictSame(whoMay(method, `/api/v1/credentials/:name${path}`), ['rotations-operator', 'superadmin'])
    for (const path of ['', '/:rotation_id', '/:rotation_id/events', '/:rotation_id/transcript']) {
      t.strictSame(whoMay('GET', `/api/v1/credentials/:name/rotations${path}`), ['rotations-operator', 'rotations-read', 'superadmin'])
    }
    t.strictSame(whoMay('GET', '/api/v1/me'), 'authenticated')
    t.strictSame(routes.filter(({ config }) => config.access === 'public').map(({ url }) => url).sort(), [
      '/api/v1/enrolment/open', '/api/v1/enrolment/options', '/api/v1/enrolment/verify', '/enrol', '/enrol/enrol.css', '/enrol/enrol.js',
      '/health/live', '/health/ready', '/openapi.json'
    ], 'nothing else is open to all')
  })
})

t.test('whatever needs no token has an end', async (t) => {
  const app = await everyRoute(t)
  const open = app.routeTable.filter(({ config }) => config.access === 'public' || config.loopbackOpen === true)
  t.ok(open.length > 10, `${open.length} routes`)
  const exhaust = async (method: string, url: string, max: number): Promise<void> => {
    const ask = () => app.inject({ method: method as 'GET', url: url.replaceAll(/:\w+|\*/g, 'x') })
    const answered = new Set<number>()
    for (let i = 0; i < max; i++) answered.add((await ask()).statusCode)
    t.notOk(answered.has(429), `${method} ${url} takes ${max} a minute`)
    const refused = await ask()
    t.equal(refused.statusCode, 429, `${method} ${url}`)
    const wait = Number(refused.headers['retry-after'])
    t.ok(wait >= 1 && wait <= 60, `Retry-After ${wait}`)
    if (method !== 'HEAD') t.match(refused.json(), { code: 'rate_limited', status: 429 })
  }
  const counted = new Set<object>()
  for (const { method, url, config } of open) {
    if (!counted.has(config)) await exhaust(method, url, (config.rateLimit as { max: number }).max)
    counted.add(config)
  }
  await exhaust('GET', '/api/v1/nowhere', 600)
  t.equal((await app.inject({ method: 'DELETE', url: '/health/live' })).statusCode, 429, 'a wrong method counts as the same')
})

t.test('every route × every role', async (t) => {
  const service = await testService(t, { env: { CHANCERY_ROLES: 'api,projector' } })
  const routes = ours((await everyRoute(t)).routeTable)
  const callers = new Map<Role | 'none' | 'revoked', string>()
  for (const role of [...Object.keys(roles) as Role[], OWN_CONSUMER, 'consumer:another', 'none', 'revoked'] as const) {
    const own = role === 'none' || role === 'revoked' || role === 'superadmin' ? [] : [role]
    const { body: { principal_id: id } } = await service.request('POST', '/api/v1/principals', { name: role, kind: 'operator', roles: own })
    const url = `/api/v1/principals/${String(id)}`
    if (role === 'superadmin' || role === 'revoked') await service.request('PUT', `${url}/roles/superadmin`, {})
    const { body } = await service.request('POST', `${url}/tokens`, {})
    if (role === 'revoked') t.equal((await service.request('DELETE', `${url}/tokens/${String(body['token_id'])}`)).status, 200)
    callers.set(role, `Bearer ${String(body['token'])}`)
  }

  let cells = 0
  for (const { method, url, config } of routes) {
    const own = url.startsWith('/api/v1/consumers/:name/')
    const path = url.replace(/:\w*role\w*/, 'auditor').replace('/consumers/:name/', '/consumers/own/').replace(/:\w+/g, '00000000-0000-4000-8000-000000000000')
    const ask = async (authorization: string) => {
      const { status, body } = await service.request(method, path, method === 'GET' || method === 'DELETE' ? undefined : { not: 'known' }, { authorization })
      cells++
      return { status, code: body['code'], permission: body['permission'] }
    }
    const anybody = config.access === 'public' || config.loopbackOpen === true
    const without = await ask('')
    t.equal(without.status === 401, !anybody, `${method} ${url} without a token: ${without.status}`)
    await Promise.all([...callers].map(async ([role, authorization]) => {
      const { status, code, permission } = await ask(authorization)
      const name = `${method} ${url} as ${role}: ${status}`
      // What is meant for a consumer, its own role alone opens: neither another one's nor a superadmin's.
      const may = own ? role === OWN_CONSUMER : mayCall(role, config.permission)
      if (config.access === 'public') t.ok(status !== 401 && status !== 403, name)
      else if (role === 'revoked') t.equal(status, 401, name)
      else if (may) t.ok(status !== 401 && status !== 403 && status < 500, name)
      else t.strictSame([status, code, permission], [403, 'forbidden', config.permission], name)
    }))
  }
  t.equal(cells, routes.length * (callers.size + 1), `${cells} cells`)
  const unasked = permissions.filter((permission) => !routes.some(({ config }) => config.permission === permission))
  t.strictSame(unasked, ['persons.read', 'accounts.open_deleted'], 'each right opens a route, but for those that open what is sealed or deleted in answers')
})

t.test('no position and no moment that a query can name is more than Postgres can hold', async (t) => {
  const service = await testService(t, { env: { CHANCERY_ROLES: 'api,projector' } })
  const beyond = {
    position: ['9999999999999999999', '9223372036854775808'], cursor: ['9999999999999999999', '1.9999999999999999999', '9999999999999999999.1'],
    moment: ['0000-01-01T00:00:00Z', '0000-12-31T23:59:59.999Z']
  }
  const kinds: Record<string, string[]> = {
    cursor: [...beyond.position, ...beyond.cursor], as_of: [...beyond.position, ...beyond.moment], min_position: beyond.position,
    from: [...beyond.position, ...beyond.moment], to: [...beyond.position, ...beyond.moment], created_from: beyond.moment, created_to: beyond.moment
  }
  let asked = 0
  for (const { method, url, schema } of ours((await everyRoute(t)).routeTable)) {
    if (method !== 'GET') continue
    for (const name of Object.keys((schema['querystring'] as { properties?: object } | undefined)?.properties ?? {})) {
      for (const value of kinds[name] ?? []) {
        asked++
        const others = name === 'from' && url.endsWith('digest') ? '&to=1' : name === 'to' && url.endsWith('digest') ? '&from=1' : ''
        const { status, body } = await service.request('GET', `${url.replace(/:\w+/g, '00000000-0000-4000-8000-000000000000')}?${name}=${value}${others}`)
        t.strictSame([status, body['code']], [400, 'invalid_request'], `${url} ${name}=${value}`)
      }
    }
  }
  t.ok(asked > 50, `${asked} asked`)
  const { body: { user_id: userId } } = await service.request('POST', '/api/v1/auth/ensure-by-email', { email: 'a@example.org' })
  const tariff = await service.request('POST', `/api/v1/admin/users/${String(userId)}/tariff`, { code: 'gold', reason_code: 'gift', since: '0000-02-01T00:00:00Z' })
  t.equal(tariff.status, 400, 'such a moment in the log would stop the read models')
  const row = { email: 'b@example.org', invited_at: '0001-01-01T00:00:00+14:00' }
  t.match(await service.request('POST', '/api/v1/console/beta/testers/import', { rows: [row] }), { status: 422, text: /before the year 1/ }, 'nor by an import, whatever its offset')
})

const mayCall = (role: Role | 'none' | 'revoked', permission: Permission | undefined): boolean =>
  permission === undefined || (role !== 'none' && role !== 'revoked' && allows([role], permission))

type Schema = Record<string, unknown>

/** Where a schema would take something unknown or without an end. */
const loose = (schema: Schema, path: string): string[] => {
  const found: string[] = []
  const is = (type: string) => [schema['type']].flat().includes(type)
  if (is('object')) {
    if (schema['additionalProperties'] !== false && schema['maxProperties'] === undefined) found.push(`${path}: additionalProperties`)
    for (const [name, inner] of Object.entries(schema['properties'] ?? {})) found.push(...loose(inner as Schema, `${path}.${name}`))
  }
  if (is('array')) {
    if (schema['maxItems'] === undefined) found.push(`${path}: maxItems`)
    found.push(...loose(schema['items'] as Schema, `${path}[]`))
  }
  if (is('string') && schema['maxLength'] === undefined && schema['enum'] === undefined && schema['const'] === undefined && !boundedPattern(schema['pattern'])) found.push(`${path}: maxLength`)
  for (const union of ['anyOf', 'oneOf', 'allOf']) {
    for (const [at, inner] of ((schema[union] ?? []) as Schema[]).entries()) found.push(...loose(inner, `${path}|${at}`))
  }
  if (['type', 'anyOf', 'oneOf', 'allOf', 'const', 'enum'].every((word) => schema[word] === undefined)) found.push(`${path}: anything`)
  return found
}

/** An anchored pattern without an unbounded repetition has an end of its own. */
const boundedPattern = (pattern: unknown): boolean =>
  typeof pattern === 'string' && /^\^.*\$$/s.test(pattern) && !/[*+]|\{\d+,\}/.test(pattern.replace(/\\[*+]/g, ''))

// The door against rubbish: what is not well formed is refused in one form, and nothing of it gets further.
import { connect, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { Type } from '@sinclair/typebox'
import { DatabaseError } from 'pg'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import t from 'tap'
import { codes, Refusal, type Code } from '../../src/domain/codes.ts'
import { canonicalJson, readJson } from '../../src/http/json.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import { openJobs } from '../../src/http/open-jobs.ts'
import { registerRotationMetrics } from '../../src/http/rotation-metrics.ts'
import { healthRoutes } from '../../src/http/routes/health.ts'
import { LogOutcomeUnknown, LogUnavailable, UnreadableEvent, WrongExpectedRevision } from '../../src/log-errors.ts'
import { accepted } from '../../src/http/answers.ts'
import { commandContext } from '../../src/http/command-context.ts'
import { into, NAME, ROTATION, rules } from '../domain/rotation/world.ts'
import { testDoor } from '../support/door.ts'
import { until } from '../support/until.ts'

const closed = { additionalProperties: false } as const
const Body = Type.Object({
  text: Type.String({ maxLength: 10 }), count: Type.Optional(Type.Integer({ minimum: 0, maximum: 9 })), any: Type.Optional(Type.Unknown())
}, closed)

/** A route that keeps what reached it, and one that throws what the test says. */
const probe = () => {
  const reached: unknown[] = []
  let thrown: unknown
  const routes: FastifyPluginAsyncTypebox = async (app) => {
    app.post('/api/v1/probe', { config: { permission: 'operations.write' }, schema: { body: Body } }, async (request, reply) => {
      reached.push(request.body)
      const { commandId, fingerprint } = commandContext(request)
      return accepted(reply, { position: 7n, revision: 3n }, { command_id: commandId, fingerprint, if_match: String(request.ifMatch) }, 201)
    })
    app.get('/api/v1/probe', { config: { permission: 'operations.read' }, schema: { querystring: Type.Object({ limit: Type.Optional(Type.String({ maxLength: 3 })) }, closed) } }, async () => ({}))
    app.get('/api/v1/waiting', { config: { permission: 'operations.read', waitsFor: ['one'] } }, async () => ({ answered: true }))
    app.post('/api/v1/throws', { config: { permission: 'operations.write' } }, async () => { throw thrown })
    app.post('/api/v1/public', { config: { access: 'public', rateLimit: { max: 3, timeWindow: 60_000 } } }, async () => ({}))
  }
  return { routes, reached, throwing: (error: unknown) => { thrown = error } }
}

const json = { authorization: 'Bearer superadmin', 'content-type': 'application/json' }
const deep = (levels: number) => `{"text":"x","any":${'['.repeat(levels)}${']'.repeat(levels)}}`

t.test('rubbish is refused before the handler, in one form', async (t) => {
  const { routes, reached } = probe()
  const app = await testDoor(t, [routes])
  const rubbish: Array<[string, string | Buffer, Record<string, string>, number, Code]> = [
    ['no JSON', '{"text":', {}, 400, 'invalid_request'],
    ['two values', '{"text":"a"}{"text":"b"}', {}, 400, 'invalid_request'],
    ['a key twice', '{"text":"a","text":"b"}', {}, 400, 'invalid_request'],
    ['a key twice, once escaped', '{"text":"a","te\\u0078t":"b"}', {}, 400, 'invalid_request'],
    ['a key twice deep inside', '{"text":"a","any":[{"k":[{"x":1,"x":1}]}]}', {}, 400, 'invalid_request'],
    ['__proto__', '{"text":"a","__proto__":{}}', {}, 400, 'invalid_request'],
    ['17 levels', deep(16), {}, 400, 'invalid_request'],
    ['NUL', '{"text":"a\\u0000"}', {}, 400, 'invalid_request'],
    ['NUL in a key', '{"text":"a","any":{"\\u0000":1}}', {}, 400, 'invalid_request'],
    ['half a surrogate pair', '{"text":"\\ud800"}', {}, 400, 'invalid_request'],
    ['a pair the wrong way round', '{"text":"\\udc00\\ud800"}', {}, 400, 'invalid_request'],
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0x74, 0x65, 0x78, 0x74, 0x22, 0x3a, 0x22, 0xc3, 0x28, 0x22, 0x7d]), {}, 400, 'invalid_request'],
    ['overlong UTF-8', Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xc0, 0x80]), Buffer.from('"}')]), {}, 400, 'invalid_request'],
    ['UTF-16', Buffer.from('{"text":"a"}', 'utf16le'), {}, 400, 'invalid_request'],
    ['byte order mark', '\ufeff{"text":"a"}', {}, 400, 'invalid_request'],
    ['over 64 KiB', `{"text":"${'x'.repeat(65_536)}"}`, {}, 413, 'payload_too_large'],
    ['an unknown property', '{"text":"a","more":1}', {}, 400, 'invalid_request'],
    ['a number as text', '{"text":"a","count":"3"}', {}, 400, 'invalid_request'],
    ['text as a number', '{"text":3}', {}, 400, 'invalid_request'],
    ['infinity', '{"text":"a","count":1e999}', {}, 400, 'invalid_request'],
    ['a property missing', '{}', {}, 400, 'invalid_request'],
    ['no body', '', {}, 400, 'invalid_request'],
    ['a list', '[]', {}, 400, 'invalid_request'],
    ['null', 'null', {}, 400, 'invalid_request'],
    ['too long', '{"text":"12345678901"}', {}, 400, 'invalid_request'],
    ['a form', 'text=a', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
    ['plain text', '{"text":"a"}', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['another charset', '{"text":"a"}', { 'content-type': 'application/json; charset=utf-16' }, 415, 'unsupported_media_type'],
    ['an empty key', '{"text":"a"}', { 'idempotency-key': '' }, 400, 'invalid_request'],
    ['a key with a space', '{"text":"a"}', { 'idempotency-key': 'a b' }, 400, 'invalid_request'],
    ['a key of 256', '{"text":"a"}', { 'idempotency-key': 'k'.repeat(256) }, 400, 'invalid_request'],
    ['a weak If-Match', '{"text":"a"}', { 'if-match': 'W/"3"' }, 400, 'invalid_request'],
    ['If-Match of anything', '{"text":"a"}', { 'if-match': '*' }, 400, 'invalid_request']
  ]
  for (const [what, payload, headers, status, code] of rubbish) {
    const answer = await app.inject({ method: 'POST', url: '/api/v1/probe', payload, headers: { ...json, ...headers } })
    t.equal(answer.statusCode, status, what)
    t.match(answer.headers['content-type'], /^application\/problem\+json/, `${what}: content type`)
    t.match(answer.json(), { type: `urn:chancery:problem:${code}`, title: codes[code].title, status, code, trace_id: /^[0-9a-f]{32}$/, detail: /\w/ }, `${what}: body`)
  }
  t.strictSame(reached, [], 'nothing reached the handler')
  const large = await app.inject({ method: 'POST', url: '/api/v1/probe', payload: `{"text":"${'x'.repeat(65_536)}"}`, headers: json })
  t.match(large.json(), { detail: /at most 64 KiB/ }, 'how large it may be is said')

  for (const url of ['/api/v1/probe?limit=1&limit=2', '/api/v1/probe?other=1', '/api/v1/probe?limit=%00', '/api/v1/probe?limit=%ED%A0%80', '/api/v1/%C0%80', '/api/v1/%zz', '/api/v1/waiting?min_position=1e3', '/api/v1/waiting?min_position=-1']) {
    const answer = await app.inject({ url, headers: json })
    t.ok(answer.statusCode === 400 || answer.statusCode === 404, `${url} → ${answer.statusCode}`)
    t.match(answer.headers['content-type'], /problem/, url)
  }
  t.equal((await app.inject({ method: 'POST', url: '/api/v1/probe', payload: deep(15), headers: json })).statusCode, 201, '16 levels are taken')
  t.equal((await app.inject({ method: 'POST', url: '/api/v1/probe', payload: '{"text":"😀"}', headers: json })).statusCode, 201, 'whole pairs are taken')
})

t.test('unknown paths and methods', async (t) => {
  const app = await testDoor(t, [probe().routes])
  t.match((await app.inject('/api/v1/nothing')).json(), { status: 404, code: 'route_not_found' })
  const wrong = await app.inject({ method: 'DELETE', url: '/api/v1/probe' })
  t.match(wrong.json(), { status: 405, code: 'method_not_allowed' })
  t.strictSame(String(wrong.headers.allow).split(', ').sort(), ['GET', 'HEAD', 'POST'])
})

t.test('a route that does not say who may call it stops the start', async (t) => {
  const silent: FastifyPluginAsyncTypebox = async (app) => { app.get('/api/v1/silent', async () => ({})) }
  const both: FastifyPluginAsyncTypebox = async (app) => { app.get('/api/v1/both', { config: { access: 'public', permission: 'audit.read' } }, async () => ({})) }
  await t.rejects(testDoor(t, [silent]), { message: /GET \/api\/v1\/silent must state either/ })
  await t.rejects(testDoor(t, [both]), { message: /GET \/api\/v1\/both must state either/ })
})

t.test('every error has its one answer', async (t) => {
  const { routes, throwing } = probe()
  const app = await testDoor(t, [routes])
  const at = { stream: 'user-1', revision: 1n, position: 2n, type: 'user.created' }
  const sqlstate = (code: string) => Object.assign(new DatabaseError('away', 0, 'error'), { code })
  const table: Array<[unknown, Code]> = [
    ...(Object.keys(codes) as Code[]).map((code): [unknown, Code] => [new Refusal(code, 'Do this.'), code]),
    [new WrongExpectedRevision('user-1', 3n), 'conflict'],
    [new LogUnavailable('canary-secret'), 'audit_unavailable'],
    [new LogOutcomeUnknown('canary-secret'), 'outcome_unknown'],
    [new UnreadableEvent(at, 'canary-secret'), 'internal_error'],
    [sqlstate('57P01'), 'read_models_unavailable'],
    [sqlstate('08006'), 'read_models_unavailable'],
    [sqlstate('58030'), 'read_models_unavailable'],
    [sqlstate('57014'), 'read_models_unavailable'],
    [Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' }), 'read_models_unavailable'],
    [new Error('Connection terminated unexpectedly'), 'read_models_unavailable'],
    [sqlstate('23505'), 'internal_error'],
    [new Error('canary-secret'), 'internal_error'],
    ['canary-secret', 'internal_error']
  ]
  for (const [error, code] of table) {
    throwing(error)
    const answer = await app.inject({ method: 'POST', url: '/api/v1/throws', headers: { authorization: 'Bearer superadmin', 'idempotency-key': 'the-key' } })
    t.match(answer.json(), { status: codes[code].status, code, title: codes[code].title }, `${error instanceof Error ? error.name : String(error)} → ${code}`)
    t.equal(answer.statusCode, codes[code].status)
    t.notMatch(answer.body, /canary/, 'no inner message is told')
    t.equal(answer.headers['idempotency-key'], 'the-key')
    if (codes[code].status === 503) t.ok(Number(answer.headers['retry-after']) >= 1, `${code}: Retry-After`)
  }
  throwing(new LogOutcomeUnknown('x'))
  const unkeyed = await app.inject({ method: 'POST', url: '/api/v1/throws', headers: { authorization: 'Bearer superadmin' } })
  t.match(unkeyed.json(), { code: 'outcome_unknown', idempotency_key: unkeyed.headers['idempotency-key'] }, 'the body names the key that the door made up')
})

t.test('keys, fingerprints, revisions and positions', async (t) => {
  const { routes } = probe()
  const asked: Array<[readonly string[], bigint]> = []
  const app = await testDoor(t, [routes], {
    positions: {
      waitFor: async (names, position) => {
        asked.push([names, position])
        return position > 5n ? [{ name: 'one', readTo: 5n, reason: 'behind', lagMs: 1500 }] : undefined
      }
    }
  })
  const send = (headers: Record<string, string>, payload = '{"text":"a","count":1}') => app.inject({ method: 'POST', url: '/api/v1/probe', payload, headers: { ...json, ...headers } })
  const first = (await send({ 'idempotency-key': 'k1', 'if-match': '"3"' }))
  const body = first.json<{ command_id: string, fingerprint: string }>()
  t.match(first.headers, { 'chancery-position': '7', etag: '"3"', 'idempotency-key': 'k1' })
  t.match(first.json(), { position: '7', revision: '3', if_match: '3' })
  t.strictSame((await send({ 'idempotency-key': 'k1' }, '{ "count": 1, "text": "a" }')).json<typeof body>().command_id, body.command_id, 'same key, same command')
  t.equal((await send({ 'idempotency-key': 'k1' }, '{ "count": 1, "text": "a" }')).json<typeof body>().fingerprint, body.fingerprint, 'the order of keys makes no other request')
  t.not((await send({ 'idempotency-key': 'k1' }, '{"text":"b","count":1}')).json<typeof body>().fingerprint, body.fingerprint)
  t.not((await send({ 'idempotency-key': 'k2' })).json<typeof body>().command_id, body.command_id)

  const get = (url: string, headers = {}) => app.inject({ url, headers: { ...json, ...headers } })
  t.equal((await get('/api/v1/waiting')).statusCode, 200)
  t.equal((await get('/api/v1/waiting', { 'chancery-position': '5' })).statusCode, 200)
  const behind = await get('/api/v1/waiting?min_position=6')
  t.match(behind.json(), { status: 503, code: 'projection_behind', min_position: '6', projections: [{ name: 'one', read_to: '5', lag: 1500 }] })
  t.ok(behind.headers['retry-after'])
  t.strictSame(asked, [[['one'], 0n], [['one'], 5n], [['one'], 6n]])
})

t.test('what needs no token is rate limited; what needs one, is not', async (t) => {
  const app = await testDoor(t, [probe().routes])
  const ask = () => app.inject({ method: 'POST', url: '/api/v1/public' })
  for (let i = 0; i < 3; i++) t.equal((await ask()).statusCode, 200)
  const refused = await ask()
  t.match(refused.json(), { status: 429, code: 'rate_limited' })
  t.ok(Number(refused.headers['retry-after']) >= 1 && Number(refused.headers['retry-after']) <= 60)
  for (const { url, config } of app.routeTable) if (config.access === 'public') t.ok(config.rateLimit, `${url} has a limit`)
})

t.test('a loop that cannot keep up says so', async (t) => {
  const app = await testDoor(t, [probe().routes], { maxEventLoopDelay: 20 })
  const ask = () => app.inject({ url: '/api/v1/probe', headers: json })
  const answers = new Map<number, Record<string, unknown>>()
  await until(async () => {
    const busy = performance.now() + 100
    while (performance.now() < busy);
    const answer = await ask()
    answers.set(answer.statusCode, answer.json())
    if (answer.statusCode === 503) t.ok(answer.headers['retry-after'])
    return answer.statusCode === 503
  })
  t.match(answers.get(503), { code: 'overloaded', status: 503 })
  await until(async () => (await ask()).statusCode === 200)
})

t.test('over a socket: what never becomes a request', async (t) => {
  const app = await testDoor(t, [probe().routes])
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const raw = async (...parts: string[]): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk: Buffer) => { answer += chunk.toString('latin1') })
    socket.on('error', () => {})
    const closed = once(socket, 'close')
    for (const part of parts) socket.write(part, 'latin1')
    await closed
    return answer
  }
  const head = (...lines: string[]) => `${['GET /api/v1/probe HTTP/1.1', ...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`
  const host = 'Host: localhost'
  const auth = 'Authorization: Bearer superadmin'
  t.match(await raw(head(host, auth)), /^HTTP\/1.1 200 /, 'the measure: a good one')
  const table: Array<[string, RegExp, string]> = [
    ['no host', /^HTTP\/1.1 400 /, head(auth)],
    ['two hosts', /^HTTP\/1.1 400 [^]*stands twice/, head(host, 'Host: evil.example', auth)],
    ['two tokens', /^HTTP\/1.1 400 [^]*stands twice/, head(host, auth, 'Authorization: Bearer none')],
    ['65 headers', /^HTTP\/1.1 431 [^]*header_fields_too_large/, head(host, auth, ...Array.from({ length: 62 }, (_, i) => `X-${i}: 1`))],
    ['300 headers', /^HTTP\/1.1 431 [^]*header_fields_too_large/, head(host, auth, ...Array.from({ length: 300 }, (_, i) => `X-${i}: 1`))],
    ['9 KiB of header', /^HTTP\/1.1 431 [^]*header_fields_too_large/, head(host, auth, `X: ${'x'.repeat(9 * 1024)}`)],
    ['no HTTP', /^HTTP\/1.1 400 [^]*problem\+json[^]*invalid_request/, 'HELO there\r\n\r\n'],
    ['TLS to a plain port', /^HTTP\/1.1 400 /, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['a line folded into a header', /^HTTP\/1.1 400 /, head(host, 'X: a\r\n b', auth)],
    ['two lengths', /^HTTP\/1.1 400 /, `POST /api/v1/probe HTTP/1.1\r\n${host}\r\n${auth}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n{}`],
    ['length and chunks', /^HTTP\/1.1 400 /, `POST /api/v1/probe HTTP/1.1\r\n${host}\r\n${auth}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['an empty key', /^HTTP\/1.1 400 /, `POST /api/v1/probe HTTP/1.1\r\n${host}\r\n${auth}\r\nIdempotency-Key:\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`]
  ]
  for (const [what, answer, request] of table) t.match(await raw(request), answer, what)
  const began = performance.now()
  t.match(await raw('GET /api/v1/probe HTTP/1.1\r\nHost: localhost\r\nX: '), /^HTTP\/1.1 408 /, 'a header that never ends')
  t.ok(performance.now() - began < 7000, 'is given up after five seconds')
})

t.test('the reader itself', async (t) => {
  const good = ['{}', '[]', '0', '"a"', 'null', ' { "a" : [ true , -1.5e3 , "\\"\\\\" , {"a":1} ] , "b" : {"a":2} } ', '{"a":"{\\"a\\":1,\\"a\\":2}"}', '{"":1," ":2}']
  for (const text of good) t.strictSame(readJson(Buffer.from(text)), JSON.parse(text), text)
  for (const part of ['"a"', '"\\\\"', '"\\""', '{"a":"b"}']) {
    const large = Buffer.from(`[${`${part},`.repeat(1_000_000)}0]`)
    const began = performance.now()
    t.equal((readJson(large) as unknown[]).length, 1_000_001)
    t.ok(performance.now() - began < 10_000, `a million of ${part}: work grows with the length, not with its square (${Math.round(performance.now() - began)} ms)`)
  }
  t.throws(() => readJson(Buffer.from(`${'['.repeat(30_000)}${']'.repeat(30_000)}`)), { code: 'invalid_request' }, 'very deep')
  t.equal(canonicalJson({ b: [1, { d: null, c: 'é' }], a: undefined, é: 1, e: true }), '{"b":[1,{"c":"é","d":null}],"e":true,"é":1}')
})

t.test('health says which rotations somebody should look at, and is ready all the same', async (t) => {
  const told = into('revoke_unconfirmed')
  let open: () => Promise<Array<typeof told.credential>> = async () => [told.credential]
  let now = told.now()
  const metrics = createMetrics(async () => [])
  const figures = { rotations: { open: () => open(), dueCount: async () => 0 }, clock: { now: () => now }, rules }
  registerRotationMetrics(metrics.registry, figures)
  const app = await testDoor(t, [healthRoutes({ stores: {}, projections: async () => [], metrics, rotations: openJobs(figures) })])
  const ready = async (headers = {}) => {
    const { statusCode, body } = await app.inject({ url: '/health/ready', headers })
    return { statusCode, ...JSON.parse(body) as { status: string, rotations?: unknown } }
  }
  t.strictSame((await ready()).rotations, { open: 1, alarms: [] }, 'for a while nobody is called')
  now = new Date(now.getTime() + 6 * 60_000)
  t.match(await ready(), {
    statusCode: 200, status: 'ready', rotations: { open: 1, alarms: [{ credential: NAME, rotation_id: ROTATION, state: 'revoke_unconfirmed', alarm: /^For 6 minutes the old token/ }] }
  })
  t.match((await app.inject('/metrics')).body, new RegExp(`chancery_rotation_alarms\\{credential="${NAME}",state="revoke_unconfirmed"\\} 1`))
  const ended = into('done')
  const { credential, job } = ended
  const [name, one] = [...job.consumers][0] ?? []
  if (name === undefined || one === undefined) throw new Error('somebody consumes')
  open = async () => [{ ...credential, job: { ...job, consumers: new Map([[name, { ...one, status: 'failed' as const, provedAt: undefined }]]) } }]
  t.match(await ready(), { rotations: { open: 0, alarms: [{ state: 'done', alarm: /^one: required, and did not take the new value/ }] } }, 'also after the end')
  t.strictSame(await ready({ 'x-forwarded-for': '203.0.113.9' }), { statusCode: 200, status: 'ready' }, 'elsewhere it is told to nobody')
  open = async () => { throw new Error('the read model is away') }
  t.notOk('rotations' in await ready(), 'what is not known is not said')
  open = () => new Promise(() => {})
  t.match(await ready(), { statusCode: 200, rotations: undefined }, 'nor waited for')
})

// What a consumer of credentials asks for itself over HTTP: its key, its webhook secret, its value; and nobody else asks for it.
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createDeliveries } from '../../infra/deliveries/index.ts'
import { uuidIds as ids } from '../../infra/ids.ts'
import { createOutgoing } from '../../infra/outgoing/index.ts'
import { loadOrMakeKey, openDelivery } from '../../kits/credentials/src/index.ts'
import type { CommandContext } from '../../src/commands/context.ts'
import { createAggregates } from '../../src/commands/execute.ts'
import { adoptValue, putManifest } from '../../src/commands/rotations/credentials.ts'
import { subscriberKeys } from '../../src/commands/subscribers/subscribers.ts'
import type { Subscriber } from '../../src/domain/credential/manifest.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import { Clear } from '../../src/domain/personal.ts'
import { subscriberRoutes } from '../../src/http/routes/subscribers.ts'
import { testDoor } from '../support/door.ts'
import { memoryLog } from '../support/memory-log.ts'
import { memoryTickets } from '../support/memory-tickets.ts'
import { memoryValues } from '../support/memory-values.ts'

const clock = { now: () => new Date() }
const VALUE = `canary-value-${randomBytes(16).toString('hex')}`
const BASE = '/api/v1/consumers'

const world = async (t: Test) => {
  const log = memoryLog()
  const aggregates = createAggregates(log, ids)
  const outgoing = createOutgoing({ allow: [], plainLoopback: true })
  const deliveries = createDeliveries({
    outgoing, clock, redis: { url: () => undefined, stream: 'none' }, keys: { webhookSecret: (place) => createHmac('sha256', 'test').update(place).digest() }
  })
  t.teardown(() => outgoing.close())
  const never = () => { throw new Error('no vendor is asked') }
  const deps = {
    aggregates, events: log, ids, clock, values: memoryValues(), vendors: { gateway: never, check: async () => [] }, tickets: memoryTickets(), deliveries,
    keys: subscriberKeys({ aggregates }, () => true), rules: { proofMaxAgeMs: 60_000, valueGraceMs: 60_000, alone: true }
  }
  const noted: string[] = []
  const app = await testDoor(t, [subscriberRoutes(deps)])
  app.door.access.noteRefusal = async ({ route, permission }) => { noted.push(`${permission} ${route}`) }
  const ask = async (method: 'GET' | 'PUT' | 'POST', path: string, { as = 'consumer:billing', body, headers = {} }: { as?: string, body?: object, headers?: Record<string, string> } = {}) => {
    const { statusCode: status, headers: answered, body: text } = await app.inject({
      method, url: BASE + path, headers: { ...as !== '' && { authorization: `Bearer ${as}` }, ...headers }, ...body !== undefined && { payload: body }
    })
    return { status, headers: answered, text, body: JSON.parse(text === '' ? '{}' : text) as Record<string, unknown> }
  }
  const context = (): CommandContext => ({ commandId: randomUUID(), at: clock.now(), actor: { type: 'principal', id: 'operator' }, requestId: 'r' })
  const subscriber = (delivery: Subscriber['delivery'], consumer = 'billing'): Subscriber =>
    ({ consumer, required: true, delivery, healthcheck: 'https://billing.example/health', proof: { kind: 'possession' } })
  const call = { method: 'GET' as const, url: 'https://vendor.example/', headers: { authorization: 'Bearer {{value}}' }, expect: [200] }
  const manifest = (credential: string, ...consumers: Subscriber[]) => putManifest(deps, {
    credential,
    manifest: {
      vendor: { kind: 'manual', instructions: 'by hand', authenticate: call, refusedStatuses: [401] }, sensitivity: 'normal', leadDays: 7, consumers,
      owner: { name: new Clear('A', `credential-${credential}`), email: new Clear('a@example.org', `credential-${credential}`) }
    }
  }, context())
  const adopt = (credential: string, value: string) => adoptValue(deps, { credential, value: new Secret(value) }, context())
  const facts = (stream: string) => log.events.filter((event) => event.stream === stream).map(({ type }) => type)
  return { app, ask, manifest, adopt, subscriber, facts, log, noted, key: await loadOrMakeKey(join(t.testdir(), 'key.json')) }
}

const problem = (t: Test, { status, body, text }: { status: number, body: Record<string, unknown>, text: string }, expected: number, code: string, message?: string) => {
  t.match({ status, code: body['code'] }, { status: expected, code }, message ?? code)
  t.notOk(text.includes(VALUE))
}
const push = (url = 'https://billing.example/deliveries'): Subscriber['delivery'] => ({ kind: 'push', url })

t.test('a consumer\'s own role opens what is its own, and no other role opens it', async (t) => {
  const { app, ask, noted } = await world(t)
  const routes = app.routeTable.filter(({ method, url }) => method !== 'HEAD' && url.startsWith(BASE))
  t.equal(routes.length, 4)
  for (const { method, url } of routes) {
    const path = url.slice(BASE.length).replace(':name', 'billing').replace(':credential', 'mail-api')
    const asked = (as: string) => ask(method as 'GET', path, { as, ...method !== 'GET' && { body: {} } })
    problem(t, await asked(''), 401, 'unauthenticated', `${method} ${path} without a token`)
    for (const as of ['superadmin', 'rotations-operator', 'rotations-read', 'none', 'consumer:billing-2', 'consumer:bill', 'superadmin,consumer:other']) {
      problem(t, await asked(as), 403, 'forbidden', `${method} ${path} as ${as}`)
    }
    t.not((await asked('consumer:billing')).status, 403, `${method} ${path} as itself`)
    t.not((await asked('superadmin,consumer:billing')).status, 403, 'whatever else he may')
  }
  t.equal(noted.filter((line) => line.startsWith('credentials.consume')).length, 4 * 7, 'each of them was entered')
})

t.test('the key: an X25519 point that agrees on a secret at all', async (t) => {
  const { ask, facts, key, log } = await world(t)
  const first = await ask('PUT', '/billing/key', { body: key.publicJwk })
  t.match(first, { status: 200, body: { consumer: 'billing', key_id: key.keyId, revision: '0', registered_at: /Z$/ }, headers: { etag: '"0"' } })
  t.match(await ask('PUT', '/billing/key', { body: key.publicJwk }), { status: 200, body: { key_id: key.keyId, revision: '0' } }, 'what is so already is no fact')
  const other = await loadOrMakeKey(join(t.testdir(), 'other.json'))
  problem(t, await ask('PUT', '/billing/key', { body: other.publicJwk, headers: { 'if-match': '"7"' } }), 412, 'precondition_failed')
  const again = { body: other.publicJwk, headers: { 'idempotency-key': 'one' } }
  t.match(await ask('PUT', '/billing/key', again), { status: 200, body: { key_id: other.keyId, revision: '1' } }, 'another takes its place')
  t.match(await ask('PUT', '/billing/key', again), { status: 200, body: { key_id: other.keyId, revision: '1' } })
  t.same(facts('subscriber-billing'), ['subscriber.key_registered', 'subscriber.key_registered'])

  const low = ['0'.repeat(64), `01${'0'.repeat(62)}`, 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    `ec${'f'.repeat(60)}7f`, `ed${'f'.repeat(60)}7f`, `ee${'f'.repeat(60)}7f`]
  for (const hex of low) problem(t, await ask('PUT', '/billing/key', { body: { kty: 'OKP', crv: 'X25519', x: Buffer.from(hex, 'hex').toString('base64url') } }), 400, 'invalid_request', `low order: ${hex}`)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const { x } = key.publicJwk
  const respelt = x.slice(0, -1) + (alphabet[alphabet.indexOf(x.at(-1) ?? '') ^ 1] ?? '')
  for (const [what, body] of [
    ['the same bytes in another spelling', { ...key.publicJwk, x: respelt }], ['another curve', { ...key.publicJwk, crv: 'Ed25519' }], ['a short one', { ...key.publicJwk, x: 'AAAA' }],
    ['its private half as well', { ...key.publicJwk, d: VALUE }], ['nothing', {}]
  ] as const) problem(t, await ask('PUT', '/billing/key', { body }), 400, 'invalid_request', what)
  t.equal(log.events.length, 2)
})

t.test('the webhook secret: of a consumer that is pushed to, each opening a fact', async (t) => {
  const { ask, manifest, subscriber, facts } = await world(t)
  const open = (headers: Record<string, string> = {}, credential = 'mail-api') => ask('POST', '/billing/webhook-secret', { body: { credential }, headers })
  problem(t, await open(), 404, 'subject_not_found', 'no such credential')
  await manifest('mail-api', subscriber(push(), 'somebody'))
  problem(t, await open(), 404, 'subject_not_found', 'not meant for it, in the same words')
  await manifest('mail-api', subscriber({ kind: 'pull' }))
  problem(t, await open(), 409, 'conflict')
  t.same(facts('subscriber-billing'), [], 'who was refused was not given it')
  await manifest('mail-api', subscriber(push()))
  const first = await open({ 'idempotency-key': 'one' })
  t.match(first, { status: 200, headers: { 'cache-control': 'no-store' }, body: { consumer: 'billing', credential: 'mail-api', url: 'https://billing.example/deliveries', secret: /^whsec_[A-Za-z0-9+/]{43}=$/ } })
  t.same((await open({ 'idempotency-key': 'one' })).body, first.body, 'the same request again is no other opening')
  t.equal((await open()).body['secret'], first.body['secret'])
  t.same(facts('subscriber-billing'), ['subscriber.webhook_secret_opened', 'subscriber.webhook_secret_opened'])
  await manifest('mail-api', subscriber(push('https://billing.example/elsewhere')))
  const moved = await open()
  t.not(moved.body['secret'], first.body['secret'], 'another URL has another')
})

t.test('fetches that are facts are counted, for each principal', async (t) => {
  const { app, ask, manifest, adopt, subscriber, facts, key } = await world(t)
  const { access } = app.door
  const judge = access.judge.bind(access)
  // As testDoor knows roles only, the second principal is told by one of them.
  access.judge = async (token, permission) => {
    const judged = await judge(token, permission)
    return 'caller' in judged && token?.includes('auditor') === true ? { ...judged, caller: { ...judged.caller, principalId: randomUUID() } } : judged
  }
  await manifest('mail-api', subscriber({ kind: 'pull' }))
  await adopt('mail-api', VALUE)
  await ask('PUT', '/billing/key', { body: key.publicJwk })
  const fetch = (of: Parameters<typeof ask>[2] = {}) => ask('GET', '/billing/credentials/mail-api', of)
  const fetches = () => facts('credential-mail-api').filter((type) => type === 'credential.value_fetched').length
  const [first] = await Promise.all(Array.from({ length: 120 }, () => fetch()))
  t.equal(fetches(), 120)
  const refused = await fetch()
  problem(t, refused, 429, 'rate_limited')
  t.ok(Number(refused.headers['retry-after']) > 0 && Number(refused.headers['retry-after']) <= 60, 'and when to come again')
  t.equal((await ask('GET', '/billing/credentials/another')).status, 429, 'whatever it asks for')
  t.equal(fetches(), 120, 'nothing was opened')
  t.equal((await fetch({ headers: { 'if-none-match': String(first?.headers['etag']) } })).status, 304, 'who has the newest may go on asking')
  t.equal((await fetch({ as: 'auditor,consumer:billing' })).status, 200, 'nobody else waits for it')
})

t.test('the value: sealed to the key, a fact before it is opened', async (t) => {
  const { ask, manifest, adopt, subscriber, facts, key, log } = await world(t)
  const fetch = (headers: Record<string, string> = {}) => ask('GET', '/billing/credentials/mail-api', { headers })
  const fetches = () => facts('credential-mail-api').filter((type) => type === 'credential.value_fetched').length
  const acknowledge = (deliverySeq: unknown, headers: Record<string, string> = {}) => ask('POST', '/billing/credentials/mail-api/acknowledgements', { body: { delivery_seq: deliverySeq }, headers })
  problem(t, await fetch(), 404, 'subject_not_found')
  await manifest('mail-api', subscriber({ kind: 'pull' }))
  problem(t, await fetch(), 409, 'value_missing')
  await adopt('mail-api', VALUE)
  problem(t, await fetch(), 409, 'consumer_key_missing')
  problem(t, await acknowledge(1), 409, 'conflict', 'what was never given cannot be in use')
  t.notOk(facts('credential-mail-api').includes('credential.value_fetched'))
  await ask('PUT', '/billing/key', { body: key.publicJwk })

  const fetched = await fetch()
  t.match(fetched, { status: 200, headers: { 'cache-control': 'no-store', etag: /^"\d+"$/ }, body: { consumer: 'billing', credential: 'mail-api' } })
  t.notOk(fetched.text.includes(VALUE), 'not in clear')
  const { jwe, delivery_seq: seq } = fetched.body as { jwe: string, delivery_seq: number }
  t.match(await openDelivery(jwe, key, { credential: 'mail-api' }), { value: VALUE, deliverySeq: seq })
  t.equal(fetches(), 1)
  const has = (deliverySeq: unknown) => ({ 'if-none-match': `"${String(deliverySeq)}"` })
  t.match(await fetch(has(seq)), { status: 304, text: '', headers: { etag: `"${seq}"` } })
  for (let n = 0; n < 20; n++) await fetch(has(seq))
  t.equal(fetches(), 1, 'who asks and has the newest is no fact, however often it asks')
  const second = await fetch()
  t.equal(second.body['delivery_seq'], seq, 'the same value keeps its number')
  t.equal(fetches(), 2, 'each fetch is a fact')
  for (const odd of ['*', `W/"${seq}"`, 'x', `"${seq + 7}"`]) t.equal((await fetch({ 'if-none-match': odd })).status, 200, odd)
  t.match(await acknowledge(seq), { status: 200, body: { delivery_seq: seq } })
  problem(t, await acknowledge(seq + 1), 409, 'conflict')
  problem(t, await acknowledge(-1), 400, 'invalid_request')
  problem(t, await acknowledge('1'), 400, 'invalid_request')

  await adopt('mail-api', `${VALUE}-next`)
  const next = await fetch(has(seq))
  t.ok(Number(next.body['delivery_seq']) > seq, 'another value has a higher one')
  problem(t, await acknowledge(seq), 409, 'delivery_superseded')
  t.notOk(JSON.stringify(log.events, (_, value: unknown) => typeof value === 'bigint' ? String(value) : value).includes(VALUE), 'and the log has nothing of it')
})

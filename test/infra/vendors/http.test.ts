// Vendors over HTTP beyond the contract: what answers mean to the letter, placeholders, what is shown, by hand, checks, and the preset of the documents.
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { createOutgoing } from '../../../infra/outgoing/index.ts'
import { at, shownJson } from '../../../infra/vendors/answers.ts'
import { httpVendor } from '../../../infra/vendors/http.ts'
import { createVendors } from '../../../infra/vendors/index.ts'
import { manualVendor } from '../../../infra/vendors/manual.ts'
import { lookalike } from '../../../infra/vendors/probes.ts'
import { fill } from '../../../infra/vendors/templates.ts'
import { checkManifest } from '../../../src/domain/credential/manifest-check.ts'
import type { HttpCall, Manifest, VendorSettings } from '../../../src/domain/credential/manifest.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'
import { formErrors, manifestOf } from '../../../src/http/manifest-items.ts'
import type { WireManifest } from '../../../src/http/schemas/manifest.ts'
import { smallVendor } from '../../support/small-vendor.ts'
import { httpSettings } from './worlds.ts'

interface Said { status: number, body?: string, headers?: Record<string, string> }

/** A vendor that answers everything alike, or as it is told to, and keeps what it heard. */
const parrot = async (t: Test) => {
  const heard: Array<{ request: IncomingMessage, body: string }> = []
  const next: { said: Said | ((request: IncomingMessage) => Said) } = { said: { status: 200 } }
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.push({ request, body })
      const said = typeof next.said === 'function' ? next.said(request) : next.said
      response.writeHead(said.status, said.headers).end(said.body)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const outgoing = createOutgoing({ allow: [], plainLoopback: true })
  t.teardown(async () => {
    await outgoing.close()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const vendor = httpVendor({ vendor: httpSettings(url), connection: async () => new Secret('connection-secret'), outgoing })
  return { url, heard, outgoing, vendor, say: (said: typeof next.said) => { next.said = said } }
}

t.test('answers to minting mean what they mean, to the letter', async (t) => {
  const { vendor, say } = await parrot(t)
  const good = { id: 'id-1', access_token: { token: 'fresh-value', refresh_token: 'another-secret' }, note: 'fresh-value again', expires_at: '2027-01-01T00:00:00Z' }
  for (const [said, status, shown] of [
    [{ status: 201, body: JSON.stringify(good) }, 'minted', /^\{"id":"id-1","access_token":\{"token":"\[secret\]","refresh_token":"\[secret\]"\},"note":"\[secret\] again"/],
    [{ status: 201, body: '<p>it worked: fresh-value' }, 'unknown', /^\[withheld/],
    [{ status: 201, body: JSON.stringify({ ...good, id: undefined }) }, 'unknown', /^\[withheld/],
    [{ status: 201, body: JSON.stringify({ id: 'id-1', token: 'fresh-value' }), headers: { 'x-token': 'fresh-value' } }, 'unknown', /^\[withheld/],
    [{ status: 200, body: JSON.stringify(good) }, 'unknown', /^\[withheld/], [{ status: 202 }, 'unknown', /^\[withheld/],
    [{ status: 303, headers: { location: '/x' } }, 'unknown', /withheld/], [{ status: 400, body: '{"message": "no"}' }, 'refused', /^\{"message": "no"\}$/], [{ status: 401 }, 'refused', /^$/],
    [{ status: 409 }, 'refused', /^$/], [{ status: 422, body: 'you said connection-secret' }, 'refused', /^you said \[secret\]$/], [{ status: 429 }, 'refused', /^$/],
    [{ status: 500, body: 'broken' }, 'unknown', /^broken$/], [{ status: 502 }, 'unknown', /^$/], [{ status: 503 }, 'unknown', /^$/]
  ] as ReadonlyArray<readonly [Said, string, RegExp]>) {
    say(said)
    const outcome = await vendor.mint({ label: 'rotation.1', valueId: '-' })
    t.equal(outcome.status, status, JSON.stringify(said))
    t.match(outcome.exchange.answer?.body, shown)
    t.notOk(JSON.stringify(outcome.exchange).includes('fresh-value'), 'the new value is not shown')
    if (outcome.status === 'minted') t.match(outcome, { tokenId: 'id-1', expiresAt: '2027-01-01T00:00:00.000Z', exchange: { outcome: 'passed' } })
    if (outcome.status === 'minted') t.equal(outcome.secret.reveal(), 'fresh-value')
  }
})

t.test('a list counts only if it is whole and can be read; other people\'s tokens are not shown', async (t) => {
  const { vendor, say } = await parrot(t)
  const item = { id: 7, description: 'a label', token: 'of-somebody', last_used_at: '2026-01-02T03:04:05+01:00' }
  for (const [said, failure] of [
    [{ status: 200, body: '[' }, 'list_unreadable'], [{ status: 200, body: '{"items": []}' }, 'list_unreadable'], [{ status: 200, body: JSON.stringify([item, {}]) }, 'list_unreadable'],
    [{ status: 200, body: '[]', headers: { 'next-range': 'id x..' } }, 'list_incomplete'], [{ status: 200, body: '[]', headers: { link: '</x?p=2>; rel="next"' } }, 'list_incomplete'],
    [{ status: 206, body: '[]' }, undefined], [{ status: 404 }, undefined], [{ status: 500 }, undefined]
  ] as ReadonlyArray<readonly [Said, string | undefined]>) {
    say(said)
    const outcome = await vendor.list()
    t.same([outcome.status, outcome.exchange.outcome, outcome.exchange.failure], ['failed', 'failed', failure], JSON.stringify(said))
    t.notOk(JSON.stringify(outcome).includes('of-somebody'))
  }
  say({ status: 200, body: JSON.stringify([item, { id: 'b' }]) })
  t.match(await vendor.list(), {
    status: 'listed', tokens: [{ tokenId: '7', label: 'a label', lastUsedAt: '2026-01-02T02:04:05.000Z' }, { tokenId: 'b', label: '' }],
    exchange: { outcome: 'passed', answer: { body: '[{"token_id":"7","label":"a label","last_used_at":"2026-01-02T02:04:05.000Z"},{"token_id":"b","label":""}]' } }
  })
})

t.test('revoking and probing', async (t) => {
  const { vendor, say, heard } = await parrot(t)
  const value = new Secret('the-value')
  for (const [status, outcome] of [[200, 'revoked'], [404, 'revoked'], [410, 'revoked'], [401, 'refused'], [403, 'refused'], [500, 'unknown'], [302, 'unknown'], [204, 'unknown']] as const) {
    say({ status })
    t.equal((await vendor.revoke({ tokenId: 'a/b', value })).status, outcome, `${status}`)
  }
  t.equal(heard.at(-1)?.request.url, '/oauth/authorizations/a%2Fb')
  const before = heard.length
  t.match(await vendor.revoke({ value }), { status: 'refused', exchange: { failure: 'token_id_missing' } })
  t.match(await vendor.revoke({ tokenId: '..', value }), { status: 'refused', exchange: { failure: 'template_invalid' } }, 'no id climbs up the path')
  t.equal(heard.length, before)
  for (const [status, outcome] of [[401, 'refused'], [200, 'accepted'], [403, 'unknown'], [429, 'unknown'], [500, 'unknown'], [302, 'unknown']] as const) {
    say({ status })
    t.equal((await vendor.probeRefused(value)).status, outcome, `${status}`)
  }
  say({ status: 401, body: '{"id": "unauthorized", "said": "the-value"}', headers: { 'x-request-id': '17' } })
  const [exchange, ...more] = await vendor.verify(value, { replace: false })
  t.same(more, [])
  t.match(exchange, { outcome: 'failed', answer: { status: '401', headers: { 'x-request-id': '17' }, body: '{"id": "unauthorized", "said": "[secret]"}' } }, 'the vendor\'s own words')
})

t.test('placeholders are escaped for where they stand, and never filled twice', async (t) => {
  const call = (of: Partial<HttpCall>): HttpCall => ({ method: 'POST', url: 'https://a.example/{{value}}?q={{value}}', expect: [200], ...of })
  const nasty = '"}/?&#%\\ {{connection}}\n'
  t.match(fill(call({ body: '{"a": "{{ value }}"}', headers: { 'x-a': 'v={{label}}' } }), { value: nasty, label: 'l', connection: 'c' }), {
    url: `https://a.example/${encodeURIComponent(nasty)}?q=${encodeURIComponent(nasty)}`, headers: { 'x-a': 'v=l', 'content-type': 'application/json' }, body: JSON.stringify({ a: nasty }).replace(':', ': ')
  })
  t.match(fill(call({ body: 'token={{value}}', headers: { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' } }), { value: 'a&b=c' }), { body: 'token=a%26b%3Dc' })
  t.match(fill(call({ body: '<{{value}}>', headers: { 'content-type': 'text/xml' } }), { value: 'a&b' }), { body: '<a&b>' })
  t.same(fill(call({}), {}), { failure: 'value_missing' })
  t.same(fill(call({ url: 'https://a.example/{{other}}' }), { value: 'x' }), { failure: 'template_invalid' })
  t.same(['', '/a', '/a/0/b', '/a/1', '/c~1d', '/e~0f', '/a/-', '/toString', '/a/length'].map((pointer) => at({ a: [{ b: 1 }], 'c/d': 2, 'e~f': 3 }, pointer)),
    [{ a: [{ b: 1 }], 'c/d': 2, 'e~f': 3 }, [{ b: 1 }], 1, undefined, 2, 3, undefined, undefined, undefined])
  t.equal(shownJson('{"access_token":{"id":"1","token":"x","expires_in":5},"token_type":"bearer","apiKey":"y","items":[{"password":"z","name":"n"}]}'),
    '{"access_token":{"id":"1","token":"[secret]","expires_in":5},"token_type":"bearer","apiKey":"[secret]","items":[{"password":"[secret]","name":"n"}]}')
})

t.test('by hand', async (t) => {
  const { url, outgoing, say, heard } = await parrot(t)
  const authenticate: HttpCall = { method: 'GET', url: `${url}/me`, headers: { 'x-key': '{{value}}' }, expect: [200] }
  const vendor = manualVendor({ vendor: { kind: 'manual', instructions: 'Ask Ada.', authenticate, refusedStatuses: [401] }, outgoing })
  t.equal(vendor.lists, false)
  const value = new Secret('the-value')
  say(({ headers }) => ({ status: headers['x-key'] === 'the-value' ? 200 : 401 }))
  t.same((await vendor.verify(value, { replace: false })).map(({ probe, outcome, failure }) => [probe, outcome, failure]),
    [['authenticate', 'passed', undefined], ['may_mint', 'by_hand', 'by_hand'], ['refuses_random', 'passed', undefined]])
  t.same((await vendor.verify(value, { replace: true })).map(({ probe }) => probe), ['may_mint', 'refuses_random'])
  t.equal(heard.length, 3)
  t.same([(await vendor.mint({ label: 'a', valueId: 'b' })).status, (await vendor.list()).status, (await vendor.revoke({ value })).status], ['refused', 'failed', 'revoked'])
  t.match(await vendor.revoke({ value }), { exchange: { outcome: 'by_hand' } })
  t.equal((await vendor.probeRefused(value)).status, 'accepted')
  say({ status: 401 })
  t.equal((await vendor.probeRefused(value)).status, 'refused')
  t.same((await vendor.verify(value, { replace: false })).map(({ outcome }) => outcome), ['failed'])

  const metadata: HttpCall = { ...authenticate, url: `${url}/tokens/mine` }
  const telling = manualVendor({ vendor: { kind: 'manual', instructions: 'Ask Ada.', authenticate, metadata, refusedStatuses: [401] }, outgoing })
  for (const [status, outcomes] of [[200, [['authenticate', 'passed'], ['metadata', 'passed'], ['may_mint', 'by_hand'], ['refuses_random', 'passed']]], [403, [['authenticate', 'passed'], ['metadata', 'failed']]]] as const) {
    say(({ url: path, headers }) => ({ status: headers['x-key'] !== 'the-value' ? 401 : path === '/tokens/mine' ? status : 200 }))
    t.same((await telling.verify(value, { replace: false })).map(({ probe, outcome }) => [probe, outcome]), outcomes)
  }
  t.same((await telling.verify(value, { replace: true })).map(({ probe }) => probe), ['may_mint', 'refuses_random'])
})

t.test('a connection that is the value itself is never sent', async (t) => {
  const { vendor, say, heard } = await parrot(t)
  const value = new Secret('connection-secret')
  say({ status: 200 })
  t.match((await vendor.verify(value, { replace: false })).map(({ probe, outcome, failure, answer }) => [probe, outcome, failure, answer === undefined]),
    [['authenticate', 'passed', undefined, false], ['metadata', 'passed', undefined, false], ['may_mint', 'failed', 'is_the_connection', true]])
  t.equal(heard.length, 2)
  t.match(await vendor.verify(value, { replace: true }), [{ probe: 'may_mint', failure: 'is_the_connection' }])
  t.match(await vendor.revoke({ tokenId: 'id-1', value }), { status: 'refused', exchange: { probe: 'revoke', failure: 'is_the_connection' } })
  t.equal(heard.length, 2, 'nothing was asked with it')
  t.match(await vendor.revoke({ tokenId: 'id-1', value: new Secret('connection-secre') }), { status: 'revoked' })
})

t.test('stage 1 tries a made-up value once: it has to be refused as the old one will have to be', async (t) => {
  const { vendor, say, heard, url, outgoing } = await parrot(t)
  const value = new Secret('sk_live_4eC39HqLyjWDarjtT1zdp7dc')
  const byHand = manualVendor({ vendor: { kind: 'manual', instructions: 'Ask Ada.', authenticate: httpSettings(url).authenticate, refusedStatuses: [401] }, outgoing })
  const wrong = (said: Said) => ({ headers }: IncomingMessage): Said => [`Bearer ${value.reveal()}`, 'Bearer connection-secret'].includes(headers.authorization ?? '') ? { status: 200 } : said
  for (const [said, outcome, failure] of [
    [{ status: 401 }, 'passed', undefined], [{ status: 403, body: '{"message": "no"}' }, 'failed', 'no_refusal'], [{ status: 200 }, 'failed', 'random_accepted'],
    [{ status: 429 }, 'failed', 'no_refusal'], [{ status: 302, headers: { location: '/' } }, 'failed', 'no_refusal'], [{ status: 503 }, 'failed', 'no_refusal']
  ] as ReadonlyArray<readonly [Said, string, string | undefined]>) {
    say(wrong(said))
    for (const [gateway, before] of [[vendor, ['authenticate', 'metadata', 'may_mint']], [byHand, ['authenticate', 'may_mint']]] as const) {
      const asked = heard.length
      const exchanges = await gateway.verify(value, { replace: false })
      t.same(exchanges.map(({ probe }) => probe), [...before, 'refuses_random'])
      t.match(exchanges.at(-1), { outcome, failure, answer: { status: `${said.status}`, ...said.body !== undefined && { body: said.body } }, request: { method: 'GET' } }, JSON.stringify(said))
      t.equal(heard.slice(asked).filter(({ request: { url, headers } }) => url === '/account' && headers.authorization !== `Bearer ${value.reveal()}`).length, 1, 'one try, no more')
      t.same((await gateway.verify(new Secret(''), { replace: true })).map(({ probe }) => probe), ['may_mint', 'refuses_random'], 'also where the value is dead')
    }
  }
  t.ok(heard.every(({ request: { method } }) => method === 'GET'), 'zero change')
})

t.test('a made-up value has the form of the one in use, and nothing else of it', async (t) => {
  for (const [text, form] of [
    ['sk_live_4eC39HqLyjWDarjtT1zdp7dc', /^sk_live_\d[a-z][A-Z]\d\d[A-Z][a-z][A-Z][a-z]{2}[A-Z]{2}[a-z]{4}[A-Z]\d[a-z]{3}\d[a-z]{2}$/], ['HRKU-01234567-89ab-4def-8123-456789abcdef', /^HRKU-\d{8}-\d\d[a-f]{2}-\d[a-f]{3}-\d{4}-\d{6}[a-f]{6}$/],
    ['hunter2-hunter2', /^[a-z]{6}\d-[a-z]{6}\d$/], ['a+b/c=', /^[\w-]{43}$/], ['', /^[\w-]{43}$/], ['12345678', /^\d{8}$/], ['Grüße, 12 Elche!', /^[A-Z][a-z]üß[a-z], \d\d [A-Z][a-z]{4}!$/]
  ] as const) {
    const made = [lookalike(new Secret(text)).reveal(), lookalike(new Secret(text)).reveal()]
    for (const one of made) t.match(one, form, text)
    t.notOk(made.includes(text))
    t.not(made[0], made[1])
  }
})

t.test('what is wrong with a manifest is said in sentences, all at once', async (t) => {
  const outgoing = createOutgoing({ allow: [], plainLoopback: false })
  t.teardown(() => outgoing.close())
  const own = { look: async () => undefined, issue: async () => ({ tokenId: '', token: undefined }), revoke: async () => {}, judge: async () => undefined, parse: () => undefined }
  const vendors = createVendors({ outgoing, own, openCredential: async () => undefined, accounts: { account: (name) => name === 'known' ? { secret: new Secret('x'), hosts: new Set(['vendor.example']) } : name === 'string' ? { secret: new Secret('postgres://x') } : undefined, names: () => ['known', 'string'] }, fingerprint: () => '' })
  const check = async (vendor: VendorSettings, connection: Manifest['connection'] = { account: 'known' }, consumers: Manifest['consumers'] = []) => (await vendors.check({
    credential: 'a', manifest: { vendor, connection, leadDays: 1, consumers }
  })).map(({ path, message }) => `${path}: ${message}`)
  const good = httpSettings('https://vendor.example')
  t.same(await check(good), [])
  const wrong = await check({
    ...good,
    authenticate: { ...good.authenticate, url: 'http://vendor.example/', expect: [200, 401] },
    metadata: { ...good.metadata, url: 'https://169.254.169.254/{{label}}', headers: { 'bad name': 'x', Host: 'other', ok: 'ö\n€' } },
    mayMint: { ...good.mayMint, url: 'https://{{connection}}.example/', expect: [302] },
    mint: { ...good.mint, call: { ...good.mint.call, body: '{"a": {{label}}}', url: 'https://me:word@vendor.example/' } },
    revoke: { ...good.revoke, url: 'https://vendor.example/{{tokenid}}' }
  }, { account: 'unknown' })
  for (const pattern of [
    /unknown, which CHANCERY_VENDOR_ACCOUNTS_FILE does not hold; it holds known, string/, /^\/vendor\/authenticate: the URL has to begin with https/, /^\/vendor\/refusedStatuses: .*share 401/, /^\/vendor\/metadata: .*private or special/, /^\/vendor\/metadata: \{\{label\}\} cannot stand here, only \{\{value\}\}/,
    /"bad name" is no name/, /header Host is not/, /header ok holds characters/, /^\/vendor\/mayMint: no placeholder may stand in the host/, /^\/vendor\/mayMint: redirects are never followed/, /^\/vendor\/mint\/call: the body is no JSON/,
    /^\/vendor\/mint\/call: a name or password stands in the URL/, /^\/vendor\/revoke: \{\{tokenid\}\} is no placeholder/
  ]) t.ok(wrong.some((sentence) => pattern.test(sentence)), `${pattern}`, { wrong })
  for (const url of ['https:///{{value}}.example/', 'https://\\{{value}}.example/', 'https://a.{{ value }}/', 'https://me@{{value}}.example/']) {
    t.ok((await check({ ...good, metadata: { ...good.metadata, url } })).some((sentence) => /^\/vendor\/metadata: no placeholder/.test(sentence)), url)
  }
  const consumer = (name: string, healthcheck: string, url?: string) => ({ consumer: name, required: true, delivery: url === undefined ? { kind: 'pull' as const } : { kind: 'push' as const, url }, healthcheck, proof: { kind: 'possession' as const } })
  t.match(await check(good, { account: 'known' }, [
    consumer('one', 'https://one.example/', 'https://one.example/'), consumer('two', 'https://169.254.169.254/', 'https://2130706433/'), consumer('three', 'http://three.example/'), consumer('four', 'https://[::ffff:10.0.0.1]/')
  ]), [/^\/consumers\/1\/delivery\/url: two: .*private/, /^\/consumers\/1\/healthcheck: two: .*private/, /^\/consumers\/2\/healthcheck: three: .*https/, /^\/consumers\/3\/healthcheck: four: .*private/])
  t.match(await check(httpSettings('https://other.example')), [/^\/connection\/account: The account known is not for other\.example: .*"hosts": \["other\.example"\]/])
  t.match(await check({ ...good, revoke: { ...good.revoke, url: 'https://vendor.example:8443/{{token_id}}' } }), [/^\/connection\/account: .* not for vendor\.example:8443/])
  t.match(await check(good, { account: 'string' }), [/^\/connection\/account: .* not for vendor\.example/], 'a connection string stands in no header')
  t.match(await check({ kind: 'postgres-role', group: 'g', address: 'postgres://db.example/' }, { account: 'known' }), [/^\/connection\/account: .*one with hosts/])
  t.same(await check({ kind: 'postgres-role', group: 'g', address: 'postgres://db.example/' }, { account: 'string' }), [])
  t.match(await check({ kind: 'chancery-token', principalId: '0197b6a0-0000-7000-8000-000000000000' }), [/^\/vendor\/principalId: .*names no principal/])
  t.equal((await check({ kind: 'manual', instructions: 'x', authenticate: { ...good.authenticate, url: 'nonsense' }, refusedStatuses: [401] })).length, 1)
  t.match(await check({ kind: 'manual', instructions: 'x', authenticate: good.authenticate, metadata: { ...good.metadata, url: 'nonsense' }, refusedStatuses: [401] }), [/^\/vendor\/metadata: /])
  t.match(await check({ kind: 'postgres-role', group: 'g', address: 'postgres://me@db.example/' }, { account: 'string' }), [/^\/vendor\/address: .*holds a name or a password/])
})

t.test('the preset of the documents is a manifest, and works', async (t) => {
  const page = readFileSync(new URL('../../../docs/how-to/rotate-a-heroku-authorization.md', import.meta.url), 'utf8')
  const [, preset = ''] = /^```json preset\n([^]*?)^```$/m.exec(page) ?? []
  const wire = JSON.parse(preset) as WireManifest
  t.same(formErrors(wire), [])
  const manifest = manifestOf(wire, 'heroku-deploy')
  t.same(checkManifest('heroku-deploy', manifest), [])

  const small = await smallVendor(t)
  const outgoing = createOutgoing({ allow: [], plainLoopback: true })
  t.teardown(() => outgoing.close())
  const here = manifestOf(JSON.parse(preset.replaceAll('https://api.heroku.com', small.url)) as WireManifest, 'heroku-deploy').vendor
  if (here.kind !== 'http') throw new Error('not http')
  const vendor = httpVendor({ vendor: here, connection: async () => new Secret(small.connection.token), outgoing })
  const old = await small.issue({ description: 'in use', scope: 'global' })
  t.same((await vendor.verify(old.secret, { replace: false })).map(({ probe, outcome }) => [probe, outcome]), [['authenticate', 'passed'], ['metadata', 'passed'], ['may_mint', 'passed'], ['refuses_random', 'passed']])
  t.equal((await small.look()).writes, 0, 'zero change')
  const minted = await vendor.mint({ label: 'rotation.1', valueId: '-' })
  if (minted.status !== 'minted') throw new Error('not minted')
  t.equal((await vendor.verify(minted.secret, { replace: false })).length, 4)
  t.equal((await vendor.revoke({ tokenId: old.tokenId, value: old.secret })).status, 'revoked')
  t.equal((await vendor.probeRefused(old.secret)).status, 'refused')
  t.equal((await small.look()).writes, 2)
})

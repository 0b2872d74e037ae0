// Where secrets may go: whoever may only rotate gets no value and no account sent elsewhere, borrows nothing unrecorded, becomes nobody; and what a manifest may not be.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { PATH, rotationWorld, WHY } from '../support/rotations.ts'

t.setTimeout(120_000)
const world = await rotationWorld(t)
const { service, vendor } = world
const operator = await world.bearer('rotations-operator')
const asOperator = (method: string, path: string, body?: unknown) => service.request(method, path, body, operator)
const put = (name: string, manifest: object) => asOperator('PUT', `${PATH}/${name}`, { manifest, ...WHY })
const facts = async (name: string, type: string) => (await service.request('GET', `/api/v1/audit/replay?stream=credential-${name}`)).text.trim().split('\n')
  .map((line) => JSON.parse(line) as { type: string, data: Record<string, unknown> }).filter((fact) => fact.type === type).map(({ data }) => data)

/** A server of the operator's own. */
let heard = 0
const server = createServer((_request, response) => { heard++; response.end('{}') }).listen(0, '127.0.0.1')
await once(server, 'listening')
t.teardown(() => { server.close() })
const elsewhere = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const vendorOf = (manifest: object) => (manifest as { vendor: Record<string, object> }).vendor
const usual = world.manifest([])
const call = (what: string, url = elsewhere) => ({ method: 'GET', url: `${url}/x`, headers: { authorization: `Bearer {{${what}}}` }, expect: [200] })
const byHand = (more: object = {}) => ({ ...usual, connection: undefined, vendor: { kind: 'manual', instructions: 'Ask Ada.', refused_statuses: [401], authenticate: { ...call('value', vendor.url), url: `${vendor.url}/account`, ...more } } })
const errorsOf = ({ body }: { body: Record<string, unknown> }) => (body['errors'] as Array<{ path: string, message: string }>).map(({ path, message }) => `${path}: ${message}`)

t.test('a manifest that leads elsewhere voids the value', async (t) => {
  for (const [name, manifest] of [
    ['url', { ...usual, vendor: { ...vendorOf(usual), authenticate: call('value') } }],
    ['kind', byHand()]
  ] as const) {
    await world.credential(name)
    const job = await world.open(name)
    t.match(await put(name, manifest), { status: 409, body: { code: 'rotation_open' } }, `${name}, while a rotation is open`)
    t.equal((await world.step(name, job, 'abort')).status, 202)
    const before = (await asOperator('GET', `${PATH}/${name}`)).body['value'] as { value_id: string }
    t.match(await put(name, manifest), { status: 200 })
    t.equal((await asOperator('GET', `${PATH}/${name}`)).body['value'], null)
    t.match((await facts(name, 'credential.value_superseded')).at(-1), { valueId: before.value_id }, 'and is destroyed')
    t.match(await asOperator('POST', `${PATH}/${name}/rotations`, WHY), { status: 409, body: { code: 'value_missing' } })
  }
  await world.credential('path')
  t.equal((await put('path', { ...usual, vendor: { ...vendorOf(usual), metadata: call('value', vendor.url) } })).status, 200)
  t.not((await asOperator('GET', `${PATH}/path`)).body['value'], null, 'another path of the same vendor voids nothing')
  t.equal(heard, 0)
})

t.test('a connection goes to its own vendor, and each loan of it is a fact', async (t) => {
  const borrowing = (credential: string, more: object = {}) => ({ ...usual, connection: { credential }, vendor: { ...vendorOf(usual), ...more } })
  await world.credential('borrower')
  t.equal((await put('lender', byHand())).status, 200)
  t.equal((await asOperator('POST', `${PATH}/lender/value`, { value: vendor.connection.token, ...WHY })).status, 200)
  for (const [name, manifest, error] of [
    ['borrower', borrowing('nobody'), /^\/connection\/credential: There is no credential nobody/],
    ['borrower', borrowing('borrower'), /^\/connection\/credential: A credential cannot mint and revoke itself/],
    ['borrower', borrowing('lender', { may_mint: call('connection') }), /^\/connection\/credential: .*other addresses/],
    ['borrower', { ...usual, vendor: { ...vendorOf(usual), may_mint: call('connection') } }, /^\/connection\/account: The account minter is not for 127/]
  ] as const) {
    const answer = await put(name, manifest)
    t.match(answer, { status: 422, body: { code: 'manifest_invalid' } })
    t.match(errorsOf(answer), [error])
  }
  t.equal((await put('borrower', borrowing('lender'))).status, 200)
  t.match(errorsOf(await put('lender', borrowing('borrower'))), [/in a circle/])

  const opened = await world.open('borrower')
  t.same(await facts('lender', 'credential.value_lent'), [], 'nothing is lent yet')
  const { body: verified } = await world.step('borrower', opened, 'verify')
  t.equal(verified.state, 'verified')
  const lent = await facts('lender', 'credential.value_lent')
  t.match(lent, [{ credential: 'lender', to: 'borrower', purpose: 'rotation', rotationId: opened.rotation_id }], 'once for a stage')

  // The lender moves away, and has a value again: that one is for elsewhere.
  t.equal((await put('lender', byHand({ url: `${elsewhere}/account` }))).status, 200)
  t.equal((await asOperator('POST', `${PATH}/lender/value`, { value: vendor.connection.token, ...WHY })).status, 200)
  const writes = (await vendor.look()).writes
  const { body: failed } = await world.step('borrower', verified, 'distribute')
  t.equal(failed.state, 'mint_failed')
  t.equal((await vendor.look()).writes, writes)
  t.equal((await facts('lender', 'credential.value_lent')).length, lent.length, 'and nothing was lent')
  t.equal(heard, 0)
})

t.test('a connection is another secret than the value, whatever their names', async (t) => {
  const { tokenId, secret } = await vendor.issue({ description: 'twins', scope: 'global' })
  const adopt = (name: string) => asOperator('POST', `${PATH}/${name}/value`, { value: secret.reveal(), vendor_token_id: tokenId, ...WHY })
  const borrowing = { ...usual, connection: { credential: 'admin' } }
  t.equal((await put('admin', usual)).status, 200)
  t.equal((await adopt('admin')).status, 200)
  t.equal((await put('twin', borrowing)).status, 200)
  t.match(await adopt('twin'), { status: 400, body: { code: 'invalid_request', detail: /value of this credential is that of admin.*Name another connection/ } })
  t.equal((await asOperator('GET', `${PATH}/twin`)).body['value'], null)
  t.equal((await put('other', usual)).status, 200)
  t.equal((await adopt('other')).status, 200)
  t.match(errorsOf(await put('other', borrowing)), [/^\/connection\/credential: The value of this credential is that of admin/])

  // In the accounts file only stage 1 can see it.
  t.equal((await put('account', usual)).status, 200)
  t.equal((await asOperator('POST', `${PATH}/account/value`, { value: vendor.connection.token, vendor_token_id: vendor.connection.id, ...WHY })).status, 200)
  const { writes } = await vendor.look()
  t.match(await world.step('account', await world.open('account'), 'verify'), {
    status: 202, body: { state: 'verify_failed', meaning: /the connection is what is to be rotated/, failure: { probe: 'may_mint', failure: 'is_the_connection', answer: null } }
  })
  t.equal((await vendor.look()).writes, writes)
})

t.test('by hand: what is asked is shown as asked, what is left to a human as that', async (t) => {
  const metadata = { ...call('value', vendor.url), url: `${vendor.url}/oauth/authorizations/~` }
  const { vendor: hand, ...rest } = byHand()
  t.match(errorsOf(await put('hand', { ...rest, vendor: { ...hand, metadata: { ...metadata, headers: {} } } })), [/^\/vendor\/metadata: .*\{\{value\}\} has to stand in it/])
  t.equal((await put('hand', { ...rest, vendor: { ...hand, metadata } })).status, 200)
  t.match((await asOperator('GET', `${PATH}/hand`)).body, { manifest: { vendor: { metadata } } })
  const { secret } = await vendor.issue({ description: 'hand' })
  t.equal((await asOperator('POST', `${PATH}/hand/value`, { value: secret.reveal(), ...WHY })).status, 200)
  const job = await world.open('hand')
  t.match(await world.step('hand', job, 'verify'), { status: 202, body: { state: 'verified' } })
  const { body } = await asOperator('GET', `${PATH}/hand/rotations/${job.rotation_id}/transcript`)
  const { exchanges } = (body['items'] as Array<{ exchanges: Array<{ probe: string, outcome: string }> }>).at(-1) ?? { exchanges: [] }
  t.same(exchanges.map(({ probe, outcome }) => [probe, outcome]), [['authenticate', 'passed'], ['metadata', 'passed'], ['may_mint', 'by_hand'], ['refuses_random', 'passed']])
})

t.test('a manifest by which the value in use could not be revoked any more is no manifest of it', async (t) => {
  const { revoke } = vendorOf(usual) as { revoke: { url: string, headers: object } }
  const byValue = { ...usual, vendor: { ...vendorOf(usual), revoke: { ...revoke, url: `${vendor.url}/oauth/revocations`, headers: { ...revoke.headers, 'x-revoke': '{{value}}' } } } }
  const { tokenId, secret } = await vendor.issue({ description: 'nameless' })
  const adopt = (more: object = {}) => asOperator('POST', `${PATH}/nameless/value`, { value: secret.reveal(), ...WHY, ...more })
  t.equal((await put('nameless', byValue)).status, 200)
  t.equal((await adopt()).status, 200)
  const refused = await put('nameless', usual)
  t.match(refused, { status: 422, body: { code: 'manifest_invalid' } })
  t.match(errorsOf(refused), [/^\/vendor\/revoke: \{\{token_id\}\} stands in it, .*Adopt the value again, with vendor_token_id/])
  t.not((await asOperator('GET', `${PATH}/nameless`)).body['value'], null, 'it is still good for what it was adopted for')
  t.equal((await adopt({ vendor_token_id: tokenId })).status, 200)
  t.equal((await put('nameless', usual)).status, 200)
  await world.open('nameless')
})

t.test('one answer tells all that is wrong: beside the manifest, with its form, and with what has the form', async (t) => {
  const consumer = (name: string, more: object = {}) => ({ consumer: name, required: true, delivery: { kind: 'push', url: 'https://a.example/d' }, healthcheck: `https://${name}.example/h`, proof: { kind: 'possession' }, ...more })
  const { mint, revoke, ...calls } = vendorOf(usual) as { mint: { call: object }, revoke: object }
  const bad = {
    ...usual,
    vendor: { ...calls, mint: { call: { ...mint.call, url: 'https://169.254.169.254/' }, secret: 'no pointer', token_id: '/id' }, revoke: { ...revoke, url: vendor.url }, refused_statuses: [200] },
    connection: { account: 'nobody' }, lifetime_days: 5, lead_days: 9,
    consumers: [consumer('one', { required: undefined }), consumer('two', { proof: { kind: 'none', reason: 'x' } }), consumer('two'), consumer('four', { delivery: { kind: 'pull' }, healthcheck: 'https://10.0.0.1/h' })]
  }
  const answer = await asOperator('PUT', `${PATH}/bad`, { manifest: bad, ticket: 'no such form' })
  t.match(answer, { status: 422, body: { code: 'manifest_invalid', detail: /^The manifest has \d+ errors, and so has what was sent beside it: mend them all/ } })
  t.same([...new Set((answer.body['errors'] as Array<{ path: string }>).map(({ path }) => path))].sort(), [
    '/body/reason', '/body/ticket', '/connection/account', '/consumers/0/required', '/consumers/1/delivery/url', '/consumers/1/proof', '/consumers/2/consumer', '/consumers/2/delivery/url', '/consumers/3/healthcheck',
    '/lead_days', '/vendor/mint/call', '/vendor/mint/secret', '/vendor/refused_statuses/0', '/vendor/revoke'
  ])
  t.match(errorsOf(await asOperator('PUT', `${PATH}/bad`, { manifest: usual, ticket: '4711' })), [/^\/body\/reason: is missing/])
  t.match(await asOperator('PUT', `${PATH}/bad`, { manifest: usual, ...WHY, ticket: 'no such form' }), { status: 422, body: { code: 'ticket_invalid' } })
  t.match(errorsOf(await put('bad', { ...usual, connection: { account: 7 } })), [/^\/connection: must be an object/], 'what is told of its form is not told to be missing')
  t.match(errorsOf(await asOperator('PUT', `${PATH}/bad`, WHY)), [/^: must be an object/])
  t.match(await asOperator('PUT', `${PATH}/bad`, []), { status: 422 })
  const issuing = { ...usual, connection: undefined, vendor: { kind: 'chancery-token', principal_id: 'nobody' } }
  t.equal((await put('bad', issuing)).status, 403, 'the right comes before what is wrong')
  t.equal((await asOperator('GET', `${PATH}/bad`)).status, 404)
})

t.test('who may not issue tokens writes no manifest that issues them', async (t) => {
  const { body } = await service.request('POST', '/api/v1/principals', { name: 'robot', kind: 'service', roles: [] })
  const manifest = { ...usual, connection: undefined, vendor: { kind: 'chancery-token', principal_id: body['principal_id'] } }
  t.match(await put('own', manifest), { status: 403, body: { code: 'forbidden' } })
  t.equal((await service.request('PUT', `${PATH}/own`, { manifest, ...WHY })).status, 200, 'a superadmin may')
  t.equal((await put('own', manifest)).status, 403, 'nor another version of it')
})

t.test('what is too long for the log, and addresses of two consumers, are told before anything is recorded', async (t) => {
  const consumer = (name: string, length = 0, of: object = {}) => ({
    consumer: name, required: true, proof: { kind: 'possession' }, delivery: { kind: 'push', url: `https://${name}.example/d${'x'.repeat(length)}` }, healthcheck: `https://${name}.example/h${'x'.repeat(length)}`, ...of
  })
  const crowd = await put('crowd', world.manifest(Array.from({ length: 500 }, (_, i) => consumer(`c-${i}`, 990))))
  t.match(crowd, { status: 422, body: { code: 'manifest_invalid' } })
  t.match(errorsOf(crowd), [/^: The manifest is 1\d{6} bytes long and may be 1\d{6}/])
  t.match(errorsOf(await put('twice', world.manifest([
    consumer('one'), consumer('two', 0, { healthcheck: 'https://ONE.example:443/h' }), consumer('three', 0, { delivery: { kind: 'push', url: 'https://two.example/d' } }), consumer('four', 0, { healthcheck: 'https://10.0.0.1/h' })
  ]))), [/^\/consumers\/1\/healthcheck: The consumer one has/, /^\/consumers\/2\/delivery\/url: The consumer two has/, /^\/consumers\/3\/healthcheck: four: .*private/])
  t.equal((await asOperator('GET', `${PATH}/twice`)).status, 404)
})

t.test('how the vendor refuses is tried before anything is minted, and mended while the rotation is open', async (t) => {
  const refusing = (statuses: number[]) => ({ ...usual, vendor: { ...vendorOf(usual), refused_statuses: statuses } })
  await world.credential('refusing', [], { vendor: { ...vendorOf(usual), refused_statuses: [403] } })
  const { writes } = await vendor.look()
  const failed = await world.step('refusing', await world.open('refusing'), 'verify')
  t.match(failed, {
    status: 202,
    body: { state: 'verify_failed', meaning: /answered 401 .*put a manifest with 401 among its refused_statuses/, failure: { probe: 'refuses_random', failure: 'no_refusal', answer: { status: '401', body: /Invalid credentials/ } } }
  })
  t.equal((await put('refusing', refusing([401, 403]))).status, 200)
  const verified = await world.step('refusing', await world.job('refusing', failed.body), 'verify')
  t.match(verified, { status: 202, body: { state: 'verified', failure: null } })
  t.equal((await vendor.look()).writes, writes, 'zero change')
  const [{ exchanges } = { exchanges: [] }] = await facts('refusing', 'rotation.verified') as Array<{ exchanges: Array<{ probe: string, request: { headers: object } }> }>
  t.same(exchanges.map(({ probe }) => probe), ['authenticate', 'metadata', 'may_mint', 'refuses_random', 'list'])
  t.match(exchanges.at(-1)?.request.headers, { authorization: 'Bearer [secret]' })
})

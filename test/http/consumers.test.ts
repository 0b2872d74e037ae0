// Consumers of the lifecycle stream over HTTP: registration, the MAC key, receipts once, who is overdue, and the metric.
import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { consumerQueries } from '../../infra/postgres/queries/consumers.ts'
import { connectPostgres } from '../../infra/postgres/index.ts'
import { watchOverdue } from '../../src/reactors/consumers/overdue.ts'
import { testService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

type Body = Record<string, unknown>
interface Consumers { items: Body[] }

const service = await testService(t)
const request: TestService['request'] = (...call) => service.request(...call)
const PATH = '/api/v1/lobby/consumers'
const DIGEST = 'ab'.repeat(32)

const principal = async (...roles: string[]) => {
  const { body: { principal_id: id } } = await request('POST', '/api/v1/principals', { name: 'x', kind: 'service', roles })
  const { body: { token } } = await request('POST', `/api/v1/principals/${String(id)}/tokens`, {})
  return { id: String(id), as: { authorization: `Bearer ${String(token)}` } }
}
const bearer = async (...roles: string[]): Promise<Record<string, string>> => (await principal(...roles)).as
const WHY = { reason: 'it was replaced' }
const problem = (t: Test, answer: { status: number, body: Body }, status: number, code: string) => t.match(answer, { status, body: { code } }, code)
const facts = async (stream: string): Promise<Array<{ type: string, data: Body, position: string, id: string }>> =>
  (await request('GET', `/api/v1/audit/replay?stream=${stream}`)).text.trim().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as never)

/** An account that was deleted: its last lifecycle event, and the account. */
const deleted = async (before: (userId: string) => Promise<void> = async () => {}) => {
  const { body: { user_id: userId } } = await request('POST', '/api/v1/auth/ensure-by-email', { email: `${randomUUID()}@example.com` })
  await before(String(userId))
  await request('POST', `/api/v1/internal/users/${String(userId)}/delete`, { reason_code: 'user_request' })
  const fact = (await facts(`user-${String(userId)}`)).find(({ type }) => type === 'user.lifecycle.deleted')
  if (fact === undefined) throw new Error('nothing was published')
  const body = (await request('GET', `/api/v1/admin/users/${String(userId)}/deletion`)).body as { entries: Array<{ event_position: string, event_id: string }> }
  return { user_id: String(userId), event_id: String(body.entries.at(-1)?.event_id), position: String(body.entries.at(-1)?.event_position) }
}

t.test('a consumer is registered, changed and retired; what is so already is no fact', async (t) => {
  const lobby = await bearer('lobby-service')
  const put = (name: string, body: object) => request('PUT', `${PATH}/${name}`, body, lobby)
  const registered = await put('names', { group: 'g1', overdue_ms: 60_000 })
  t.match(registered, { status: 200, body: { consumer: 'names', group: 'g1', overdue_ms: 60_000, status: 'registered', revision: '0' } })
  t.match(await put('names', { group: 'g1', overdue_ms: 60_000 }), { status: 200, body: { revision: '0' } })
  t.match(await put('names', { group: 'g2', overdue_ms: 60_000 }), { status: 200, body: { group: 'g2', revision: '1' } })
  problem(t, await request('PUT', `${PATH}/names`, { group: 'g3', overdue_ms: 60_000 }, { ...lobby, 'if-match': '"0"' }), 412, 'precondition_failed')
  for (const [name, body] of [['Names', { group: 'g', overdue_ms: 1000 }], ['a', { group: 'g', overdue_ms: 999 }], ['a', { group: 'g h', overdue_ms: 1000 }], ['a', { group: 'g' }]] as const) {
    problem(t, await put(name, body), 400, 'invalid_request')
  }
  problem(t, await request('POST', `${PATH}/nobody/retire`, WHY, lobby), 404, 'subject_not_found')
  t.match(await request('POST', `${PATH}/names/retire`, WHY, lobby), { status: 200, body: { status: 'retired', revision: '2' } })
  const retired = await request('POST', `${PATH}/names/retire`, WHY, lobby)
  t.match(retired, { status: 200, body: { status: 'retired', revision: '2' } })
  const list = await request('GET', PATH, undefined, { ...lobby, 'chancery-position': String(retired.body['position']) })
  t.match((list.body as unknown as Consumers).items.filter(({ consumer }) => consumer === 'names'), [{ consumer: 'names', group: 'g2', overdue_ms: 60_000, status: 'retired', retired_at: String }])
  t.match(await put('names', { group: 'g2', overdue_ms: 5_000 }), { status: 200, body: { status: 'registered', revision: '3' } }, 'registered again')
  t.strictSame((await facts('consumer-names')).map(({ type }) => type), ['consumer.registered', 'consumer.changed', 'consumer.retired', 'consumer.registered'])
  problem(t, await request('GET', PATH, undefined, await bearer('admin')), 403, 'forbidden')
})

t.test('a consumer belongs to the principal that registered it; a superadmin may act for every one', async (t) => {
  const [owner, other] = [await principal('lobby-service'), await principal('lobby-service')]
  const registration = { group: 'owned', overdue_ms: 60_000 }
  t.equal((await request('PUT', `${PATH}/owned`, registration, owner.as)).status, 200)
  const event = await deleted()
  const report = { ...event, consumer: 'owned', outcome: 'released', items: 1, digest: DIGEST }
  const foreign: Array<[string, string, object]> = [
    ['PUT', `${PATH}/owned`, registration], ['PUT', `${PATH}/owned`, { ...registration, group: 'stolen' }], ['POST', `${PATH}/owned/mac-key`, {}],
    ['POST', `${PATH}/owned/retire`, WHY], ['POST', '/api/v1/lobby/receipts', report]
  ]
  for (const [method, path, body] of foreign) problem(t, await request(method, path, body, other.as), 403, 'forbidden')
  t.match(await facts(`refusal-${other.id}`), [{ type: 'access.refused', data: { principalId: other.id, permission: 'lobby.write' } }], 'noted, once a minute')
  t.strictSame(await facts(`receipt-owned-${event.position}`), [], 'and nothing was reported in its name')
  t.equal((await facts('consumer-owned')).length, 1)

  const key = { ...owner.as, 'idempotency-key': 'key-1' }
  t.equal((await request('POST', `${PATH}/owned/mac-key`, {}, key)).status, 200)
  t.equal((await request('POST', '/api/v1/lobby/receipts', report, owner.as)).status, 200)
  t.match(await request('PUT', `${PATH}/owned`, { ...registration, overdue_ms: 5_000 }), { status: 200 }, 'the superadmin may')
  t.equal((await request('PUT', `${PATH}/owned`, registration, owner.as)).status, 200, 'and takes nothing over by it')

  problem(t, await request('POST', `${PATH}/owned/retire`, {}, owner.as), 400, 'invalid_request')
  t.equal((await request('POST', `${PATH}/owned/retire`, WHY)).status, 200)
  t.equal((await request('PUT', `${PATH}/owned`, registration, other.as)).status, 200, 'taken over: retired, and registered again')
  problem(t, await request('POST', `${PATH}/owned/mac-key`, {}, owner.as), 403, 'forbidden')
  problem(t, await request('POST', `${PATH}/owned/mac-key`, {}, key), 403, 'forbidden')
  t.equal((await request('POST', '/api/v1/lobby/receipts', report, other.as)).status, 200)
})

t.test('no two consumers have one group', async (t) => {
  const put = (name: string, group: string) => request('PUT', `${PATH}/${name}`, { group, overdue_ms: 60_000 })
  const both = await Promise.all(['twin-a', 'twin-b'].map((name) => put(name, 'shared')))
  t.strictSame(both.map(({ status }) => status).sort(), [200, 409], 'of two at once one has it')
  const [holder = '', other = ''] = both[0]?.status === 200 ? ['twin-a', 'twin-b'] : ['twin-b', 'twin-a']
  t.match(both.find(({ status }) => status === 409)?.body, { code: 'conflict', group: 'shared', consumer: holder })
  t.equal((await put(other, 'other')).status, 200)
  problem(t, await put(other, 'shared'), 409, 'conflict')
  t.equal((await put(holder, 'shared')).status, 200)
  t.equal((await request('POST', `${PATH}/${holder}/retire`, WHY)).status, 200)
  t.equal((await put(other, 'shared')).status, 200, 'what was retired is free')
})

t.test('the MAC key is handed out after the fact that says so', async (t) => {
  await request('PUT', `${PATH}/keyed`, { group: 'keyed', overdue_ms: 60_000 })
  problem(t, await request('POST', `${PATH}/unknown/mac-key`, {}), 404, 'subject_not_found')
  const key = { 'idempotency-key': 'open-1' }
  const opened = await request('POST', `${PATH}/keyed/mac-key`, {}, key)
  t.match(opened, { status: 200, body: { key_id: /^[0-9a-f]{8}$/, key: /^[A-Za-z0-9_-]{43}$/ } })
  t.equal(opened.headers.get('cache-control'), 'no-store')
  t.same((await request('POST', `${PATH}/keyed/mac-key`, {}, key)).body, opened.body)
  const found = await facts('consumer-keyed')
  t.match(found.slice(1), [{ type: 'consumer.mac_key_opened', data: { keyId: opened.body['key_id'] } }])
  t.equal(found.length, 2)
  t.notMatch(JSON.stringify(found), String(opened.body['key']), 'never the key itself')
})

t.test('a receipt is one fact; the first report stands, and it must be about an event that there is', async (t) => {
  await request('PUT', `${PATH}/a`, { group: 'a', overdue_ms: 60_000 })
  await request('PUT', `${PATH}/b`, { group: 'b', overdue_ms: 60_000 })
  const event = await deleted()
  const report = { ...event, consumer: 'a', outcome: 'released', items: 2, digest: DIGEST }
  const post = (body: object, headers = {}) => request('POST', '/api/v1/lobby/receipts', body, headers)

  const wrong: Array<Partial<typeof report>> = [
    { consumer: 'nobody' }, { position: String(BigInt(event.position) + 1n) }, { position: '0' }, { event_id: randomUUID() }, { user_id: randomUUID() }
  ]
  for (const part of wrong) problem(t, await post({ ...report, ...part }), 404, 'subject_not_found')
  for (const part of [{ items: -1 }, { digest: 'ab' }, { outcome: 'Two words' }, { position: '01' }]) problem(t, await post({ ...report, ...part }), 400, 'invalid_request')

  const many = await Promise.all(Array.from({ length: 20 }, () => post(report)))
  t.ok(many.every(({ status }) => status === 200))
  t.equal(many.filter(({ body }) => body['replayed'] === false).length, 1, 'of twenty at once one is the first')
  t.equal(new Set(many.map(({ body }) => `${String(body['acknowledged_at'])} ${String(body['position'])}`)).size, 1, 'and all get its answer')
  problem(t, await post({ ...report, digest: 'cd'.repeat(32) }), 409, 'conflict')
  problem(t, await post({ ...report, items: 3 }), 409, 'conflict')
  t.match(await facts(`receipt-a-${event.position}`), [{ type: 'cascade.acknowledged', data: { eventPosition: event.position, userId: event.user_id, digest: DIGEST } }])

  const at = { 'chancery-position': String(many[0]?.body['position']) }
  const shown = (await request('GET', `/api/v1/admin/users/${event.user_id}/deletion`, undefined, at)).body
  t.match(shown, { stage: 'deleted', purge_after: String, holds: [], settled: false, entries: [{ event_id: event.event_id }] })
  const progress = ((shown['entries'] as Array<{ consumers: Body[] }>)[0]?.consumers ?? []).filter(({ consumer }) => ['a', 'b'].includes(String(consumer)))
  t.match(progress, [{ consumer: 'a', state: 'finished', outcome: 'released', items: 2, digest: DIGEST }, { consumer: 'b', state: 'waiting', due_at: String }])
  problem(t, await request('GET', `/api/v1/admin/users/${randomUUID()}/deletion`), 404, 'subject_not_found')

  await request('PUT', `${PATH}/late`, { group: 'late', overdue_ms: 60_000 })
  const { body: { position } } = await request('POST', `${PATH}/b/retire`, WHY)
  const after = (await request('GET', `/api/v1/admin/users/${event.user_id}/deletion?min_position=${String(position)}`)).body
  const names = ((after['entries'] as Array<{ consumers: Body[] }>)[0]?.consumers ?? []).map(({ consumer }) => consumer)
  t.ok(names.includes('a') && !names.includes('late') && !names.includes('b'), 'nobody waits for who came later, or is retired')
  problem(t, await post({ ...report, consumer: 'b' }), 404, 'subject_not_found')
})

t.test('a receipt for a later entry of the same account settles the earlier ones', async (t) => {
  const postgres = await connectPostgres({ url: service.env['CHANCERY_POSTGRES_URL'] ?? '' })
  t.teardown(() => postgres.close())
  await request('PUT', `${PATH}/snapshots`, { group: 'snapshots', overdue_ms: 1_000 })
  const event = await deleted(async (userId) => { await request('POST', `/api/v1/admin/users/${userId}/sanctions`, { code: 'permanent_block', scope: 'platform', reason_code: 'cheating' }) })
  const progress = async (position: unknown) => {
    const { entries } = (await request('GET', `/api/v1/admin/users/${event.user_id}/deletion?min_position=${String(position)}`)).body as unknown as { entries: Array<{ event_position: string, consumers: Body[] }> }
    return entries.map(({ consumers }) => consumers.find(({ consumer }) => consumer === 'snapshots'))
  }
  const overdue = async () => (await consumerQueries(postgres.database).overdue(new Date(Date.now() + 60_000), new Map(), 10_000)).find(({ consumer }) => consumer === 'snapshots')?.count
  const { body: { position: block } } = await request('GET', `/api/v1/admin/users/${event.user_id}/deletion`)
  t.match(await progress(block), [{ state: /waiting|overdue/ }, { state: /waiting|overdue/ }])
  await until(async () => await overdue() === 2n)

  const posted = await request('POST', '/api/v1/lobby/receipts', { ...event, consumer: 'snapshots', outcome: 'released', items: 1, digest: DIGEST })
  t.match(await progress(posted.body['position']), [
    { state: 'finished', settled_by: event.position, acknowledged_at: String }, { state: 'finished', outcome: 'released', items: 1 }
  ])
  t.equal(await overdue(), 0n, 'and neither is overdue')
})

t.test('who sends no receipt in time is named once, counted, and said to have caught up', async (t) => {
  const postgres = await connectPostgres({ url: service.env['CHANCERY_POSTGRES_URL'] ?? '' })
  t.teardown(() => postgres.close())
  await request('PUT', `${PATH}/slow`, { group: 'slow', overdue_ms: 1_000 })
  const events = [await deleted(), await deleted(), await deleted()]
  const clock = { at: new Date(), now: () => clock.at }
  const lines: string[] = []
  const shown = new Map<string, number>()
  const log = { info: (_: object, line: string) => { lines.push(line) }, warn: (_: object, line: string) => { lines.push(line) } }
  const watch = watchOverdue({
    consumers: consumerQueries(postgres.database), clock, log, everyMs: 3_600_000, show: (consumer, count) => { shown.set(consumer, count) }, hide: (consumer) => { shown.delete(consumer) }
  })
  t.teardown(() => watch.stop())
  const own = () => lines.filter((line) => line.includes('slow'))
  await until(async () => { await watch.look(); return shown.get('slow') === 0 })
  t.strictSame(own(), [])

  clock.at = new Date(Date.now() + 2_000)
  await watch.look()
  await watch.look()
  t.equal(shown.get('slow'), 3)
  t.match(own(), [new RegExp(`slow is overdue: .*${events[0]?.position}$`)], 'said once')
  const later = await Promise.all(events.map((event) => request('POST', '/api/v1/lobby/receipts', { ...event, consumer: 'slow', outcome: 'released', items: 0, digest: DIGEST })))
  await request('GET', `${PATH}?min_position=${later.map(({ body }) => Number(body['position'])).reduce((a, b) => Math.max(a, b))}`)
  await watch.look()
  t.equal(shown.get('slow'), 0)
  t.match(own()[1], /slow has caught up/)
  const more = await deleted()
  await until(async () => { clock.at = new Date(Date.now() + 2_000); await watch.look(); return shown.get('slow') === 1 })
  t.match(own()[2], new RegExp(`overdue: .*${more.position}$`), 'and again, from where it had got to')
  const overdue = (await request('GET', `/api/v1/admin/users/${more.user_id}/deletion`)).body as unknown as { entries: Array<{ consumers: Body[] }> }
  t.match(overdue.entries[0]?.consumers.find(({ consumer }) => consumer === 'slow'), { state: /waiting|overdue/ })
  const { body: { position } } = await request('POST', `${PATH}/slow/retire`, WHY)
  await request('GET', `${PATH}?min_position=${String(position)}`)
  await watch.look()
  t.notOk(shown.has('slow'))
  t.match((await request('GET', '/metrics')).text, /chancery_consumer_overdue/)
})

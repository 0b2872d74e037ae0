// What the auditor and the operator see over HTTP, on the whole service: the log as it is, open intents, health, counters.
import t, { type Test } from 'tap'
import { openLog } from '../../infra/eventstore/index.ts'
import type { Vault } from '../../src/ports.ts'
import { testEventStore } from '../support/eventstore.ts'
import { testService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

type Item = Record<string, unknown> & { position: string, stream: string, type: string, metadata: { commandId: string, actor: { id: string } } }

const eventsOf = (service: TestService) => async (query: Record<string, string> = {}): Promise<{ items: Item[], next: string | null }> => {
  const { status, body, text } = await service.request('GET', `/api/v1/audit/events?${new URLSearchParams(query).toString()}`)
  if (status !== 200) throw new Error(text)
  return { items: body['items'] as Item[], next: body['next_cursor'] as string | null }
}

const sealedVault: Vault = { seal: () => Promise.reject(new Error('seals nothing')), open: () => Promise.reject(new Error('opens nothing')) }

t.test('what the auditor reads is what was appended', async (t) => {
  const service = await testService(t, { env: { CHANCERY_ROLES: 'api,projector', CHANCERY_TRUSTED_PROXIES: '127.0.0.1' } })
  const events = eventsOf(service)
  const made: string[] = []
  let position = ''
  for (let i = 0; i < 7; i++) {
    const answer = await service.request('POST', '/api/v1/principals', { name: `Canary Person ${i}`, kind: 'operator', roles: ['auditor'] }, { 'idempotency-key': `made-${i}`, 'user-agent': 'canary-agent' })
    made.push(String(answer.body['principal_id']))
    position = String(answer.body['position'])
  }
  const log = await openLog({ url: service.env['CHANCERY_EVENTSTORE_URL'] ?? '', vault: sealedVault })
  t.teardown(() => log.close())
  const appended: unknown[] = []
  for await (const { id, stream, type, revision, position: at, created, data, metadata } of log.rawAll()) {
    appended.push({ id, stream, type, revision: String(revision), position: String(at), created: created.toISOString(), data, metadata })
  }

  const all = await events({ min_position: position, limit: '1000' })
  t.strictSame(all.items, appended, 'all of it, in order')
  t.equal(all.next, null)
  const replay = await service.request('GET', '/api/v1/audit/replay')
  t.match(replay.headers.get('content-type'), /^application\/x-ndjson/)
  t.ok(replay.text.endsWith('\n'))
  t.strictSame(replay.text.trim().split('\n').map((line) => JSON.parse(line) as unknown), appended, 'the replay too')
  t.notMatch(replay.text + JSON.stringify(all), /Canary|canary/, 'sealed values stay sealed')

  const stream = `principal-${made[3]}`
  const own = all.items.filter((item) => item.stream === stream)
  t.equal(own.length, 2)
  t.strictSame((await events({ stream })).items, own, 'by stream')
  t.strictSame((await service.request('GET', `/api/v1/audit/replay?stream=${stream}`)).text.trim().split('\n').map((line) => JSON.parse(line) as unknown), own)
  t.strictSame((await events({ type: 'principal.created' })).items, all.items.filter(({ type }) => type === 'principal.created'), 'by type')
  const commandId = own[0]?.metadata.commandId ?? ''
  t.strictSame((await events({ command_id: commandId })).items, own, 'by command')
  const actor = own[0]?.metadata.actor.id ?? ''
  t.strictSame((await events({ actor })).items, all.items.filter(({ metadata }) => metadata.actor.id === actor), 'by actor')
  const from = String(own[0]?.['created'])
  t.strictSame((await events({ from })).items, all.items.filter((item) => String(item['created']) >= from), 'from a time')
  t.strictSame((await events({ to: from })).items, all.items.filter((item) => String(item['created']) < from), 'to a time')
  t.strictSame((await events({ stream, type: 'principal.role_granted' })).items, own.slice(1), 'together')
  t.strictSame((await events({ stream: 'principal-nobody' })).items, [])
  t.equal((await service.request('GET', '/api/v1/audit/replay?stream=principal-nobody')).text, '', 'an absent stream is empty')

  for (const direction of ['forwards', 'backwards']) {
    const pages: Item[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: { items: Item[], next: string | null } = await events({ limit: '4', direction, ...cursor !== '' && { cursor } })
      pages.push(...page.items)
      cursor = page.next
    }
    t.strictSame(direction === 'forwards' ? pages : pages.reverse(), all.items, `page by page ${direction}`)
  }
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'cursor=x', 'from=2026-02-30T00:00:00Z', 'from=yesterday', 'stream=$all', 'direction=up', 'order=asc', 'command_id=1']) {
    t.match(await service.request('GET', `/api/v1/audit/events?${query}`), { status: 400, body: { code: 'invalid_request' } }, query)
  }
  await aborted(t, service)
  await fromElsewhere(t, service)
})

/** A reader that goes away in the middle of a replay harms nobody. */
const aborted = async (t: Test, service: TestService) => {
  for (let i = 0; i < 5; i++) {
    const gone = new AbortController()
    const answer = await fetch(`${service.url}/api/v1/audit/replay`, { headers: { authorization: `Bearer ${service.token()}` }, signal: gone.signal })
    await answer.body?.getReader().read()
    gone.abort()
  }
  t.equal((await service.request('GET', '/api/v1/me')).status, 200)
}

/** From elsewhere health tells only whether it is ready, and counters need a right. */
const fromElsewhere = async (t: Test, service: TestService) => {
  const far = { 'x-forwarded-for': '203.0.113.9' }
  const unknown = { ...far, authorization: '' }
  await until(async () => (await service.request('GET', '/health/ready', undefined, unknown)).status === 200)
  t.strictSame((await service.request('GET', '/health/ready', undefined, unknown)).body, { status: 'ready' })
  t.equal((await service.request('GET', '/metrics', undefined, unknown)).status, 401)
  t.ok((await service.request('GET', '/health/ready', undefined, far)).body['stores'], 'the superadmin sees all from anywhere')
  t.equal((await service.request('GET', '/metrics', undefined, far)).status, 200)
}

t.test('an intent is listed as long as it has no outcome', async (t) => {
  const idle = await testService(t, { env: { CHANCERY_ROLES: 'api,projector' } })
  const invited = await idle.request('POST', '/api/v1/console/beta/testers', { email: 'canary@example.com' })
  t.equal(invited.status, 201, invited.text)
  const open = async (service: TestService, query = '') =>
    (await service.request('GET', `/api/v1/audit/open-intents?min_position=${String(invited.body['position'])}${query}`)).body['items'] as Item[]
  const [mail, ...others] = await open(idle)
  t.match(mail, { type: 'mail.requested', stream: /^tester-/, steps: 0, last_step_at: null, actor: { type: 'principal' } })
  t.strictSame(others, [])
  t.strictSame(await open(idle, '&intent=console.beta.ghost_reset.initiated'), [])
  await idle.stop()

  const working = await testService(t, { beside: idle, env: { CHANCERY_ROLES: 'api,projector,reactor' } })
  await until(async () => (await open(working)).length === 0)
})

t.test('health and counters, with the event store there, away and back', async (t) => {
  const store = await testEventStore(t)
  const service = await testService(t, { env: { CHANCERY_EVENTSTORE_URL: store.url } })
  const ready = () => service.request('GET', '/health/ready', undefined, { authorization: '' })
  await until(async () => (await ready()).status === 200)
  t.match((await ready()).body, {
    status: 'ready', stores: { event_store: { status: 'up' }, postgres: { status: 'up' } }, projections: [{ name: 'testers', status: 'serving', lag: 0 }]
  })
  const metrics = (headers: Record<string, string>) => service.request('GET', '/metrics', undefined, headers)
  t.equal((await metrics({ authorization: '' })).status, 200, 'open on the machine itself')
  for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']) {
    for (const value of ['203.0.113.9', '127.0.0.1']) {
      const proxied = { authorization: '', [header]: value }
      t.strictSame((await service.request('GET', '/health/ready', undefined, proxied)).body, { status: 'ready' }, `${header}: ${value}`)
      t.match(await metrics(proxied), { status: 401, body: { code: 'unauthenticated' } }, 'through a proxy that nobody named')
    }
    t.equal((await metrics({ [header]: '203.0.113.9' })).status, 200, 'with a token')
  }
  const create = (key: string) => service.request('POST', '/api/v1/principals', { name: 'x', kind: 'service' }, { 'idempotency-key': key })
  const made = await create('a')
  t.equal(made.status, 201)

  await store.stop()
  t.equal((await service.request('GET', '/health/live')).status, 200, 'alive all the same')
  t.match(await ready(), { status: 503, body: { status: 'not_ready', stores: { event_store: { status: 'down' }, postgres: { status: 'up' } } } })
  t.equal((await service.request('GET', '/api/v1/me')).status, 200, 'a caller cached in single mode may read')
  const grant = () => service.request('PUT', `/api/v1/principals/${String(made.body['principal_id'])}/roles/auditor`, {})
  for (const command of [() => create('b'), () => create('c'), grant, grant]) {
    const began = performance.now()
    const answer = await command()
    t.match(answer, { status: 503, body: { code: 'audit_unavailable' } })
    t.ok(performance.now() - began < 1500, `${Math.round(performance.now() - began)} ms`)
    t.ok(answer.headers.get('retry-after'))
  }
  await store.start()
  await until(async () => (await create('b')).status === 201)
  await until(async () => (await ready()).status === 200)

  const counters = (await service.request('GET', '/metrics', undefined, { authorization: '' })).text
  const value = (name: string) => Number(new RegExp(`^${name.replace(/[{}".*/:|]/g, (c) => c === '*' ? '.*' : `\\${c}`)} ([0-9.e+-]+)$`, 'm').exec(counters)?.[1])
  t.ok(value('chancery_appends_total{category="principal",outcome="appended"}') >= 3)
  t.ok(value('chancery_appends_total{category="principal",outcome="unavailable"}') >= 1)
  t.ok(value('chancery_http_request_duration_seconds_count{method="POST",route="/api/v1/principals",status="503"}') >= 2)
  t.equal(value('chancery_projection_serving{projection="audit"}'), 1)
  t.ok(value('chancery_projection_lag_milliseconds{projection="principals"}') >= 0)
  t.match(counters, /^chancery_process_resident_memory_bytes \d+/m)
  t.notMatch(counters, /chy_|[0-9a-f]{8}-[0-9a-f]{4}/, 'no ids among the labels')
})

// Without the event store nothing is done: every command of the service's own table says so, and at once.
import { randomBytes, randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { createAuthenticator, type CreationOptions } from '../../src/cli/demo/authenticator.ts'
import { openMailbox } from '../../src/cli/demo/mailbox.ts'
import { readConfig } from '../../src/config.ts'
import { routesOf, type Parts } from '../../src/start/routes.ts'
import { testDoor } from '../support/door.ts'
import { testEventStore } from '../support/eventstore.ts'
import { testService } from '../support/service.ts'
import { until } from '../support/until.ts'

/** The adapter's own limits add up to less than a second (test/infra/eventstore/faults.test.ts); a busy machine gets another, in ms. */
const AT_ONCE = 2000
const TOGETHER = 4
const UNAVAILABLE = { status: 503, code: 'audit_unavailable' }
const FORBIDDEN = { status: 403, code: 'forbidden' }

const manifest = {
  vendor: { kind: 'manual', instructions: 'ask Ada', authenticate: { method: 'GET', url: 'https://vendor.example/', expect: [200] }, refused_statuses: [401] },
  sensitivity: 'normal', owner: { name: 'Ada', email: 'ada@example.org' }, lead_days: 7, consumers: []
}

const untouched = (): unknown => new Proxy(() => untouched(), { get: (_target, name) => name === 'then' ? undefined : untouched() })

/** `METHOD /pattern` of everything that may change something. */
const commandRoutes = async (t: Test): Promise<string[]> => {
  const parts = new Proxy({ config: readConfig({}) }, { get: (target, name) => name === 'config' ? target.config : untouched() })
  const app = await testDoor(t, routesOf(parts as unknown as Parts))
  return app.routeTable.filter(({ method }) => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method)).map(({ method, url }) => `${method} ${url}`)
}

t.test('every command without the event store', async (t) => {
  const store = await testEventStore(t)
  const service = await testService(t, { env: { CHANCERY_EVENTSTORE_URL: store.url } })
  const principal = String((await service.request('POST', '/api/v1/principals', { name: 'x', kind: 'service', roles: ['operator'] })).body['principal_id'])
  const issued = String((await service.request('POST', `/api/v1/principals/${principal}/tokens`, {})).body['token_id'])
  const invited = await service.request('POST', '/api/v1/console/beta/testers', { email: 'ada@example.org' })
  const token = (await openMailbox(service.dataDir).next('ada@example.org')).link.hash.slice(1)
  t.equal((await service.request('POST', '/api/v1/enrolment/open', { token })).status, 200)
  const options = await service.request('POST', '/api/v1/enrolment/options', { token })
  t.equal(options.status, 200)
  const response = createAuthenticator({ aaguid: randomBytes(16) }).register(options.body['public_key'] as CreationOptions, 'http://localhost:8420')
  const tester = String(invited.body['tester_id'])
  const account = { tester_id: tester, user_id: String(options.body['user_id']), link_opened_at: new Date().toISOString() }
  t.equal((await service.request('PUT', '/api/v1/lobby/consumers/lobby', { group: 'lobby', overdue_ms: 60_000 })).status, 200)
  const why = { reason: 'asked for', reason_code: 'asked_for' }
  await until(async () => (await service.request('GET', '/health/ready')).status === 200)

  /** Body and answer of each; what records nothing in the log does its work without it. */
  const expected: Record<string, readonly [body: object | undefined, answer: object]> = {
    'POST /api/v1/principals': [{ name: 'y', kind: 'operator' }, UNAVAILABLE],
    'PUT /api/v1/principals/:principal_id/roles/:role': [{}, UNAVAILABLE],
    'DELETE /api/v1/principals/:principal_id/roles/:role': [undefined, UNAVAILABLE],
    'POST /api/v1/principals/:principal_id/tokens': [{}, UNAVAILABLE],
    'DELETE /api/v1/principals/:principal_id/tokens/:token_id': [undefined, UNAVAILABLE],
    'POST /api/v1/console/beta/testers': [{ email: 'eve@example.org' }, UNAVAILABLE],
    'POST /api/v1/console/beta/testers/:tester_id/resend': [{}, UNAVAILABLE],
    'POST /api/v1/console/beta/testers/:tester_id/ghost-reset': [{ reason: 'broke off' }, UNAVAILABLE],
    'POST /api/v1/console/beta/testers/import': [{ rows: [{ email: 'old@example.org', invited_at: '2025-01-01T00:00:00Z' }] }, UNAVAILABLE],
    'POST /api/internal/users/ghost-delete': [{ ...account, reset_id: randomUUID(), reason: 'broke off' }, { status: 500, code: 'account_audit_failed' }],
    'POST /api/v1/console/beta/testers/:tester_id/delete': [why, UNAVAILABLE],
    'POST /api/v1/console/beta/testers/:tester_id/legal-holds': [{ ...why, matter: 'M-1' }, UNAVAILABLE],
    'POST /api/v1/console/beta/testers/:tester_id/legal-holds/:hold_id/lift': [why, UNAVAILABLE],
    'POST /api/v1/auth/resolve-by-email': [{ email: 'ada@example.org' }, UNAVAILABLE],
    'POST /api/v1/auth/ensure-by-email': [{ email: 'eve@example.org' }, UNAVAILABLE],
    'PATCH /api/v1/self/:user_id': [{ profile: { user_name: 'ada.l', display_name: 'Ada' } }, UNAVAILABLE],
    'POST /api/v1/admin/users/:user_id/sanctions': [{ ...why, code: 'permanent_block' }, UNAVAILABLE],
    'POST /api/v1/admin/users/:user_id/sanctions/:sanction_id/remove': [why, UNAVAILABLE],
    'POST /api/v1/admin/users/:user_id/limits': [{ ...why, code: 'max_registered_race_names', value: 2 }, UNAVAILABLE],
    'POST /api/v1/admin/users/:user_id/limits/:code/remove': [why, UNAVAILABLE],
    'POST /api/v1/admin/users/:user_id/tariff': [{ ...why, code: 'yearly' }, UNAVAILABLE],
    'POST /api/v1/admin/users/:user_id/legal-holds': [{ ...why, matter: 'M-1' }, UNAVAILABLE],
    'POST /api/v1/admin/users/:user_id/legal-holds/:hold_id/lift': [why, UNAVAILABLE],
    'POST /api/v1/internal/users/:user_id/delete': [why, UNAVAILABLE],
    'PUT /api/v1/lobby/consumers/:name': [{ group: 'lobby', overdue_ms: 90_000 }, UNAVAILABLE],
    'POST /api/v1/lobby/consumers/:name/retire': [{ reason: 'gone' }, UNAVAILABLE],
    'POST /api/v1/lobby/consumers/:name/mac-key': [{}, UNAVAILABLE],
    'POST /api/v1/lobby/receipts': [{ consumer: 'lobby', event_id: randomUUID(), position: '1', user_id: account.user_id, outcome: 'released', items: 1, digest: '0'.repeat(64) }, UNAVAILABLE],
    'POST /api/v1/operations/lifecycle/verify': [{}, { status: 503, code: 'redis_unavailable' }],
    'POST /api/v1/operations/lifecycle/epoch': [{ stream: 'user:lifecycle_events', reason: 'strange entries' }, UNAVAILABLE],
    'PUT /api/v1/credentials/:name': [{ manifest, reason: 'asked for' }, UNAVAILABLE],
    'POST /api/v1/credentials/:name/value': [{ value: 'the value in use', reason: 'asked for' }, UNAVAILABLE],
    'POST /api/v1/credentials/:name/rotations': [{ reason: 'asked for' }, UNAVAILABLE],
    ...Object.fromEntries(['verify', 'distribute', 'retry', 'validate', 'waive', 'revoke', 'abort'].map((step) => [
      `POST /api/v1/credentials/:name/rotations/:rotation_id/${step}`,
      [{ reason: 'asked for', ...step === 'waive' && { consumer: 'billing' }, ...step === 'revoke' && { confirm: 'lobby' } }, UNAVAILABLE]
    ] as const)),
    // Of nobody but the consumer itself, which the caller is not.
    'PUT /api/v1/consumers/:name/key': [{}, FORBIDDEN],
    'POST /api/v1/consumers/:name/webhook-secret': [{}, FORBIDDEN],
    'POST /api/v1/consumers/:name/credentials/:credential/acknowledgements': [{}, FORBIDDEN],
    'POST /api/v1/enrolment/open': [{ token }, UNAVAILABLE],
    'POST /api/v1/enrolment/options': [{ token }, UNAVAILABLE],
    'POST /api/v1/enrolment/verify': [{ token, response }, UNAVAILABLE],
    'POST /api/internal/users/ghost-check': [account, { status: 200 }],
    'POST /api/internal/users/ghost-checks': [{ accounts: [account] }, { status: 200 }],
    'POST /api/v1/operations/projections/:projection/rebuild': [{}, { status: 202 }],
    'POST /api/v1/operations/projections/:projection/verify': [{}, { status: 202 }],
    'POST /api/v1/operations/projections/operations/:operation_id/abort': [{}, { status: 404 }]
  }
  t.strictSame((await commandRoutes(t)).sort(), Object.keys(expected).sort(), 'every command route has its line here')

  await store.stop()
  await until(async () => (await service.request('GET', '/health/ready')).status === 503)
  t.equal((await service.request('GET', '/api/v1/me')).status, 200, 'the caller is known')
  const ask = async ([route, [body, answer]]: [string, readonly [body: object | undefined, answer: object]]): Promise<void> => {
    const [method = '', pattern = ''] = route.split(' ')
    const path = pattern.replace(':principal_id', principal).replace(':token_id', issued).replace(':role', method === 'DELETE' ? 'operator' : 'auditor')
      .replace(':tester_id', tester).replace(':projection', 'users').replace(':operation_id', 'users.999')
      .replace(':user_id', account.user_id).replace(/:(sanction|hold)_id/, randomUUID()).replace(':code', 'max_registered_race_names').replace(':name', 'lobby').replace(':credential', 'lobby').replace(':rotation_id', randomUUID())
    const began = performance.now()
    const { status, body: problem, headers } = await service.request(method, path, body)
    const took = Math.round(performance.now() - began)
    t.match({ ...problem, status }, answer, `${route}: ${status} ${String(problem['code'])}`)
    t.ok(took < AT_ONCE, `${route}: ${took} ms`)
    if (status === 503) t.ok(headers.get('retry-after'), `${route}: Retry-After`)
  }
  // Each waits for most of a second: some together, from all over the list, since what is about one account is done one after the other.
  const routes = Object.entries(expected)
  const rounds = Math.ceil(routes.length / TOGETHER)
  for (let round = 0; round < rounds; round++) await Promise.all(routes.filter((_, index) => index % rounds === round).map(ask))
})

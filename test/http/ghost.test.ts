// The ghost reset over HTTP: a ghost's whole life, two services with two owners, and an event store that stands still.
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { createAuthenticator } from '../../src/cli/demo/authenticator.ts'
import { openMailbox } from '../../src/cli/demo/mailbox.ts'
import { testEventStore } from '../support/eventstore.ts'
import { testDatabase } from '../support/postgres.ts'
import { testService, type Answer, type TestService } from '../support/service.ts'

const PATH = '/api/v1/console/beta/testers'
type Creation = Parameters<ReturnType<typeof createAuthenticator>['register']>[0]

const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString()
const reset = (service: TestService, testerId: string, body: object = {}, headers = {}) =>
  service.request('POST', `${PATH}/${testerId}/ghost-reset`, { reason: 'the ceremony broke off', ...body }, headers)

/** Imports a tester as he stood an hour ago; gives back the id. */
const importGhost = async (service: TestService, email: string, row: object = {}): Promise<string> => {
  const answer = await service.request('POST', `${PATH}/import`, {
    rows: [{ email, invited_at: ago(90), token_consumed_at: ago(61), user_created_at: ago(60), passkeys: '0', ...row }]
  })
  const found = await service.request('GET', `${PATH}?email=${encodeURIComponent(email)}&min_position=${String(answer.body['position'])}`)
  return (found.body['items'] as Array<{ tester_id: string }>)[0]?.tester_id ?? ''
}

const show = async (service: TestService, testerId: string, after: Answer) =>
  (await service.request('GET', `${PATH}/${testerId}`, undefined, { 'chancery-position': after.headers.get('chancery-position') ?? '0' })).body

const roleToken = async (service: TestService, role: string): Promise<{ authorization: string, principal: string }> => {
  const made = await service.request('POST', '/api/v1/principals', { name: role, kind: 'service', roles: [role] })
  const principal = String(made.body['principal_id'])
  const issued = await service.request('POST', `/api/v1/principals/${principal}/tokens`, {})
  return { authorization: `Bearer ${String(issued.body['token'])}`, principal }
}

t.test('the life of a ghost', async (t) => {
  const service = await testService(t)
  const person = (step: string, body: object) => service.request('POST', `/api/v1/enrolment/${step}`, body, { authorization: '' })
  const testerId = await importGhost(service, 'Grace@Example.org')

  const list = await service.request('GET', `${PATH}?ghost_state=ghost_empty_shell`)
  t.match(list.body, { items: [{ tester_id: testerId, email: 'Grace@Example.org', origin: 'imported', ghost_state: 'ghost_empty_shell' }], next_cursor: null })
  t.strictSame((await service.request('GET', `${PATH}?ghost_state=healthy`)).body['items'], [])
  for (const [role, email] of [['auditor', null], ['console-users-read', 'Grace@Example.org'], ['console-users-write', 'Grace@Example.org']] as const) {
    const { authorization } = await roleToken(service, role)
    const ask = async (path: string) => (await service.request('GET', path, undefined, { authorization })).body
    t.match(await ask(`${PATH}/${testerId}`), { tester_id: testerId, email }, `${role}: one`)
    t.match(await ask(PATH), { items: [{ tester_id: testerId, email }] }, `${role}: the list`)
  }
  const one = await service.request('GET', `${PATH}/${testerId}`)
  const types = (body: Record<string, unknown>) => (body['timeline'] as Array<{ type: string }>).map(({ type }) => type)
  t.strictSame(types(one.body), ['tester.imported', 'walkthrough_token.imported', 'user.imported'])
  t.match(one.body['verdict'], {
    state: 'ghost_empty_shell', rule: 'account_without_credential_after_grace', threshold_ms: 300_000,
    evidence: [{ type: 'walkthrough_token.imported', stream: `tester-${testerId}`, revision: '1' }, { type: 'user.imported', revision: '0' }]
  })
  const seen = String(one.body['evaluated_at_position'])

  t.match(await service.request('POST', `${PATH}/${testerId}/resend`), { status: 409, body: { code: 'token_used', next: 'ghost-reset' } })
  t.match(await service.request('POST', `${PATH}/${testerId}/ghost-reset`, {}), { status: 400, body: { code: 'invalid_request' } }, 'a reason is needed')
  t.match(await reset(service, testerId, {}, { 'if-match': '"0"' }), { status: 412, body: { code: 'precondition_failed' } })
  const done = await reset(service, testerId, { evaluated_at_position: seen, ticket: 'T-7' }, { 'idempotency-key': 'once' })
  t.match(done, { status: 200, body: { tester_id: testerId, state: 'ghost_empty_shell', mail: 'sent', threshold_ms: 300_000, evaluated_at_position: /^\d+$/ } })
  t.equal(done.headers.get('etag'), `"${String(done.body['revision'])}"`)
  t.equal(done.headers.get('chancery-position'), done.body['position'])
  t.strictSame((await reset(service, testerId, { evaluated_at_position: seen, ticket: 'T-7' }, { 'idempotency-key': 'once' })).body, done.body, 'the first answer again')
  t.match(await reset(service, testerId, { ticket: 'T-8' }, { 'idempotency-key': 'once' }), { status: 422, body: { code: 'idempotency_key_reused' } })
  t.match(await show(service, testerId, done), { ghost_state: null, link: { status: 'unused' }, completed_resets: 1, open_reset_id: null, mail: 'sent', verdict: null })

  const { link } = await openMailbox(service.dataDir).next('grace@example.org')
  const token = link.hash.slice(1)
  t.equal((await person('open', { token })).status, 200)
  const options = await person('options', { token })
  const challenge = options.body['public_key'] as Creation
  t.match(await show(service, testerId, options), { ghost_state: 'mid_enrollment', becomes_ghost_at: /Z$/ })
  t.match(await reset(service, testerId), { status: 409, body: { code: 'mid_enrollment', becomes_ghost_at: /Z$/ } })
  const enrolled = await person('verify', { token, response: createAuthenticator().register(challenge, link.origin) })
  t.equal(enrolled.status, 200)
  const end = await show(service, testerId, enrolled)
  t.equal(end['ghost_state'], 'healthy')
  t.match(await reset(service, testerId), { status: 409, body: { code: 'account_healthy' } })
  const story = types(end)
  for (const type of ['console.beta.ghost_reset.initiated', 'account.ghost_reset', 'console.beta.ghost_reset.completed', 'user.created', 'user.passkey_registered']) {
    t.equal(story.filter((each) => each === type).length, 1, type)
  }
  t.ok(story.indexOf('console.beta.ghost_reset.initiated') < story.indexOf('account.ghost_reset') && story.indexOf('account.ghost_reset') < story.indexOf('console.beta.ghost_reset.completed'))
})

t.test('invite, and what an invitation refuses', async (t) => {
  const service = await testService(t)
  const invited = await service.request('POST', PATH, { email: 'ada@example.org', name: 'Ada' }, { 'idempotency-key': 'ada' })
  t.match(invited, { status: 201, body: { tester_id: /^[0-9a-f-]{36}$/, mail: 'requested', mail_id: /./, link_expires_at: /Z$/ } })
  t.notMatch(invited.text, 'ada@', 'no personal data in the answer of a command')
  t.strictSame((await service.request('POST', PATH, { email: 'ada@example.org', name: 'Ada' }, { 'idempotency-key': 'ada' })).body, invited.body)
  t.match(await service.request('POST', PATH, { email: 'eve@example.org' }, { 'idempotency-key': 'ada' }), { status: 422 })
  t.match(await service.request('POST', PATH, { email: ' ADA@Example.ORG ' }), { status: 409, body: { code: 'tester_exists' } }, 'the same address by the address rule')
  t.equal((await service.request('POST', PATH, { email: 'eve@example.org' })).status, 201, 'a refused request held nothing')
  for (const email of ['nobody', '@example.org', 'a b@example.org', 'a@b', 'a@example..org', 'x@[127.0.0.1]', 'a\r\nBcc: b@example.org', '"a"@example.org', 'a@-x.org']) {
    t.match(await service.request('POST', PATH, { email }), { status: 400, body: { code: 'invalid_request' } }, JSON.stringify(email))
  }
  t.match(await service.request('POST', PATH, { email: 'jörg@bücher.example' }), { status: 201 })
  t.match(await service.request('POST', PATH, { email: 'JÖRG@xn--bcher-kva.example' }), { status: 409 })
  const raced = await Promise.all(Array.from({ length: 10 }, () => service.request('POST', PATH, { email: 'race@example.org' })))
  t.strictSame(raced.map(({ status }) => status).sort(), [201, ...Array<number>(9).fill(409)], 'an address is invited once')

  const id = String(invited.body['tester_id'])
  t.match(await service.request('POST', `${PATH}/${id}/resend`), { status: 200, body: { token_id: invited.body['token_id'] } })
  t.match(await reset(service, id), { status: 409, body: { code: 'link_not_used', next: 'resend' } })
  t.match(await reset(service, '00000000-0000-4000-8000-000000000000'), { status: 404, body: { code: 'subject_not_found' } })

  const last = (await service.request('POST', PATH, { email: 'last@example.org' })).headers.get('chancery-position') ?? ''
  const pages: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await service.request('GET', `${PATH}?limit=2&min_position=${last}${cursor === '' ? '' : `&cursor=${cursor}`}`)
    const body = page.body as { items: Array<{ email: string }>, next_cursor: string | null }
    pages.push(...body.items.map(({ email }) => email))
    cursor = body.next_cursor
  }
  t.strictSame(pages, ['ada@example.org', 'eve@example.org', 'jörg@bücher.example', 'race@example.org', 'last@example.org'], 'page by page, by their arrival')
})

t.test('two services with two owners', async (t) => {
  const accounts = await testService(t, { env: { CHANCERY_API_PROCESSES: 'many' } })
  const { authorization, principal } = await roleToken(accounts, 'accounts-service')
  const console = await testService(t, {
    beside: accounts, env: { CHANCERY_ACCOUNTS_URL: accounts.url, CHANCERY_ACCOUNTS_TOKEN: authorization.replace('Bearer ', '') }
  })
  const ghost = await importGhost(accounts, 'ghost@example.org')
  const healthy = await importGhost(accounts, 'healthy@example.org', { passkeys: '1' })
  const late = await importGhost(accounts, 'late@example.org')

  t.match((await console.request('GET', `${PATH}/${ghost}`)).body, { ghost_state: 'ghost_empty_shell', verdict: { evidence: [{ type: 'walkthrough_token.imported' }, { type: 'user.imported' }] } })
  t.match(await reset(console, healthy), { status: 409, body: { code: 'account_healthy' } })
  const done = await reset(console, ghost, { reason_code: 'broke_off', ticket: 'T-9' })
  t.match(done, { status: 200, body: { state: 'ghost_empty_shell', mail: 'sent' } })
  const events = await accounts.request('GET', `/api/v1/audit/events?type=account.ghost_reset&min_position=${String(done.body['position'])}`)
  const me = await accounts.request('GET', '/api/v1/me')
  t.match(events.text, new RegExp(`"source":"${principal}"`), 'the calling service is the source')
  t.match(events.text, new RegExp(`"id":"${String(me.body['principal_id'])}"`), 'and the operator the actor')
  t.match(events.text, /"ticket":"T-9"/)

  const internal = (path: string, body: object) => accounts.request('POST', `/api/internal/users/${path}`, body, { authorization })
  const account = { tester_id: late, user_id: '', link_opened_at: ago(61) }
  account.user_id = String(((await console.request('GET', `${PATH}/${late}`)).body['link'] as { user_id: string }).user_id)
  t.match(await internal('ghost-check', account), { status: 200, body: { state: 'ghost_empty_shell', evidence: [{ type: 'user.imported' }], threshold_ms: 300_000 } })
  t.match(await internal('ghost-check', { ...account, link_opened_at: ago(1) }), { body: { state: 'mid_enrollment', becomes_ghost_at: /Z$/ } }, 'opening counts for the grace')
  t.match(await internal('ghost-check', { ...account, tester_id: ghost }), { status: 409, body: { code: 'account_not_a_shell' } })
  t.match(await internal('ghost-delete', { ...account, tester_id: ghost }), { status: 409, body: { code: 'account_not_a_shell' } })
  t.match(await internal('ghost-delete', { ...account, evaluated_at_position: '1' }), { status: 409, body: { code: 'verdict_stale' } })
  t.equal((await accounts.request('POST', '/api/internal/users/ghost-check', account, { authorization: '' })).status, 401)
  t.equal((await console.request('GET', PATH, undefined, { authorization })).status, 403, 'a service token is no operator')

  t.match(await console.request('POST', `${PATH}/import`, { rows: [{ email: 'x@example.org', invited_at: ago(9), token_consumed_at: ago(8), user_created_at: ago(7) }] }), { status: 503, body: { code: 'accounts_unavailable' } })
  await accounts.stop()
  t.match(await reset(console, late), { status: 503, body: { code: 'accounts_unavailable' } })
})

/** A digest of every row of the read models: what Postgres holds of the log. */
const digestOf = async (url: string): Promise<string> => {
  const client = new pg.Client(url)
  await client.connect()
  const { rows: tables } = await client.query<{ name: string }>("select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname like '%chancery' or schemaname like '%vault' order by 1")
  const hash = createHash('sha256')
  for (const { name } of tables) {
    // The process lock's sign of life is no read model.
    if (name.includes('lock') || name.includes('process')) continue
    const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t order by 1`)
    hash.update(name + rows.map(({ row }) => row).join('\n'))
  }
  await client.end()
  return hash.digest('hex')
}

t.test('with the event store stopped every command is refused at once and Postgres stays as it is', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'chancery-test-stopped-'))
  t.teardown(() => { rmSync(dataDir, { recursive: true, force: true }) })
  const [store, database] = await Promise.all([testEventStore(t), testDatabase(t)])
  const service = await testService(t, {
    beside: {
      dataDir,
      token: () => readFileSync(join(dataDir, 'superadmin.token'), 'utf8').trim(),
      env: { CHANCERY_DATA_DIR: dataDir, CHANCERY_HTTP_PORT: '0', CHANCERY_LOG_LEVEL: 'silent', CHANCERY_EVENTSTORE_URL: store.url, CHANCERY_POSTGRES_URL: database.url }
    }
  })
  const { authorization } = await roleToken(service, 'accounts-service')
  const { authorization: cold } = await roleToken(service, 'accounts-service')
  const testerId = await importGhost(service, 'ghost@example.org')
  const { link } = (await service.request('GET', `${PATH}/${testerId}`)).body as { link: { user_id: string } }
  const account = { tester_id: testerId, user_id: link.user_id, link_opened_at: ago(61) }
  t.equal((await service.request('POST', '/api/internal/users/ghost-check', account, { authorization })).status, 200)
  const before = await digestOf(database.url)

  await store.stop()
  const timed = async (t: Test, name: string, work: Promise<Answer>, expected: object): Promise<void> => {
    const start = performance.now()
    t.match(await work, expected, name)
    t.ok(performance.now() - start < 2000, `${name}: at once, also on a busy machine (${Math.round(performance.now() - start)} ms)`)
  }
  const unavailable = { status: 503, body: { code: 'audit_unavailable' } }
  await timed(t, 'reset', reset(service, testerId), unavailable)
  await timed(t, 'invite', service.request('POST', PATH, { email: 'new@example.org' }), unavailable)
  await timed(t, 'resend', service.request('POST', `${PATH}/${testerId}/resend`), unavailable)
  await timed(t, 'import', service.request('POST', `${PATH}/import`, { rows: [{ email: 'more@example.org', invited_at: ago(9) }] }), unavailable)
  await timed(t, 'ghost-delete', service.request('POST', '/api/internal/users/ghost-delete', account, { authorization }), { status: 500, body: { code: 'account_audit_failed' } })
  await timed(t, 'ghost-delete by somebody whose rights were never read', service.request('POST', '/api/internal/users/ghost-delete', account, { authorization: cold }), { status: 500, body: { code: 'account_audit_failed' } })
  await timed(t, 'ghost-check by the same', service.request('POST', '/api/internal/users/ghost-check', account, { authorization: cold }), unavailable)
  t.match(await service.request('GET', `${PATH}/${testerId}`), { status: 200, body: { ghost_state: 'ghost_empty_shell' } }, 'reading goes on')
  t.equal(await digestOf(database.url), before, 'Postgres is unchanged')

  await store.start()
  t.match(await reset(service, testerId), { status: 200, body: { mail: 'sent' } }, 'and afterwards it works without a restart')
})

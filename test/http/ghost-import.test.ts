// Coming from an existing beta: errors by line, nothing twice, and a large file that was interrupted.
import t from 'tap'
import { spawnService, testService, type TestService } from '../support/service.ts'

const PATH = '/api/v1/console/beta/testers'
const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString()
const send = (service: TestService, rows: object[], headers = {}) => service.request('POST', `${PATH}/import`, { rows }, headers)
/** How many facts the log holds. */
const facts = async (service: TestService): Promise<number> => (await service.request('GET', '/api/v1/audit/replay')).text.trim().split('\n').length

t.test('import', async (t) => {
  const service = await testService(t)
  await service.request('POST', PATH, { email: 'here@example.org' })
  const good = { email: 'good@example.org', invited_at: ago(9) }

  await t.test('everything that is wrong is told by line, and nothing is imported', async (t) => {
    const answer = await send(service, [
      { line: 2, ...good },
      { line: 3, email: 'no address', invited_at: ago(9) },
      { line: 4, email: 'GOOD@example.org ', invited_at: ago(9) },
      { line: 5, email: 'a@example.org', invited_at: '' },
      { line: 6, email: 'b@example.org', invited_at: '31.12.2025' },
      { line: 7, email: 'c@example.org', invited_at: '2025-02-30T12:00:00Z' },
      { line: 8, email: 'd@example.org', invited_at: ago(-9) },
      { line: 9, email: 'e@example.org', invited_at: ago(9), token_consumed_at: ago(10) },
      { line: 10, email: 'f@example.org', invited_at: ago(9), user_created_at: ago(8) },
      { line: 11, email: 'g@example.org', invited_at: ago(9), token_consumed_at: ago(7), user_created_at: ago(8) },
      { line: 12, email: 'h@example.org', invited_at: ago(9), passkeys: '1' },
      { line: 13, email: 'i@example.org', invited_at: ago(9), token_consumed_at: ago(8), user_created_at: ago(7), passkeys: 'many' },
      { line: 14, email: 'j@example.org', invited_at: ago(9), passkeys: -1 },
      { line: 15, email: 'Here@example.org', invited_at: ago(9) },
      { line: 16, email: 'k@example.org', invited_at: '2025-06-30T12:00:00' }
    ])
    t.match(answer, { status: 422, body: { code: 'import_invalid', error_count: 14 } })
    const errors = answer.body['errors'] as Array<{ line: number, column: string, message: string }>
    t.strictSame(errors.map(({ line, column }) => `${line} ${column}`), [
      '3 email', '4 email', '5 invited_at', '6 invited_at', '7 invited_at', '8 invited_at', '9 token_consumed_at', '10 user_created_at',
      '11 user_created_at', '12 passkeys', '13 passkeys', '14 passkeys', '15 email', '16 invited_at'
    ])
    t.match(errors[1]?.message, /line 2/)
    t.notMatch(answer.text, '@', 'no address in an error')
    t.match(await send(service, []), { status: 400 })
    t.match(await service.request('GET', `${PATH}?email=good@example.org`), { body: { items: [] } })
  })

  await t.test('what is imported stands as it stood', async (t) => {
    const answer = await send(service, [
      { ...good, invited_at: '2025-06-30 14:00:00+02:00' },
      { email: 'opened@example.org', invited_at: ago(99), token_consumed_at: ago(61) },
      { email: 'shell@example.org', invited_at: ago(99), token_consumed_at: ago(61), user_created_at: ago(60), passkeys: '' },
      { email: 'under@example.org', invited_at: ago(99), token_consumed_at: ago(2), user_created_at: ago(1), passkeys: '0' },
      { email: 'well@example.org', invited_at: ago(99), token_consumed_at: ago(61), user_created_at: ago(60), passkeys: 2 }
    ])
    t.match(answer, { status: 200, body: { rows: 5, imported: 5, already_imported: 0, passkey_placeholders: 1 } })
    const list = await service.request('GET', `${PATH}?min_position=${String(answer.body['position'])}`)
    const items = list.body['items'] as Array<{ email: string, ghost_state: string, invited_at: string, tester_id: string }>
    t.strictSame(new Map(items.slice(1).map(({ email, ghost_state: state }) => [email, state])), new Map([
      ['good@example.org', null], ['opened@example.org', 'ghost_no_users_row'], ['shell@example.org', 'ghost_empty_shell'],
      ['under@example.org', 'mid_enrollment'], ['well@example.org', 'healthy']
    ]), 'each as it was')
    const imported = items.find(({ email }) => email === good.email)
    t.equal(imported?.invited_at, '2025-06-30T12:00:00.000Z')
    // The old link opens nothing here, so resend makes one that does.
    t.match(await service.request('POST', `${PATH}/${imported?.tester_id ?? ''}/resend`), { status: 200, body: { link_expires_at: /Z$/ } })
    t.match(await service.request('POST', PATH, { email: 'shell@example.org' }), { status: 409, body: { code: 'tester_exists' } })
  })

  await t.test('another file under the same key imports what is new in it, and leaves the rest as it is', async (t) => {
    const row = (n: number, more = {}) => ({ email: `same-${n}@example.org`, invited_at: '2025-06-30T12:00:00Z', ...more })
    const key = { 'idempotency-key': 'two-files' }
    t.match(await send(service, [row(1), row(2)], key), { status: 200, body: { imported: 2 } })
    t.match(await send(service, [row(3), row(2), row(1, { invited_at: '2025-06-30T13:00:00Z' }), row(4)], key), { status: 200, body: { rows: 4, imported: 3, already_imported: 1 } })
    const before = await facts(service)
    t.match(await send(service, [row(1), row(2)], key), { body: { imported: 2 } }, 'the first answer again')
    t.equal(await facts(service), before, 'nothing twice')
  })
})

/** The goal is 10,000 rows in 20 s on an idle machine; a test shares its machine, so it takes fewer. */
const ROWS = 2000

t.test('a large file, of which a part was imported before, and again without a second fact', async (t) => {
  const service = await spawnService(t)
  const rows = Array.from({ length: ROWS }, (_, n) => ({
    line: n + 2, email: `tester-${n}@example.org`, invited_at: ago(9000),
    token_consumed_at: n % 10 === 0 ? '' : ago(8000), user_created_at: n % 10 < 2 ? '' : ago(7999), passkeys: n % 2 === 0 ? '1' : '0'
  })).map((row) => row.user_created_at === '' ? { ...row, passkeys: '' } : row)
  // Interrupted in the middle: a part of the file was taken over before.
  t.match(await send(service, rows.slice(300, 700)), { status: 200, body: { imported: 400 } })

  const start = performance.now()
  const first = await send(service, rows, { 'idempotency-key': 'all' })
  const seconds = (performance.now() - start) / 1000
  t.match(first, { status: 200, body: { rows: ROWS, imported: ROWS - 400, already_imported: 400 } })
  t.comment(`${ROWS} rows in ${seconds.toFixed(1)} s`)
  const before = await facts(service)
  t.ok(before >= ROWS * 4.5, 'a fact or two for each stream')

  const again = await send(service, rows)
  t.match(again, { status: 200, body: { rows: ROWS, imported: 0, already_imported: ROWS } })
  t.match((await send(service, rows, { 'idempotency-key': 'all' })).body, { rows: ROWS, imported: ROWS - 400, already_imported: 400 }, 'the first answer again')
  t.equal(await facts(service), before, 'nothing twice')
})

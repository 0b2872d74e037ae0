// A person goes through everything and is erased: killed in between, the service goes on; afterwards nothing of ours holds
// the person in clear, and an older vault brings nobody back.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import t from 'tap'
import { createScanner, inWords, type Canary } from '../support/canary.ts'
import { testEventStore } from '../support/eventstore.ts'
import { testDatabase } from '../support/postgres.ts'
import { testRedis } from '../support/redis.ts'
import { rowsIn } from '../support/rows.ts'
import { launchService, spawnService, type Answer, type SpawnedService } from '../support/service.ts'
import { until } from '../support/until.ts'

const TESTERS = '/api/v1/console/beta/testers'

t.test('a person is erased from everything', async (t) => {
  const mark = randomBytes(6).toString('hex')
  const person = {
    email: `canary-${mark}@example.com`, other: `canary-${mark}-account@example.com`, name: `Canary Person ${mark}`, userName: `canary_${mark}`,
    displayName: `Canary Shown ${mark}`, agent: `canary-browser/${mark}`, ip: `2001:db8:${mark.slice(0, 4)}:${mark.slice(4, 8)}:${mark.slice(8, 12)}:cafe:cafe:cafe`
  }
  const note = (of: string): string => `canary note ${mark} of ${of}`
  const canaries: Canary[] = [...Object.entries(person).map(([what, text]) => ({ what, text })), { what: 'a note', text: `canary note ${mark}` }]

  const [store, redis, database] = [await testEventStore(t, { child: true }), await testRedis(t), await testDatabase(t)]
  const stream = redis.client()
  const sql = new pg.Client(database.url)
  await sql.connect()
  t.teardown(() => sql.end())
  const services: Array<Pick<SpawnedService, 'output' | 'complaints'>> = []
  let around: SpawnedService | undefined
  const optionsWith = (failpoint: string) => ({
    env: {
      CHANCERY_EVENTSTORE_URL: store.url, CHANCERY_POSTGRES_URL: database.url, CHANCERY_REDIS_URL: redis.url, CHANCERY_API_PROCESSES: 'many',
      CHANCERY_TRUSTED_PROXIES: '127.0.0.1', CHANCERY_LOG_LEVEL: 'debug', CHANCERY_PURGE_AFTER_DAYS: '0', CHANCERY_GHOST_GRACE_MS: '0',
      CHANCERY_FAILPOINT: failpoint
    },
    ...around !== undefined && { beside: around }
  })
  const start = async (failpoint = ''): Promise<SpawnedService> => {
    around = await spawnService(t, optionsWith(failpoint))
    services.push(around)
    return around
  }
  let service = await start('append.after:user.erasure_started:kill')
  const { dataDir } = service
  const outbox = join(dataDir, 'outbox')
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    service.request(method, path, body, { 'user-agent': person.agent, 'x-forwarded-for': person.ip, ...headers })
  const asked = async (status: number, method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const answer = await ask(method, path, body)
    t.equal(answer.status, status, `${method} ${path.replace(mark, '…')}: ${answer.status === status ? '' : answer.text}`)
    return answer.body
  }
  const typesIn = async (stream: string): Promise<unknown[]> => {
    const { text } = await ask('GET', `/api/v1/audit/events?stream=${stream}&limit=1000`)
    return [...text.matchAll(/"type":"([a-z_.]+\.[a-z_]+)"/g)].map(([, type]) => type)
  }

  // As a tester: invited, opened, and left half-way, so that a reset follows.
  const tester = String((await asked(201, 'POST', TESTERS, { email: person.email, name: person.name }))['tester_id'])
  await until(() => outboxFiles(outbox).length === 1)
  const token = /\/enrol#(\S+)/.exec(outboxFiles(outbox)[0] ?? '')?.[1]
  for (const step of ['open', 'options']) t.equal((await ask('POST', `/api/v1/enrolment/${step}`, { token }, { authorization: '' })).status, 200)
  const { position } = await asked(200, 'POST', `${TESTERS}/${tester}/ghost-reset`, { reason: note('the reset') })
  t.ok(position)

  // As an account: everything that takes words.
  const account = String((await asked(200, 'POST', '/api/v1/auth/ensure-by-email', { email: person.other }))['user_id'])
  const users = `/api/v1/admin/users/${account}`
  await asked(200, 'PATCH', `/api/v1/self/${account}`, { profile: { user_name: person.userName, display_name: person.displayName } })
  const why = { reason_code: 'canary_test', reason: note('an act') }
  const sanction = await asked(201, 'POST', `${users}/sanctions`, { code: 'game_join_block', ...why, public_note: note('the person'), internal_note: note('operators'), evidence: note('evidence') })
  await asked(200, 'POST', `${users}/sanctions/${String(sanction['sanction_id'])}/remove`, why)
  await asked(200, 'POST', `${users}/limits`, { code: 'max_registered_race_names', value: 3, ...why })
  const hold = await asked(201, 'POST', `${users}/legal-holds`, { ...why, matter: 'case-1' })
  t.match((await asked(200, 'GET', `${users}/legal-holds`)), { stage: 'live', items: [{ in_force: true, placed: { reason: why.reason } }] })
  await asked(200, 'POST', `/api/v1/internal/users/${account}/delete`, why)
  t.match(await asked(200, 'GET', `${users}?include_deleted=true&reason=${encodeURIComponent(note('a look'))}`), { email: person.other })
  t.match(await asked(200, 'GET', `${users}/legal-holds`), { stage: 'deleted', items: [{ in_force: true, placed: { reason: null } }] }, 'the holds of a deleted account are shown, without the words')
  await until(async () => await stream.xlen('user:lifecycle_events') === 1)

  const scanned = async (without?: string) => {
    await sql.query('checkpoint')
    const scanner = createScanner(canaries)
    // What is this database's own, and the write-ahead log; the run's whole server is looked through when the run is over.
    const { rows: [own] } = await sql.query<{ server: string, oid: string }>(
      "select current_setting('data_directory') as server, oid::text from pg_database where datname = current_database()")
    const server = String(own?.server)
    for (const folder of [join(server, 'base', String(own?.oid)), join(server, 'pg_wal'), store.dataDir, redis.folder, ...readdirSync(dataDir).map((name) => join(dataDir, name))]) {
      if (folder !== without) scanner.folder(folder)
    }
    for (const [table, text] of await rowsIn(database.url)) scanner.text(text, `table ${table}`)
    const dump = spawnSync('pg_dump', [`--dbname=${database.url}`], { maxBuffer: 1 << 28 })
    if (dump.status === 0) scanner.bytes(dump.stdout, 'pg_dump')
    for (const [index, printed] of services.entries()) scanner.text(printed.output() + printed.complaints(), `log of service ${index}`)
    t.ok(scanner.read() > 10_000_000, `there was something to look at: ${scanner.read()} bytes`)
    t.ok((around?.complaints().length ?? 0) > 100, 'and the service spoke')
    return scanner.findings()
  }
  t.strictSame(inWords(await scanned(outbox)), '', 'clear text was never there')
  t.match(inWords(await scanned()), /^email, as raw, in .*\/outbox\//, 'but for the mails themselves')
  await sql.query('create table public.vault_backup as table vault.subject_key')

  // Killed once the intent stands, once more when the key is destroyed, and with the tester once more.
  await asked(200, 'POST', `${users}/legal-holds/${String(hold['hold_id'])}/lift`, why)
  t.equal(await service.exit, 'SIGKILL')
  const dying = await launchService(t, optionsWith('append.before:account.purged:kill'))
  services.push(dying)
  t.equal(await dying.exit, 'SIGKILL', 'it may not even come to be ready')
  const { rows: [key] } = await sql.query<{ wrapped: unknown }>('select wrapped from vault.subject_key where subject = $1', [`user-${account}`])
  t.strictSame(key, { wrapped: null }, 'the key is gone, and the fact that says so is still to come')
  service = await start('append.before:tester.purged:kill')
  await until(async () => (await typesIn(`user-${account}`)).includes('account.purged'))
  await asked(200, 'POST', `${TESTERS}/${tester}/delete`, { reason: note('leaving') })
  t.equal(await service.exit, 'SIGKILL')
  service = await start()
  await until(async () => (await typesIn(`tester-${tester}`)).includes('tester.purged'))
  t.strictSame((await typesIn(`user-${account}`)).filter((type) => /erasure|purged/.test(String(type))), ['user.erasure_started', 'account.purged'])
  t.strictSame((await typesIn(`tester-${tester}`)).filter((type) => /deleted|erasure|purged/.test(String(type))), ['tester.deleted', 'tester.erasure_started', 'tester.purged'])

  const erased = async () => {
    t.match(await asked(200, 'GET', `${users}?include_deleted=true&reason=${encodeURIComponent(note('a late look'))}`), { email: null, erased: true })
    t.match(await asked(200, 'GET', `${users}/legal-holds`), { stage: 'purged', items: [{ matter: 'case-1', placed: { reason: null, reason_code: 'canary_test' } }] })
    t.match(await asked(200, 'GET', `${TESTERS}/${tester}/legal-holds`), { stage: 'purged', items: [] })
    t.match(await asked(200, 'POST', '/api/v1/auth/resolve-by-email', { email: person.other }), { outcome: 'blocked', reason_code: 'account_deleted' })
    t.match(await asked(200, 'POST', '/api/v1/auth/ensure-by-email', { email: person.other }), { outcome: 'blocked', reason_code: 'account_deleted' })
    t.match(await asked(409, 'POST', TESTERS, { email: person.email }), { code: 'tester_exists' })
    t.match(await asked(409, 'POST', `${users}/legal-holds`, { ...why, matter: 'case-2' }), { code: 'conflict' })
    await asked(404, 'GET', users)
    await asked(404, 'GET', `${TESTERS}/${tester}`)
    for (const step of ['resend', 'ghost-reset', 'delete']) await asked(404, 'POST', `${TESTERS}/${tester}/${step}`, step === 'resend' ? {} : { reason: note(step) })
    t.equal((await ask('POST', '/api/v1/enrolment/open', { token }, { authorization: '' })).status, 410, 'the link opens nothing')
    await asked(404, 'POST', `/api/v1/internal/users/${account}/delete`, why)
    await asked(404, 'POST', `${users}/sanctions`, { code: 'login_block', ...why })
  }
  await erased()
  t.strictSame(inWords(await scanned()), '', 'no store, file, WAL, outbox or dump of ours holds the person')
  for (const name of ['users', 'testers', 'erasures', 'audit']) {
    const { operation_id: id } = await asked(202, 'POST', `/api/v1/operations/projections/${name}/verify`, {})
    const job = () => ask('GET', `/api/v1/operations/projections/operations/${String(id)}`)
    await until(async () => (await job()).body['status'] === 'done')
    t.equal((await job()).body['differences'], 0, `${name} is what the log says`)
  }

  await service.stop()
  await sql.query('truncate vault.subject_key; insert into vault.subject_key table public.vault_backup')
  service = await start()
  t.match(service.complaints(), /the vault held keys of erased persons/)
  await erased()
})

const outboxFiles = (folder: string): string[] => {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.eml')).map((name) => readFileSync(join(folder, name), 'utf8'))
  } catch {
    return []
  }
}

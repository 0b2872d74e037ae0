// Vendor `postgres-role` on the real Postgres, with a connection that is no superuser: a whole life, each way to fail, and
// what the server and the exchanges never see.
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import pg from 'pg'
import t, { type Test } from 'tap'
import { postgresRoleProblems, postgresRoleVendor, roleOf } from '../../../infra/vendors/postgres-role.ts'
import { inSession } from '../../../infra/vendors/postgres-session.ts'
import { scramKeys, scramVerifier } from '../../../infra/vendors/scram.ts'
import type { Exchange } from '../../../src/domain/credential/fields.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'
import { createScanner, inWords } from '../../support/canary.ts'
import { noteCanary } from '../../support/left-behind.ts'
import { testDatabase } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'
import { openWire } from '../../support/wire.ts'

const secretly = (text: string): string => {
  noteCanary({ what: 'the password of a role', text })
  return text
}

/** A database with a group that holds the rights, a role made by hand in it, and an account that may make others. */
const ground = async (t: Test) => {
  const { url, name } = await testDatabase(t)
  const group = `g${randomBytes(4).toString('hex')}`
  const [passwordOf, admin] = [secretly(randomBytes(12).toString('hex')), `${group}_admin`]
  const root = new pg.Client(url)
  await root.connect()
  await root.query(`create role ${group} nologin; create table note (id int primary key); alter table note owner to ${group}; grant create on schema public to ${group};
    create role ${admin} login createrole password '${passwordOf}'; grant ${group} to ${admin} with admin option`)
  const role = async (suffix: string, rights = `in role ${group}`) => {
    await root.query(`create role ${group}_${suffix} login password '${passwordOf}' ${rights}; grant ${group}_${suffix} to ${admin} with admin option, inherit false, set false`)
    return urlOf(`${group}_${suffix}`)
  }
  const urlOf = (user: string, password = passwordOf, port = new URL(url).port): string => {
    const own = new URL(url)
    Object.assign(own, { username: user, password, port })
    return own.href
  }
  const address = urlOf('', '')
  const old = new Secret(await role('hand'))
  t.teardown(async () => {
    const { rows } = await root.query<{ rolname: string }>('select rolname from pg_roles where rolname like $1 order by rolname desc', [`${group}%`])
    for (const { rolname } of rows) await root.query(`drop owned by "${rolname}" cascade`)
    for (const { rolname } of rows) await root.query(`drop role "${rolname}"`)
    await root.end()
  })
  const seen: Exchange[] = []
  const vendorWith = (connection: string | undefined = urlOf(admin), extra: { timeoutMs?: number, group?: string } = {}) => postgresRoleVendor({
    vendor: { kind: 'postgres-role', group: extra.group ?? group, address }, connection: async () => connection === undefined ? undefined : new Secret(connection), ...extra
  })
  return { url, name, group, admin, root, role, urlOf, address, old, vendorWith, seen, passwordOf }
}

const logIn = async (t: Test, value: Secret): Promise<pg.Client> => {
  const client = new pg.Client(value.reveal())
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end())
  return client
}

const clean = (t: Test, exchanges: readonly Exchange[], secrets: readonly string[]): void => {
  const scanner = createScanner(secrets.map((text, index) => ({ what: `secret ${index}`, text })))
  scanner.text(JSON.stringify(exchanges), 'the exchanges')
  t.equal(inWords(scanner.findings()), '', 'no exchange shows a secret')
}

const minted = async (vendor: ReturnType<typeof postgresRoleVendor>, label: string, valueId = randomUUID()) => {
  const outcome = await vendor.mint({ label, valueId })
  if (outcome.status !== 'minted') throw new Error(`not minted: ${JSON.stringify(outcome.exchange)}`)
  secretly(new URL(outcome.secret.reveal()).password)
  return { ...outcome, tokenId: outcome.tokenId ?? '' }
}

t.test('the verifier is that of RFC 7677, and what Postgres itself computes', async (t) => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const { clientKey, storedKey, serverKey } = await scramKeys('pencil', salt, 4096)
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const message = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`
  const signature = createHmac('sha256', storedKey).update(message).digest()
  t.equal(Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0))).toString('base64'), 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=')
  t.equal(createHmac('sha256', serverKey).update(message).digest('base64'), '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')

  const { root, group, passwordOf } = await ground(t)
  const { rows: [row] } = await root.query<{ rolpassword: string }>('select rolpassword from pg_authid where rolname = $1', [`${group}_hand`])
  const [, iterations = '', theirs = ''] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(row?.rolpassword ?? '') ?? []
  t.equal(await scramVerifier(passwordOf, Buffer.from(theirs, 'base64'), Number(iterations)), row?.rolpassword)
  await t.rejects(scramVerifier('pässword'), /printable ASCII/)
  await t.rejects(scramVerifier(''), /printable ASCII/)
})

t.test('a whole life', async (t) => {
  const { vendorWith, old, group, root, urlOf, admin, passwordOf, url } = await ground(t)
  const wire = await openWire(t, Number(new URL(url).port))
  const vendor = vendorWith(urlOf(admin, passwordOf, String(wire.port)))
  const seen: Exchange[] = []

  const before = await root.query(`select rolname, oid from pg_roles where rolname like '${group}%'`)
  const probes = await vendor.verify(old, { replace: false })
  t.same(probes.map(({ probe, outcome }) => [probe, outcome]), [['authenticate', 'passed'], ['metadata', 'passed'], ['may_mint', 'passed'], ['refuses_random', 'passed']])
  t.same((await root.query(`select rolname, oid from pg_roles where rolname like '${group}%'`)).rows, before.rows, 'nothing was changed')
  seen.push(...probes)

  const hand = await logIn(t, old)
  await hand.query('create table made_by_hand (id int)')
  const label = "rotation 0197 'quoted' \\ ü"
  const valueId = randomUUID()
  const fresh = await minted(vendor, label, valueId)
  seen.push(fresh.exchange)
  t.equal(fresh.tokenId, roleOf(group, valueId))
  const { rows: [stored] } = await root.query<{ rolpassword: string, rolsuper: boolean, rolcreaterole: boolean, rolcreatedb: boolean }>(
    'select rolpassword, rolsuper, rolcreaterole, rolcreatedb from pg_authid where rolname = $1', [fresh.tokenId])
  t.match(stored, { rolpassword: /^SCRAM-SHA-256\$4096:/, rolsuper: false, rolcreaterole: false, rolcreatedb: false })
  t.notOk(wire.sent().includes(new URL(fresh.secret.reveal()).password), 'the password never went to the server')
  t.match(fresh.exchange.request.body, /create role .* password '\[verifier\]' in role/)
  t.notOk(JSON.stringify(fresh.exchange).includes(stored?.rolpassword ?? '?'))

  const client = await logIn(t, fresh.secret)
  await client.query('insert into note values (1)')
  await client.query('create table made_by_new (id int)')
  const { rows: owners } = await root.query("select tableowner from pg_tables where tablename = 'made_by_new'")
  t.same(owners, [{ tableowner: group }], 'what it makes belongs to the group and outlives it')
  await client.query('discard all')
  t.same((await client.query('select current_user as acts, session_user as is')).rows, [{ acts: group, is: fresh.tokenId }], 'also after a pool has tidied up')
  t.same((await vendor.verify(fresh.secret, { replace: false })).map(({ outcome }) => outcome), ['passed', 'passed', 'passed', 'passed'], 'the next rotation can begin with it')

  const listed = await vendor.list()
  if (listed.status !== 'listed') throw new Error('not listed')
  seen.push(listed.exchange)
  t.same(listed.tokens.map(({ tokenId, label }) => ({ tokenId, label })), [
    { tokenId: fresh.tokenId, label }, { tokenId: `${group}_hand`, label: '' }
  ].sort((a, b) => a.tokenId < b.tokenId ? -1 : 1), 'the account that mints is no token')
  t.same(listed.tokens.map(({ lastUsedAt }) => lastUsedAt), [undefined, undefined], 'whose sessions it may not look into, of that it does not say when they were used')
  await root.query(`grant pg_read_all_stats to ${admin}`)
  const since = Date.now()
  await client.query('select 1')
  const looked = await vendor.list()
  const used = Date.parse((looked.status === 'listed' ? looked.tokens.find(({ tokenId }) => tokenId === fresh.tokenId)?.lastUsedAt : undefined) ?? '')
  t.ok(used >= since - 5 && used <= Date.now() + 5, 'by our own clock')

  // Its session is open: nobody new gets in, and who is in is not cut off.
  const early = await vendorWith(undefined, { timeoutMs: 600 }).revoke({ value: old })
  t.match(early, { status: 'unknown', exchange: { outcome: 'unknown', failure: 'sessions_open', answer: { body: /"open_sessions":1/ } } })
  seen.push(early.exchange)
  t.match(await vendor.probeRefused(old), { status: 'refused', exchange: { probe: 'refused', outcome: 'passed', answer: { status: '28000' } } })
  await hand.query('insert into made_by_hand values (1)')
  const still = await vendor.list()
  t.ok(still.status === 'listed' && still.tokens.some(({ tokenId }) => tokenId === `${group}_hand`), 'a role with a session is a token yet')

  const ending = vendor.revoke({ tokenId: `${group}_hand`, value: undefined })
  await hand.end()
  const revoked = await ending
  t.match(revoked, { status: 'revoked', exchange: { answer: { status: '00000', body: /"dropped":true/ } } })
  seen.push(revoked.exchange)
  t.same((await root.query("select tableowner from pg_tables where tablename = 'made_by_hand'")).rows, [{ tableowner: group }], 'what it owned is the group\'s')
  t.equal((await root.query('select from pg_roles where rolname = $1', [`${group}_hand`])).rowCount, 0)
  t.match(await vendor.revoke({ tokenId: `${group}_hand`, value: old }), { status: 'revoked' }, 'again')
  t.match(await vendor.revoke({ value: old }), { status: 'revoked' }, 'again, by the value')
  for (const value of [old, new Secret(urlOf(fresh.tokenId, 'another'))]) {
    const refused = await vendor.probeRefused(value)
    t.match(refused, { status: 'refused', exchange: { answer: { status: '28P01' } } })
    seen.push(refused.exchange)
  }
  t.match(await vendor.probeRefused(fresh.secret), { status: 'accepted', exchange: { outcome: 'failed' } })
  await client.query('select * from made_by_hand')
  clean(t, seen, [passwordOf, fresh.secret.reveal(), new URL(fresh.secret.reveal()).password, stored?.rolpassword ?? '', old.reveal()])
})

t.test('verify: what is wrong is said, and nothing is changed', async (t) => {
  const { vendorWith, old, group, root, role, urlOf, passwordOf, admin } = await ground(t)
  const outsider = new Secret(await role('outsider', ''))
  await root.query(`alter role ${group} login password '${passwordOf}'; create role ${group}_weak login password '${passwordOf}'; grant ${group} to ${group}_weak with admin option;
    create role ${group}_plain login createrole password '${passwordOf}'; create role ${group}_foreign login password '${passwordOf}' in role ${group}`)
  const away = new URL(old.reveal())
  away.port = '1'
  const cases: Array<[string, Secret, ReturnType<typeof vendorWith>, Array<string | undefined>, object]> = [
    ['another password', new Secret(urlOf(`${group}_hand`, 'another')), vendorWith(), ['failed'], { answer: { status: '28P01' } }],
    ['no such role', new Secret(urlOf(`${group}_nobody`)), vendorWith(), ['failed'], { answer: { status: '28P01' } }],
    ['no such database', new Secret(old.reveal().replace(/\/test_[^/]*$/, '/nowhere')), vendorWith(), ['failed'], { answer: { status: '3D000', body: /nowhere/ } }],
    ['no server', new Secret(away.href), vendorWith(), ['failed'], { failure: 'connection_refused' }],
    ['no connection string', new Secret('hunter2-hunter2'), vendorWith(), ['failed'], { failure: 'value_invalid' }],
    ['a value without a password', new Secret(urlOf(`${group}_hand`, '')), vendorWith(), ['failed'], { failure: 'value_invalid' }],
    ['a value that names another server behind its back', new Secret(`${old.reveal()}?host=db.example`), vendorWith(), ['failed'], { failure: 'value_invalid' }],
    ['not in the group', outsider, vendorWith(), ['passed', 'failed'], { failure: 'not_in_group', answer: { status: '00000', body: /"in_group":false/ } }],
    ['the group itself', new Secret(urlOf(group)), vendorWith(), ['passed', 'failed'], { failure: 'not_in_group' }],
    ['no connection', old, postgresRoleVendor({ vendor: { kind: 'postgres-role', group, address: urlOf('', '') }, connection: async () => undefined }), ['passed', 'passed', 'failed'], { failure: 'connection_missing' }],
    ['a connection that cannot be opened', old, postgresRoleVendor({ vendor: { kind: 'postgres-role', group, address: urlOf('', '') }, connection: async () => { throw new Error('away') } }), ['passed', 'passed', 'failed'], { failure: 'connection_unavailable' }],
    ['a connection that is none', old, vendorWith('hunter2-hunter2'), ['passed', 'passed', 'failed'], { failure: 'connection_invalid' }],
    ['a connection with another password', old, vendorWith(urlOf(admin, 'another')), ['passed', 'passed', 'failed'], { answer: { status: '28P01' } }],
    ['a connection that may make no roles', old, vendorWith(urlOf(`${group}_weak`)), ['passed', 'passed', 'failed'], { failure: 'not_allowed', answer: { body: /"may_create":false/ } }],
    ['a connection that may not give the group', old, vendorWith(urlOf(`${group}_plain`)), ['passed', 'passed', 'failed'], { answer: { body: /"may_admit":false/ } }],
    ['an old role that the connection could not end', new Secret(urlOf(`${group}_foreign`)), vendorWith(), ['passed', 'passed', 'failed'], { answer: { body: /"may_end_old":false/ } }],
    ['no such group', old, vendorWith(undefined, { group: `${group}_x` }), ['passed', 'failed'], { failure: 'not_in_group' }]
  ]
  const roles = async () => (await root.query<object>('select rolname, rolcanlogin from pg_roles where rolname like $1 order by 1', [`${group}%`])).rows
  const before = await roles()
  const seen: Exchange[] = []
  for (const [name, value, vendor, outcomes, last] of cases) {
    const exchanges = await vendor.verify(value, { replace: false })
    seen.push(...exchanges)
    t.same(exchanges.map(({ outcome }) => outcome), outcomes, name)
    t.match(exchanges.at(-1), last, name)
  }
  const dead = await vendorWith().verify(new Secret(urlOf(`${group}_gone`, 'dead-dead-dead')), { replace: true })
  t.same(dead.map(({ probe, outcome }) => [probe, outcome]), [['may_mint', 'passed'], ['refuses_random', 'passed']], 'replace does not try the old one')
  t.match(await vendorWith(undefined, { group: `${group}_x` }).verify(old, { replace: true }), [{ outcome: 'failed', answer: { body: /"group_exists":false/ } }])
  const itself = await vendorWith(urlOf(`${group}_weak`)).verify(new Secret(urlOf(`${group}_weak`)), { replace: false })
  t.match(itself.at(-1), { outcome: 'failed', failure: 'is_the_connection', answer: { body: /"is_old":true/ } }, 'the connection is not the credential')
  t.same(await roles(), before)
  clean(t, seen, [passwordOf, 'hunter2-hunter2', old.reveal()])
})

t.test('minting and revoking that fail', async (t) => {
  const { vendorWith, old, group, root, role, urlOf, passwordOf, admin, url } = await ground(t)
  const wire = await openWire(t, Number(new URL(url).port))
  const through = urlOf(admin, passwordOf, String(wire.port))
  const roles = async () => (await root.query<{ rolname: string }>('select rolname from pg_roles where rolname like $1 order by 1', [`${group}%`])).rows.map(({ rolname }) => rolname)
  const before = await roles()
  const nowhere = urlOf(admin, passwordOf, '1')
  for (const [name, vendor, exchange] of [
    ['away', vendorWith(nowhere), { failure: 'connection_refused', outcome: 'failed' }],
    ['no connection', vendorWith('x'), { failure: 'connection_invalid' }],
    ['not allowed', vendorWith(old.reveal()), { answer: { status: '42501' } }],
    ['no such group', vendorWith(undefined, { group: `${group}_x` }), { answer: { status: '42704' } }]
  ] as const) t.match(await vendor.mint({ label: 'x', valueId: randomUUID() }), { status: 'refused', exchange }, name)
  t.same(await roles(), before, 'nothing was made')

  for (const how of ['cut', 'silence'] as const) {
    const vendor = vendorWith(through, { timeoutMs: how === 'cut' ? 5_000 : 700 })
    const valueId = randomUUID()
    wire.loseAnswerTo('create role', how)
    const outcome = await vendor.mint({ label: `lost by ${how}`, valueId })
    t.match(outcome, { status: 'unknown', exchange: { outcome: 'unknown', failure: how === 'cut' ? 'connection_lost' : 'timeout' } }, how)
    await until(async () => (await roles()).includes(roleOf(group, valueId)))
    const listed = await vendor.list()
    const orphan = listed.status === 'listed' ? listed.tokens.find(({ label }) => label === `lost by ${how}`) : undefined
    t.equal(orphan?.tokenId, roleOf(group, valueId), 'its list shows it')
    t.match(await vendor.mint({ label: 'again', valueId }), { status: 'refused', exchange: { answer: { status: '42710' } } }, 'the same value is not minted twice')
    t.match(await vendor.revoke({ tokenId: orphan?.tokenId ?? '', value: undefined }), { status: 'revoked' })
  }
  t.same(await roles(), before, 'no orphan is left')

  t.match(await vendorWith(nowhere).list(), { status: 'failed', exchange: { failure: 'connection_refused' } })
  t.match(await vendorWith(nowhere).revoke({ value: old }), { status: 'refused', exchange: { failure: 'connection_refused' } })
  t.match(await vendorWith().revoke({ value: undefined }), { status: 'refused', exchange: { failure: 'token_unknown' } })
  t.match(await vendorWith().revoke({ value: new Secret('x') }), { status: 'refused', exchange: { failure: 'token_unknown' } })
  t.match(await vendorWith().revoke({ tokenId: new URL(url).username, value: undefined }), { status: 'refused', exchange: { failure: 'not_in_group' } }, 'only what is in the group')
  t.match(await vendorWith().revoke({ tokenId: admin, value: undefined }), { status: 'refused', exchange: { failure: 'is_the_connection' } })
  wire.loseAnswerTo('nologin', 'cut')
  t.match(await vendorWith(through).revoke({ value: old }), { status: 'unknown', exchange: { failure: 'connection_lost' } })
  t.match(await vendorWith(through).revoke({ value: old }), { status: 'revoked' }, 'asked again')

  const gone = new URL(old.reveal())
  gone.port = '1'
  t.match(await vendorWith().probeRefused(new Secret(gone.href)), { status: 'unknown', exchange: { outcome: 'unknown', failure: 'connection_refused' } })
  t.match(await vendorWith().probeRefused(new Secret(old.reveal().replace(/\/test_[^/]*$/, '/nowhere'))), { status: 'refused' }, 'refused before the database is looked at')
  t.match(await vendorWith().probeRefused(new Secret(urlOf(admin).replace(/\/test_[^/]*$/, '/nowhere'))), { status: 'unknown', exchange: { answer: { status: '3D000' } } }, 'another no is no refusal')

  // What hangs on a role in another database keeps it there, and lets nobody in.
  const kept = new Secret(await role('kept'))
  const other = await testDatabase(t)
  const elsewhere = new pg.Client(other.url)
  await elsewhere.connect()
  await elsewhere.query(`create table far (id int); alter table far owner to ${group}_kept`)
  t.match(await vendorWith().revoke({ value: kept }), { status: 'revoked', exchange: { answer: { body: /"dropped":false,"may_log_in":false,"why":"role .* cannot be dropped/ } } })
  t.match(await vendorWith().probeRefused(kept), { status: 'refused' })
  const after = await vendorWith().list()
  t.same(after.status === 'listed' && after.tokens, [], 'nor is it a token')
  await elsewhere.query('drop table far')
  await elsewhere.end()
  t.match(await vendorWith().revoke({ value: kept }), { status: 'revoked', exchange: { answer: { body: /"dropped":true/ } } }, 'tidied up when asked again')
})

t.test('the address of a manifest', async (t) => {
  const problems = (address: string) => postgresRoleProblems({ kind: 'postgres-role', group: 'g', address })
  t.same(problems('postgres://db.internal:5432/app?sslmode=verify-full'), [])
  t.match(problems('postgres://me@db.internal/app'), [/holds a name or a password/])
  t.match(problems('postgres://db.internal/app?user=me&password=x'), [/parameter user/, /parameter password/])
  t.match(problems('postgres://'), [/is no address/])
  // pg reads the files that a connection string names.
  t.match(problems('postgres://db.internal/app?sslrootcert=/etc/shadow&sslkey=/x'), [/parameter sslkey: no file/, /parameter sslrootcert: no file/])
  const vendor = postgresRoleVendor({ vendor: { kind: 'postgres-role', group: 'g', address: 'postgres://db.internal/app?sslrootcert=/absent' }, connection: async () => new Secret('postgres://a:b@db.internal/app?sslcert=/absent') })
  t.match(await vendor.verify(new Secret('postgres://me:x@db.internal/app?sslrootcert=/absent'), { replace: false }), [{ outcome: 'failed', failure: 'value_invalid' }])
  t.match(await vendor.list(), { status: 'failed', exchange: { failure: 'connection_invalid' } })
  await t.rejects(inSession({ url: new URL('postgres://me:x@db.internal/app?sslkey=/absent') }, 1_000, async () => {}), { name: 'SessionFailure', message: 'url_invalid', sent: false })
})

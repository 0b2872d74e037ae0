// Vendor `redis-acl` on real Redis servers: with an ACL file, with a configuration file, with neither; over restarts.
import { spawn } from 'node:child_process'
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { environmentOf } from '../../../infra/local/redis/program.ts'
import { freePort } from '../../../infra/local/children/free-port.ts'
import { redisAclProblems, redisAclVendor } from '../../../infra/vendors/redis-acl.ts'
import type { Exchange } from '../../../src/domain/credential/fields.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'
import { createScanner, inWords } from '../../support/canary.ts'
import { leaveFolder, noteCanary } from '../../support/left-behind.ts'
import { redisProgram, testRedis } from '../../support/redis.ts'
import { until } from '../../support/until.ts'
import { openWire } from '../../support/wire.ts'

const secretly = (allowed?: RegExp): string => {
  const text = randomBytes(15).toString('hex')
  noteCanary({ what: 'the password of a user of Redis', text, ...allowed && { allowed } })
  return text
}
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const fingerprint = (secret: Secret): string => createHmac('sha256', 'the test').update(secret.reveal()).digest('base64url')

const [adminPassword, oldPassword] = [secretly(), secretly()]
const RIGHTS = '-@all +acl|setuser +acl|getuser +acl|whoami +acl|dryrun +acl|save +config|get +config|rewrite +info'
/** Users as an ACL file has them: nobody in it has a password in clear. */
const users = (more: readonly string[] = []): string[] => [
  'user default on nopass ~* &* +@all',
  `user admin on #${sha256(adminPassword)} ${RIGHTS}`,
  `user app on #${sha256(oldPassword)} ~app:* &* +@all -@admin`,
  ...more
]

const withAclFile = async (t: Test) => {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-acl-'))
  t.teardown(() => leaveFolder(folder))
  const file = join(folder, 'users.acl')
  writeFileSync(file, `${users().join('\n')}\n`)
  const server = await testRedis(t, { settings: [`aclfile ${file}`] })
  return { ...server, file, restart: async () => { await server.kill(); await server.start() } }
}

/** A Redis that was started with a configuration file, as on most machines. */
const withConfigFile = async (t: Test, more: readonly string[] = []) => {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-redis-conf-'))
  const [file, port, program] = [join(folder, 'redis.conf'), await freePort(), await redisProgram()]
  writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, 'save ""', 'logfile redis.log', ...users(more), ''].join('\n'))
  let child: ReturnType<typeof spawn> | undefined
  const start = async () => {
    child = spawn(program.path, [file], { env: environmentOf(program), stdio: 'ignore' })
    await until(async () => {
      const client = new Redis({ port, lazyConnect: true, protocol: 2, enableReadyCheck: false, disableClientInfo: true, retryStrategy: () => null })
      client.on('error', () => {})
      return client.connect().then(() => true, () => false).finally(() => { client.disconnect() })
    })
  }
  const stop = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const orphan = () => { child?.kill('SIGKILL') }
  process.on('exit', orphan)
  t.teardown(async () => {
    await stop()
    process.off('exit', orphan)
    await leaveFolder(folder)
  })
  await start()
  return { port, file, restart: async () => { await stop(); await start() } }
}

const ground = (port: number, options: { connectionPort?: number, connection?: string | undefined, user?: string, timeoutMs?: number } = {}) => {
  const { user = 'app', timeoutMs } = options
  const connection = 'connection' in options ? options.connection : `redis://admin:${adminPassword}@127.0.0.1:${options.connectionPort ?? port}`
  const of = {
    vendor: { kind: 'redis-acl' as const, user, address: `redis://127.0.0.1:${port}/0` },
    connection: async () => connection === undefined ? undefined : new Secret(connection),
    ...timeoutMs !== undefined && { timeoutMs }
  }
  return { vendor: redisAclVendor({ ...of, fingerprint }), problems: () => redisAclProblems(of), value: (password: string, name = user) => new Secret(`redis://${name}:${password}@127.0.0.1:${port}/0`) }
}

const minted = async (vendor: ReturnType<typeof redisAclVendor>) => {
  const outcome = await vendor.mint({ label: 'a label that Redis cannot keep', valueId: randomUUID() })
  if (outcome.status !== 'minted') throw new Error(`not minted: ${JSON.stringify(outcome.exchange)}`)
  const password = new URL(outcome.secret.reveal()).password
  noteCanary({ what: 'the password of a user of Redis', text: password })
  return { ...outcome, tokenId: outcome.tokenId ?? '', password }
}

const clean = (t: Test, exchanges: readonly Exchange[], secrets: readonly string[]): void => {
  const scanner = createScanner(secrets.flatMap((text) => [{ what: 'a password', text }, { what: 'a hash of one', text: sha256(text) }]))
  scanner.text(JSON.stringify(exchanges), 'the exchanges')
  t.equal(inWords(scanner.findings()), '', 'no exchange shows a password, nor what it could be guessed from')
}

const life = async (t: Test, { port, file, restart, keptBy }: { port: number, file: string, restart: () => Promise<void>, keptBy: string }) => {
  const wire = await openWire(t, port)
  const { vendor, problems } = ground(port, { connectionPort: wire.port })
  const { value } = ground(port)
  const old = value(oldPassword)
  const seen: Exchange[] = []
  t.same(await problems(), [])
  const root = new Redis({ port, retryStrategy: () => 50 })
  root.on('error', () => {})
  t.teardown(() => { root.disconnect() })
  const users = async () => root.call('ACL', 'LIST')

  const [before, text] = [await users(), readFileSync(file, 'utf8')]
  const probes = await vendor.verify(old, { replace: false })
  t.same(probes.map(({ probe, outcome }) => [probe, outcome]), [['authenticate', 'passed'], ['metadata', 'passed'], ['may_mint', 'passed'], ['refuses_random', 'passed']], JSON.stringify(probes.at(-1)))
  t.same(await users(), before, 'nothing was changed')
  t.equal(readFileSync(file, 'utf8'), text, 'and nothing written')
  seen.push(...probes)

  const fresh = await minted(vendor)
  seen.push(fresh.exchange)
  t.match(fresh.exchange, { outcome: 'passed', request: { method: 'REDIS', body: 'ACL SETUSER app #[sha256]' }, answer: { status: 'OK', body: new RegExp(keptBy) } })
  t.notOk(wire.sent().includes(fresh.password), 'the password never went to the server')
  t.ok(wire.sent().includes(sha256(fresh.password)))
  const listed = await vendor.list()
  t.match(listed, { status: 'listed' })
  t.equal(listed.status === 'listed' && listed.tokens.length, 2)
  t.ok(listed.status === 'listed' && listed.tokens.some(({ tokenId }) => tokenId === fresh.tokenId))
  seen.push(listed.exchange)
  for (const one of [old, fresh.secret]) t.match(await vendor.probeRefused(one), { status: 'accepted', exchange: { outcome: 'failed' } })

  await restart()
  for (const one of [old, fresh.secret]) t.match(await vendor.probeRefused(one), { status: 'accepted' }, 'both are known after a restart')
  t.same((await vendor.verify(fresh.secret, { replace: false })).map(({ outcome }) => outcome), ['passed', 'passed', 'passed', 'passed'])

  const session = new Redis({ port, username: 'app', password: oldPassword, retryStrategy: () => null })
  session.on('error', () => {})
  t.teardown(() => { session.disconnect() })
  await session.set('app:x', '1')
  const revoked = await vendor.revoke({ value: old })
  t.match(revoked, { status: 'revoked', exchange: { answer: { body: /"removed":true.*"passwords_left":1/ } } })
  seen.push(revoked.exchange)
  t.equal(await session.get('app:x'), '1', 'who is in is not cut off')
  const refused = await vendor.probeRefused(old)
  t.match(refused, { status: 'refused', exchange: { probe: 'refused', outcome: 'passed', answer: { status: 'WRONGPASS' } } })
  seen.push(refused.exchange)
  t.match(await vendor.revoke({ value: old }), { status: 'revoked', exchange: { answer: { body: /"removed":false/ } } }, 'again')
  await restart()
  t.match(await vendor.probeRefused(old), { status: 'refused' }, 'it does not come back with a restart')
  t.match(await vendor.probeRefused(fresh.secret), { status: 'accepted' })
  t.match((await vendor.verify(old, { replace: false })).map(({ outcome }) => outcome), ['failed'])
  t.same((await vendor.verify(old, { replace: true })).map(({ probe, outcome }) => [probe, outcome]), [['may_mint', 'passed'], ['refuses_random', 'passed']])

  const next = await minted(vendor)
  t.match(await vendor.revoke({ tokenId: next.tokenId, value: undefined }), { status: 'revoked' }, 'by what the list calls it')
  t.match(await vendor.probeRefused(next.secret), { status: 'refused' })
  clean(t, seen, [adminPassword, oldPassword, fresh.password])
}

t.test('a whole life, with an ACL file', async (t) => life(t, { ...await withAclFile(t), keptBy: 'ACL SAVE' }))
t.test('a whole life, with a configuration file', async (t) => life(t, { ...await withConfigFile(t), keptBy: 'CONFIG REWRITE' }))

t.test('verify and check: what is wrong is said', async (t) => {
  const { port } = await withConfigFile(t, [
    'user open on nopass ~* +@all', `user off off #${sha256(oldPassword)} ~* +@all`, `user blind on #${sha256(oldPassword)} ~* +get`,
    `user weak on #${sha256(adminPassword)} ${RIGHTS.replace('+acl|setuser ', '')}`, `user boss on #${sha256(adminPassword)} ~* +@all`
  ])
  const neither = await testRedis(t)
  const root = neither.client()
  await root.call('ACL', 'SETUSER', 'app', 'on', `#${sha256(oldPassword)}`, '~*', '+@all')
  const { value } = ground(port)
  const old = value(oldPassword)
  const url = (user: string, password: string) => `redis://${user}:${password}@127.0.0.1:${port}`
  const seen: Exchange[] = []
  const cases: Array<[string, Secret, ReturnType<typeof ground>, string[], object, RegExp?]> = [
    ['another password', value('another-one'), ground(port), ['failed'], { answer: { status: 'WRONGPASS' } }],
    ['no server', new Secret(`redis://app:${oldPassword}@127.0.0.1:1`), ground(port), ['failed'], { failure: 'connection_refused' }],
    ['no connection string', new Secret('hunter2-hunter2'), ground(port), ['failed'], { failure: 'value_invalid' }],
    ['a value without a user', new Secret(`redis://:${oldPassword}@127.0.0.1:${port}`), ground(port), ['failed'], { failure: 'value_invalid' }],
    ['another user', new Secret(url('boss', adminPassword)), ground(port), ['passed', 'failed'], { failure: 'another_user' }],
    ['one that may ask nothing', value(oldPassword, 'blind'), ground(port, { user: 'blind' }), ['passed', 'passed', 'passed', 'passed'], { outcome: 'passed' }],
    ['no connection', old, ground(port, { connection: undefined }), ['passed', 'passed', 'failed'], { failure: 'connection_missing' }],
    ['a connection that is none', old, ground(port, { connection: 'hunter2-hunter2' }), ['passed', 'passed', 'failed'], { failure: 'connection_invalid' }, /no address with user and password/],
    ['a connection with another password', old, ground(port, { connection: url('admin', 'another-one') }), ['passed', 'passed', 'failed'], { answer: { status: 'WRONGPASS' } }],
    ['a connection that may not', old, ground(port, { connection: url('weak', adminPassword) }), ['passed', 'passed', 'failed'], { failure: 'not_allowed', answer: { body: /may not run ACL SETUSER/ } }, /weak may not run ACL SETUSER/],
    ['a connection that may ask nothing', old, ground(port, { connection: url('blind', oldPassword) }), ['passed', 'passed', 'failed'], { answer: { status: 'NOPERM' } }],
    ['a connection that is the user itself', new Secret(url('boss', adminPassword)), ground(port, { user: 'boss', connection: url('boss', adminPassword) }), ['passed', 'passed', 'failed'], { failure: 'is_the_connection', answer: { body: /cannot rotate itself/ } }, /cannot rotate itself/],
    ['every password', value('anything-at-all', 'open'), ground(port, { user: 'open' }), ['passed', 'passed', 'failed'], { answer: { body: /nopass/ } }, /takes every password/],
    ['another Redis behind the connection', old, ground(neither.port, { connection: url('admin', adminPassword), user: 'off' }), ['passed', 'failed'], { failure: 'another_user' }]
  ]
  for (const [name, secret, { vendor, problems }, outcomes, last, problem] of cases) {
    const exchanges = await vendor.verify(secret, { replace: false })
    seen.push(...exchanges)
    t.same(exchanges.map(({ outcome }) => outcome), outcomes, `${name}: ${JSON.stringify(exchanges.at(-1))}`)
    t.match(exchanges.at(-1), last, name)
    if (problem !== undefined) t.match((await problems()).join('\n'), problem, `${name}: told at the check, too`)
  }
  t.match(await ground(port, { user: 'off' }).problems(), [/switched off/])
  t.match(await ground(port, { user: 'nobody' }).problems(), [/has no user nobody/])
  t.match(await redisAclProblems({ vendor: { kind: 'redis-acl', user: 'app', address: 'redis://me:x@cache/0?password=y' }, connection: async () => undefined }), [/holds a name or a password/, /parameter password/])
  t.same(await ground(1).problems(), [], 'a server that is away is asked again by stage 1')
  const elsewhere = await ground(neither.port, { connection: url('admin', adminPassword) }).vendor.verify(new Secret(`redis://app:${oldPassword}@127.0.0.1:${neither.port}`), { replace: false })
  t.match(elsewhere.at(-1), { outcome: 'passed' }, 'the same user and password at two servers cannot be told apart')

  // Decision 35: a server that can keep nothing.
  const passing = ground(neither.port, { connection: `redis://default:${neither.password}@127.0.0.1:${neither.port}` })
  const kept = await root.call('ACL', 'LIST')
  t.match(await passing.problems(), [/can keep no password over a restart/])
  t.match((await passing.vendor.verify(passing.value(oldPassword), { replace: false })).at(-1), { outcome: 'failed', failure: 'not_allowed', answer: { body: /can keep no password/ } })
  t.match(await passing.vendor.mint({ label: 'x', valueId: randomUUID() }), { status: 'refused', exchange: { failure: 'not_allowed' } })
  t.same(await root.call('ACL', 'LIST'), kept, 'nothing was made')
  clean(t, seen, [adminPassword, oldPassword, 'hunter2-hunter2', 'anything-at-all'])
})

t.test('replicas, and the user default behind requirepass', async (t) => {
  const { port, restart } = await withConfigFile(t)
  const root = new Redis({ port, retryStrategy: () => 50 })
  root.on('error', () => {})
  t.teardown(() => { root.disconnect() })
  const replica = await testRedis(t, { settings: [`replicaof 127.0.0.1 ${port}`] })
  await until(async () => (await root.info('replication')).includes('connected_slaves:1'))
  t.match(await ground(port).problems(), [/not copied to replicas/])
  t.match((await ground(port).vendor.mint({ label: 'x', valueId: randomUUID() })), { status: 'refused' })
  await replica.kill()
  await until(async () => (await root.info('replication')).includes('connected_slaves:0'))
  t.same(await ground(port).problems(), [])

  const required = secretly(/redis\.conf/)
  await root.config('SET', 'requirepass', required)
  const { vendor, value } = ground(port, { user: 'default' })
  t.match((await vendor.verify(value(required), { replace: false })).at(-1), { probe: 'refuses_random', outcome: 'passed' })
  const fresh = await minted(vendor)
  t.match(await vendor.revoke({ value: value(required) }), { status: 'revoked' })
  root.disconnect()
  await restart()
  t.match(await vendor.probeRefused(value(required)), { status: 'refused' }, 'what requirepass says holds no longer')
  t.match(await vendor.probeRefused(fresh.secret), { status: 'accepted' })
})

t.test('minting and revoking that fail', async (t) => {
  const { port, file, restart } = await withAclFile(t)
  const wire = await openWire(t, port)
  const { vendor, value } = ground(port, { connectionPort: wire.port })
  const old = value(oldPassword)
  const tokens = async (): Promise<string[]> => {
    const listed = await vendor.list()
    return listed.status === 'listed' ? listed.tokens.map(({ tokenId }) => tokenId) : []
  }
  const before = await tokens()
  for (const [name, other, exchange] of [
    ['away', ground(1), { failure: 'connection_refused', outcome: 'failed' }],
    ['no connection', ground(port, { connection: undefined }), { failure: 'connection_missing' }],
    ['no such user', ground(port, { user: 'nobody' }), { failure: 'not_allowed', answer: { body: /has no user nobody/ } }]
  ] as const) t.match(await other.vendor.mint({ label: 'x', valueId: randomUUID() }), { status: 'refused', exchange }, name)
  wire.loseAnswerTo('WHOAMI', 'cut')
  t.match(await vendor.mint({ label: 'x', valueId: randomUUID() }), { status: 'refused', exchange: { failure: 'connection_lost' } }, 'lost before anything was done')
  t.same(await tokens(), before, 'nothing was made, and no user either')

  // In capitals: the dry runs before write these commands in small letters.
  for (const [words, how] of [['SETUSER', 'cut'], ['SAVE', 'cut'], ['SAVE', 'silence']] as const) {
    const hasty = ground(port, { connectionPort: wire.port, timeoutMs: how === 'cut' ? 5_000 : 400 }).vendor
    wire.loseAnswerTo(words, how)
    const outcome = await hasty.mint({ label: 'x', valueId: randomUUID() })
    t.match(outcome, { status: 'unknown', exchange: { outcome: 'unknown', failure: how === 'cut' ? 'connection_lost' : 'timeout' } }, `${words} ${how}`)
    await until(async () => (await tokens()).length === before.length + 1)
    const orphan = (await tokens()).find((tokenId) => !before.includes(tokenId))
    t.match(await vendor.revoke({ tokenId: orphan ?? '', value: undefined }), { status: 'revoked' })
    t.same(await tokens(), before, 'no orphan is left')
  }

  // Its disk is full, as it were: what cannot be kept is taken back, and a removal that is not kept is tried again.
  const root = new Redis({ port, retryStrategy: () => 50 })
  root.on('error', () => {})
  t.teardown(() => { root.disconnect() })
  const fresh = await minted(vendor)
  const before2 = await tokens()
  const away = `${file}.away`
  renameSync(file, away)
  mkdirSync(file)
  const unkept = await vendor.mint({ label: 'x', valueId: randomUUID() })
  t.match(unkept, { status: 'refused', exchange: { answer: { status: 'ERR' } } })
  t.same(await tokens(), before2, 'taken back')
  t.match(await vendor.revoke({ value: old }), { status: 'unknown', exchange: { outcome: 'unknown', answer: { status: 'ERR' } } })
  rmdirSync(file)
  renameSync(away, file)
  t.match(await vendor.revoke({ value: old }), { status: 'revoked', exchange: { answer: { body: /"removed":false,"kept_by":"ACL SAVE"/ } } }, 'kept by now')
  await restart()
  t.match(await vendor.probeRefused(old), { status: 'refused' })
  t.match(await vendor.probeRefused(fresh.secret), { status: 'accepted' })

  t.match(await ground(1).vendor.list(), { status: 'failed', exchange: { failure: 'connection_refused' } })
  t.match(await ground(1).vendor.revoke({ value: old }), { status: 'refused', exchange: { failure: 'connection_refused' } })
  t.match(await vendor.revoke({ value: undefined }), { status: 'refused', exchange: { failure: 'token_unknown' } })
  t.match(await vendor.probeRefused(new Secret(`redis://app:${oldPassword}@127.0.0.1:1`)), { status: 'unknown', exchange: { outcome: 'unknown', failure: 'connection_refused' } })
  t.match(await vendor.revoke({ tokenId: 'of-nobody', value: undefined }), { status: 'revoked' })
  clean(t, [unkept.exchange], [adminPassword, oldPassword, fresh.password])
})

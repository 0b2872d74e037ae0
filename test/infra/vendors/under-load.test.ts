// Rotations of `postgres-role` and `redis-acl` on the real servers, under a client that asks without a pause: not one of
// its requests fails, forward and back; and what would have failed is seen to fail.
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import t, { type Test } from 'tap'
import { postgresRoleVendor } from '../../../infra/vendors/postgres-role.ts'
import { redisAclVendor } from '../../../infra/vendors/redis-acl.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'
import type { VendorGateway } from '../../../src/rotation-ports.ts'
import { hammerPostgres, hammerRedis, type Hammer } from '../../support/hammer.ts'
import { leaveFolder, noteCanary } from '../../support/left-behind.ts'
import { testDatabase } from '../../support/postgres.ts'
import { testRedis } from '../../support/redis.ts'
import { until } from '../../support/until.ts'

const secretly = (): string => {
  const text = randomBytes(15).toString('hex')
  noteCanary({ what: 'the password of a client under load', text })
  return text
}

const mint = async (vendor: VendorGateway) => {
  const outcome = await vendor.mint({ label: 'under load', valueId: randomUUID() })
  if (outcome.status !== 'minted') throw new Error(`not minted: ${JSON.stringify(outcome.exchange)}`)
  noteCanary({ what: 'the password of a client under load', text: new URL(outcome.secret.reveal()).password })
  return outcome.secret
}

/** Revoked, and then refused three times in a row. */
const revoke = async (t: Test, vendor: VendorGateway, value: Secret) => {
  t.match(await vendor.revoke({ value }), { status: 'revoked' })
  for (let probe = 1; probe <= 3; probe++) t.equal((await vendor.probeRefused(value)).status, 'refused')
}

/** A request that takes a second, begun before a value is revoked and answered after it. */
type Slow = (value: Secret) => Promise<{ answer: Promise<unknown> }>

const underLoad = async (t: Test, vendor: VendorGateway, first: Secret, open: (value: Secret) => Promise<Hammer>, begin: Slow) => {
  const client = await open(first)
  t.teardown(() => client.stop())
  const steady = async (what: string) => {
    await client.more()
    const { answered, failed } = client.counts()
    t.same([failed, client.failures()], [0, []], `${what}: none of ${answered} requests failed`)
  }
  await steady('before')
  t.same((await vendor.verify(first, { replace: false })).map(({ outcome }) => outcome), ['passed', 'passed', 'passed', 'passed'])
  const value = await mint(vendor)
  await steady('two values work')
  const slow = await begin(first)
  await client.take(value)
  await steady('the new one is used')
  await revoke(t, vendor, first)
  await t.resolves(slow.answer, 'what was under way with the old one is answered')
  await steady('the old one is gone')
  // The way back: taken by the client, given up, the old one taken again.
  const unwanted = await mint(vendor)
  await client.take(unwanted)
  await steady('a third one is used')
  await client.take(value)
  await revoke(t, vendor, unwanted)
  await steady('given up again')
  return { client, value }
}

t.test('postgres-role', { timeout: 120_000 }, async (t) => {
  const { url } = await testDatabase(t)
  const [group, password] = [`l${randomBytes(4).toString('hex')}`, secretly()]
  const root = new pg.Client(url)
  root.on('error', () => {})
  await root.connect()
  await root.query(`create role ${group} nologin; create table hammered (id int generated always as identity primary key); alter table hammered owner to ${group};
    create role ${group}_admin login createrole password '${password}'; grant ${group} to ${group}_admin with admin option; grant pg_read_all_stats to ${group}_admin;
    create role ${group}_first login password '${password}' in role ${group}; grant ${group}_first to ${group}_admin with admin option`)
  t.teardown(async () => {
    const { rows } = await root.query<{ rolname: string }>('select rolname from pg_roles where rolname like $1 order by rolname desc', [`${group}%`])
    for (const { rolname } of rows) await root.query(`drop owned by "${rolname}" cascade; drop role "${rolname}"`)
    await root.end()
  })
  const as = (user: string): string => Object.assign(new URL(url), { username: user, password: user === '' ? '' : password }).href
  const connection = async () => new Secret(as(`${group}_admin`))
  const vendor = postgresRoleVendor({ vendor: { kind: 'postgres-role', group, address: as('') }, connection })
  const slow: Slow = async (value) => {
    const client = new pg.Client(value.reveal())
    await client.connect()
    return { answer: client.query('select pg_sleep(1)').finally(() => client.end()) }
  }
  const { client, value } = await underLoad(t, vendor, new Secret(as(`${group}_first`)), hammerPostgres, slow)

  await client.stop()
  const { rows: [stored] } = await root.query<{ rows: number }>('select count(*)::int as rows from hammered')
  t.equal(stored?.rows, client.counts().answered, 'each answer is a row')
  t.same((await root.query<{ rolname: string }>('select rolname from pg_roles where rolname like $1 and rolcanlogin', [`${group}%`])).rows.length, 2, 'one login role is left beside the account that mints')

  // A client that did not take the new value: who is in stays in, and new connections are refused.
  const careless = await hammerPostgres(value)
  t.teardown(() => careless.stop())
  await careless.more()
  const hasty = postgresRoleVendor({ vendor: { kind: 'postgres-role', group, address: as('') }, connection, timeoutMs: 700 })
  t.match(await hasty.revoke({ value }), { status: 'unknown', exchange: { failure: 'sessions_open' } })
  const { failed } = careless.counts()
  t.ok(failed > 0, `${failed} failures are seen`)
  t.match(careless.failures()[0], /not permitted to log in/)
})

t.test('redis-acl', { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-load-'))
  t.teardown(() => leaveFolder(folder))
  const [admin, first] = [secretly(), secretly()]
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
  writeFileSync(join(folder, 'users.acl'), ['user default on nopass ~* &* +@all', `user admin on #${hash(admin)} -@all +acl +config|get +info`, `user app on #${hash(first)} ~app:* +@all -@admin`, ''].join('\n'))
  const { port } = await testRedis(t, { settings: [`aclfile ${join(folder, 'users.acl')}`] })
  const as = (user: string, password: string) => new Secret(`redis://${user}:${password}@127.0.0.1:${port}`)
  const vendor = redisAclVendor({
    vendor: { kind: 'redis-acl', user: 'app', address: `redis://127.0.0.1:${port}` }, connection: async () => as('admin', admin),
    fingerprint: (secret) => createHmac('sha256', 'the test').update(secret.reveal()).digest('base64url')
  })
  const slow: Slow = async (value) => {
    const client = new Redis(value.reveal(), { retryStrategy: () => null })
    client.on('error', () => {})
    await client.ping()
    return { answer: client.blpop('app:nothing', 1).finally(() => { client.disconnect() }) }
  }
  const { client, value } = await underLoad(t, vendor, as('app', first), hammerRedis, slow)
  await client.stop()
  const listed = await vendor.list()
  t.equal(listed.status === 'listed' && listed.tokens.length, 1, 'one password is left')

  const careless = await hammerRedis(value)
  t.teardown(() => careless.stop())
  await careless.more()
  await vendor.revoke({ value })
  await until(() => careless.counts().failed > 0)
  t.ok(careless.counts().failed > 0, `${careless.counts().failed} failures are seen`)
  t.match(careless.failures()[0], /WRONGPASS|closed|isn't writeable/)
})

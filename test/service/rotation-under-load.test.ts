// Whole rotations over HTTP, of a Postgres role and a Redis user at once, whose clients ask without a pause and take the new
// value by push and by pull: not one request of a client fails, forward and back.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import pg from 'pg'
import t, { type Test } from 'tap'
import { createCredentialConsumer, createCredentialsService, loadOrMakeKey, type CredentialConsumer } from '../../kits/credentials/src/index.ts'
import { followRedis } from '../../kits/credentials/src/redis.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import { hammerPostgres, hammerRedis, type Hammer } from '../support/hammer.ts'
import { leaveFolder, noteCanary } from '../support/left-behind.ts'
import { testDatabase } from '../support/postgres.ts'
import { testRedis } from '../support/redis.ts'
import { testService, type TestService } from '../support/service.ts'

interface Job { rotation_id: string, state: string, transition: number, failure: unknown, gate: unknown, consumers: unknown }
interface Client { name: string, credential: string, hammer: () => Hammer, values: Set<string>, consumer: CredentialConsumer, url: string }

const secretly = (allowed?: RegExp): string => {
  const text = randomBytes(15).toString('hex')
  noteCanary({ what: 'the password of a client under load', text, ...allowed && { allowed } })
  return text
}

/** A Postgres with a group and a first role in it, and a Redis with a user; and an account at each that may mint. */
const servers = async (t: Test) => {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-rotated-'))
  t.teardown(() => leaveFolder(folder))
  const accounts = /accounts\.json$/
  const [dbAdmin, cacheAdmin, first] = [secretly(accounts), secretly(accounts), secretly()]
  const { url } = await testDatabase(t)
  const group = `s${randomBytes(4).toString('hex')}`
  const root = new pg.Client(url)
  root.on('error', () => {})
  await root.connect()
  await root.query(`create role ${group} nologin; create table hammered (id int generated always as identity primary key); alter table hammered owner to ${group};
    create role ${group}_admin login createrole password '${dbAdmin}'; grant ${group} to ${group}_admin with admin option; grant pg_read_all_stats to ${group}_admin;
    create role ${group}_first login password '${first}' in role ${group}; grant ${group}_first to ${group}_admin with admin option`)
  t.teardown(async () => {
    const { rows } = await root.query<{ rolname: string }>('select rolname from pg_roles where rolname like $1 order by rolname desc', [`${group}%`])
    for (const { rolname } of rows) await root.query(`drop owned by "${rolname}" cascade; drop role "${rolname}"`)
    await root.end()
  })
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
  const acl = join(folder, 'users.acl')
  writeFileSync(acl, ['user default on nopass ~* &* +@all', `user keeper on #${hash(cacheAdmin)} -@all +acl +config|get +info`, `user app on #${hash(first)} ~app:* +@all -@admin`, ''].join('\n'))
  const redis = await testRedis(t, { settings: [`aclfile ${acl}`] })
  const db = (user: string, password: string): string => Object.assign(new URL(url), { username: user, password }).href
  const cache = (user: string, password: string): string => `redis://${user}:${password}@127.0.0.1:${redis.port}`
  const file = join(folder, 'accounts.json')
  writeFileSync(file, JSON.stringify({ 'db-admin': db(`${group}_admin`, dbAdmin), 'cache-admin': cache('keeper', cacheAdmin) }), { mode: 0o600 })
  return {
    file, redis, root, group,
    db: { value: db(`${group}_first`, first), tokenId: `${group}_first`, vendor: { kind: 'postgres-role', group, address: db('', '') }, connection: { account: 'db-admin' } },
    cache: { value: cache('app', first), tokenId: undefined, vendor: { kind: 'redis-acl', user: 'app', address: `redis://127.0.0.1:${redis.port}` }, connection: { account: 'cache-admin' } }
  }
}

/** A consumer of the kit whose use of a credential is to ask without a pause. */
const clientOf = async (t: Test, service: TestService, { name, credential, open, pull }: {
  name: string, credential: string, open: typeof hammerPostgres, pull?: { redisUrl: string }
}): Promise<Client> => {
  const { body: principal } = await service.request('POST', '/api/v1/principals', { name, kind: 'service', roles: [`consumer:${name}`] })
  const { body: token } = await service.request('POST', `/api/v1/principals/${String(principal['principal_id'])}/tokens`, {})
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-client-'))
  t.teardown(() => leaveFolder(folder))
  let hammer: Hammer | undefined
  const values = new Set<string>()
  const [key, door] = [await loadOrMakeKey(join(folder, 'key.json')), createCredentialsService({ url: service.url, token: String(token['token']), consumer: name })]
  await door.registerKey(key.publicJwk)
  const consumer = createCredentialConsumer({
    name, credentials: [credential], key, service: door,
    use: async ({ value }) => {
      noteCanary({ what: 'a rotated value', text: new URL(value).password })
      values.add(value)
      if (hammer === undefined) hammer = await open(new Secret(value), { pauseMs: 2 })
      else await hammer.take(new Secret(value))
    },
    ...pull !== undefined && { pull: { follow: followRedis({ url: pull.redisUrl }), pollMs: 0 } }
  })
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://consumer')
    const answer = pathname === '/health'
      ? Promise.resolve(consumer.handleHealthcheck({ credential: searchParams.get('credential'), nonce: searchParams.get('nonce') }))
      : buffer(request).then((body) => consumer.handlePush({ headers: request.headers, body }))
    void answer.then(({ status, headers, body }) => { response.writeHead(status, headers).end(body) })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    await hammer?.stop()
    await consumer.stop()
    server.closeAllConnections()
    server.close()
  })
  const used = (): Hammer => {
    if (hammer === undefined) throw new Error('it has no value yet')
    return hammer
  }
  return { name, credential, values, consumer, hammer: used, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const reason = 'under load'
/** States in which the service has something to do. */
const WORKING = /ing$|unknown$|unconfirmed$/

/** Takes a step, and waits until the job is where the step should bring it. */
const step = async (t: Test, service: TestService, client: Client, job: Job, name: string, state: string, more: object = {}): Promise<Job> => {
  const path = `/api/v1/credentials/${client.credential}/rotations/${job.rotation_id}`
  let { status, body } = await service.request('POST', `${path}/${name}`, { reason, ...more }, { 'if-match': `"${job.transition}"`, prefer: 'wait=30' })
  t.equal(status, 202, `${client.credential}: ${name}`)
  // On a machine that is busy the answer comes before the end: then the job is looked at again, as often as its client gets on.
  for (const end = Date.now() + 60_000; WORKING.test(String(body['state'])) && Date.now() < end; await client.hammer().more(20)) {
    ({ status, body } = await service.request('GET', path))
  }
  const after = body as unknown as Job
  t.equal(after.state, state, `${client.credential}: ${name} leads to ${state}`, after.state === state ? {} : { failure: after.failure, gate: after.gate, consumers: after.consumers })
  return after
}

const open = async (service: TestService, { credential }: Client): Promise<Job> => {
  const { body } = await service.request('POST', `/api/v1/credentials/${credential}/rotations`, { reason })
  return (await service.request('GET', `/api/v1/credentials/${credential}/rotations/${String(body['rotation_id'])}`)).body as unknown as Job
}

const steady = async (t: Test, { name, hammer }: Client, what: string) => {
  await hammer().more()
  const { answered, failed } = hammer().counts()
  t.same([failed, hammer().failures()], [0, []], `${name}, ${what}: none of ${answered} requests failed`)
}

t.test('forward, and back', { timeout: 240_000 }, async (t) => {
  const { file, redis, root, group, db, cache } = await servers(t)
  const service = await testService(t, {
    env: { CHANCERY_REDIS_URL: redis.url, CHANCERY_ROLES: 'api,projector,reactor', CHANCERY_OUTGOING_HTTP: 'loopback', CHANCERY_VENDOR_ACCOUNTS_FILE: file }
  })
  const clients = await Promise.all([
    clientOf(t, service, { name: 'db-client', credential: 'app-db', open: hammerPostgres }),
    clientOf(t, service, { name: 'cache-client', credential: 'app-cache', open: hammerRedis, pull: { redisUrl: redis.url } })
  ])
  for (const [index, { value, tokenId, vendor, connection }] of [db, cache].entries()) {
    const client = clients[index] as Client
    const put = await service.request('PUT', `/api/v1/credentials/${client.credential}`, {
      reason,
      manifest: {
        vendor, connection, sensitivity: 'high', owner: { name: 'Canary Owner', email: 'canary-owner@example.org' }, lead_days: 7,
        consumers: [{
          consumer: client.name, required: true, healthcheck: `${client.url}/health`, proof: { kind: 'possession' },
          delivery: index === 0 ? { kind: 'push', url: `${client.url}/deliveries` } : { kind: 'pull' }
        }]
      }
    })
    t.equal(put.status, 200, put.text)
    t.equal((await service.request('POST', `/api/v1/credentials/${client.credential}/value`, { value, reason, ...tokenId !== undefined && { vendor_token_id: tokenId } })).status, 200)
    await client.consumer.start()
    await client.consumer.fetch(client.credential)
    await steady(t, client, 'before')
  }

  await Promise.all(clients.map(async (client) => {
    let job = await step(t, service, client, await open(service, client), 'verify', 'verified')
    job = await step(t, service, client, job, 'distribute', 'distributed')
    await steady(t, client, 'with the new one')
    t.equal(client.values.size, 2)
    job = await step(t, service, client, job, 'validate', 'validated')
    await step(t, service, client, job, 'revoke', 'done', { confirm: client.credential, ticket: '4711' })
    await steady(t, client, 'the old one is refused')
  }))
  await t.rejects(new pg.Client(db.value).connect(), /password authentication failed|not permitted to log in/)
  const { rows } = await root.query<{ rolname: string }>('select rolname from pg_roles where rolname like $1 and rolcanlogin and rolname <> $2', [`${group}%`, `${group}_admin`])
  t.equal(rows.length, 1, 'one login role is left')

  await Promise.all(clients.map(async (client) => {
    let job = await step(t, service, client, await open(service, client), 'verify', 'verified')
    job = await step(t, service, client, job, 'distribute', 'distributed')
    await steady(t, client, 'with another one')
    await step(t, service, client, job, 'abort', 'aborted')
    await steady(t, client, 'back with the one before')
    t.equal(client.values.size, 3, 'three values in all')
  }))
  t.same((await root.query<{ rolname: string }>('select rolname from pg_roles where rolname like $1 and rolcanlogin and rolname <> $2', [`${group}%`, `${group}_admin`])).rows, rows, 'the role of the abandoned value is gone')
  const passwords = await redis.client().acl('GETUSER', 'app') as unknown as unknown[]
  t.equal((passwords[passwords.indexOf('passwords') + 1] as string[]).length, 1, 'one password is left')
  for (const client of clients) await client.hammer().stop()
  t.equal((await root.query<{ rows: number }>('select count(*)::int as rows from hammered')).rows[0]?.rows, clients[0]?.hammer().counts().answered, 'each answer is a row')
})

// The example lobby as real processes beside the real service: killed, stopped and continued, it releases each name once.
import { randomInt, randomUUID } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import { prepareTables, SCHEMA } from '../../examples/race-name-directory/names.ts'
import { postReceipts } from '../../examples/race-name-directory/receipts.ts'
import { createLifecycleService, ServiceRefusal } from '../../kits/lobby/src/index.ts'
import { directoryProcesses, type DirectoryProcess } from '../support/directory.ts'
import { testDatabase } from '../support/postgres.ts'
import { testRedis } from '../support/redis.ts'
import { seeded } from '../support/seeded.ts'
import { testService } from '../support/service.ts'
import { tcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

const KILLS = 50
const PER_KILL = 4
const seed = Number(process.env['FC_SEED'] ?? randomInt(2 ** 31))
t.comment(`FC_SEED=${seed}`)
/** The same moments for the same seed. */
const random = seeded(seed)
/** Each way between lobby and database: a transaction then takes so long that most kills fall into the middle of one. */
const DELAY_MS = 3

const redis = await testRedis(t)
const service = await testService(t, { env: { CHANCERY_REDIS_URL: redis.url } })
const { url: postgresUrl } = await testDatabase(t)
/** What the directory keeps is looked at where it keeps it. */
const options = `-c search_path=${SCHEMA}`
const pool = new pg.Pool({ connectionString: postgresUrl, max: 4, options })
pool.on('error', () => {})
t.teardown(() => pool.end())

const made = await service.request('POST', '/api/v1/principals', { name: 'lobby', kind: 'service', roles: ['lobby-service'] })
const { body: { token } } = await service.request('POST', `/api/v1/principals/${String(made.body['principal_id'])}/tokens`, {})
const slow = new URL(postgresUrl)
const proxy = await tcpProxy(t, Number(slow.port))
slow.port = String(proxy.port)
proxy.next({ toServer: { kind: 'delay', ms: DELAY_MS }, toClient: { kind: 'delay', ms: DELAY_MS } })
const environment = {
  DIRECTORY_POSTGRES_URL: slow.href, DIRECTORY_REDIS_URL: redis.url, DIRECTORY_CHANCERY_URL: service.url, DIRECTORY_CHANCERY_TOKEN: String(token), DIRECTORY_LEASE_MS: '300'
}
const start = await directoryProcesses(t, environment)
const client = createLifecycleService({ url: service.url, token: String(token) })

/** Sends a command; where nobody knows whether it was recorded (a busy machine), the same again, as the service says. */
const must = async (path: string, body: object): Promise<Record<string, unknown>> => {
  const key = { 'idempotency-key': randomUUID() }
  for (let tries = 1; ; tries++) {
    const answer = await service.request('POST', path, body, key)
    if (answer.status === 200 || answer.status === 201) return answer.body
    if (answer.status !== 503 || tries === 5) throw new Error(`${answer.status} ${answer.text}`)
  }
}
const accounts = async (count: number): Promise<string[]> => {
  const made: string[] = []
  for (let begun = 0; begun < count; begun += 20) {
    const answers = await Promise.all(Array.from({ length: Math.min(20, count - begun) }, (_, at) =>
      must('/api/v1/auth/ensure-by-email', { email: `racer-${randomUUID()}-${begun + at}@example.com` })))
    made.push(...answers.map((body) => String(body['user_id'])))
  }
  return made
}
const remove = (user: string) => must(`/api/v1/internal/users/${user}/delete`, { reason_code: 'user_request' })
const block = (user: string) => must(`/api/v1/admin/users/${user}/sanctions`, { code: 'permanent_block', scope: 'platform', reason_code: 'cheating' })

/** What the directory did, as its own tables say. */
const releases = async () => (await pool.query<{ position: string, user: string, names: string[] }>(
  'select entry_position as position, user_id as user, names from releases order by release_id')).rows
const settled = async (entries: number): Promise<boolean> =>
  (await pool.query<{ posted: string }>('select count(posted_at) as posted from receipts')).rows[0]?.posted === String(entries)

t.test('it refuses names to whom Chancery does not know or has blocked, and keeps them for others', async (t) => {
  const member = start()
  const url = /http\S+/.exec(await member.said(/ready at/))?.[0] ?? ''
  const [racer = '', blocked = ''] = await accounts(2)
  await block(blocked)
  const put = async (name: string, user: string) => (await fetch(`${url}/race-names/${encodeURIComponent(name)}?user_id=${user}`, { method: 'PUT' })).status
  t.equal(await put('Zörg', racer), 201)
  t.equal(await put(' zÖrg ', racer), 409)
  t.equal(await put('Vega', blocked), 403)
  t.equal(await put('Vega', '00000000-0000-4000-8000-000000000000'), 403)
  t.equal(await put('Vega', racer), 201, 'what was refused is free')

  // Another member cannot ask Chancery: what it takes it gives back, and what a dead one has left it sweeps.
  await pool.query("insert into race_names (name, canonical, user_id, registered_at) values ('Left', 'left', $1, now() - interval '2 minutes'), ('New', 'new', $1, now())", [racer])
  const deaf = (await directoryProcesses(t, { ...environment, DIRECTORY_CHANCERY_URL: 'http://127.0.0.1:9' }))()
  const deafUrl = /http\S+/.exec(await deaf.said(/ready at/))?.[0] ?? ''
  t.equal((await fetch(`${deafUrl}/race-names/Deneb?user_id=${racer}`, { method: 'PUT' })).status, 503)
  t.strictSame((await pool.query('select name from race_names where confirmed_at is null')).rows, [{ name: 'New' }], 'one that is still being asked for stays')
  const list = await (await fetch(`${url}/race-names`)).json() as { items: Array<{ name: string }> }
  t.strictSame(list.items.map(({ name }) => name), ['Vega', 'Zörg'], 'and is nobody\'s yet')
  await pool.query("delete from race_names where name = 'New'")
  deaf.kill('SIGKILL')
  await deaf.exit
  await remove(racer)
  await until(() => settled(2))
  const names = await (await fetch(`${url}/race-names`)).json() as { items: unknown[] }
  t.strictSame(names.items, [])
  const deletion = async () => (await service.request('GET', `/api/v1/admin/users/${racer}/deletion`)).body
  await until(async () => (await deletion())['settled'] === true)
  t.match(await deletion(), {
    stage: 'deleted', settled: true,
    entries: [{ event_type: 'user.lifecycle.deleted', consumers: [{ consumer: 'race-name-directory', state: 'finished', outcome: 'released', items: 2 }] }]
  })
  t.match(await (await fetch(`${url}/state`)).json(), { doing: 'working', parked: 0, receipts_to_post: 0, receipts_refused: 0 })
  member.kill('SIGTERM')
  await member.exit
  t.match((await pool.query('select holder from lifecycle_consumers')).rows, [{ holder: null }], 'it gives its name back')
})

t.test(`killed ${KILLS} times under load, every name is released once, and every receipt is there once`, async (t) => {
  const before = (await releases()).length
  const users = await accounts(KILLS * PER_KILL)
  const names = users.flatMap((user) => [1, 2, 3].map((number) => ({ name: `${user}-${number}`, user })))
  await pool.query('insert into race_names (name, canonical, user_id, confirmed_at) select n, n, u, now() from unnest($1::text[], $2::uuid[]) as x (n, u)', [names.map(({ name }) => name), names.map(({ user }) => user)])

  const members = new Set<DirectoryProcess>([start(), start()])
  t.teardown(() => Promise.all([...members].map((member) => {
    member.kill('SIGKILL')
    return member.exit
  })))
  const active = (): Promise<DirectoryProcess> => Promise.any([...members].map(async (member) => {
    await member.said(/^active/)
    return member
  }))
  const unfit: string[] = []
  let entries = 2
  for (let kill = 0; kill < KILLS; kill++) {
    const victim = await active()
    const commands = users.slice(kill * PER_KILL, (kill + 1) * PER_KILL).map(async (user, at) => {
      entries++
      // Some are blocked first: two entries, and the second finds nothing to release.
      if (at === 0) {
        entries++
        await block(user)
      }
      await remove(user)
    })
    // Somewhere between the arrival of the first entry and the end of the last transaction; at times while it still does what its predecessor left.
    if (kill % 4 !== 0) await Promise.race(commands)
    await new Promise((resolve) => { setTimeout(resolve, random(90)) })
    victim.kill('SIGKILL')
    members.delete(victim)
    members.add(start())
    unfit.push(...victim.lines.filter((line) => /ALARM|parked|stderr/.test(line)))
    await Promise.all(commands)
  }
  await until(() => settled(entries), 120_000)
  for (const member of members) unfit.push(...member.lines.filter((line) => /ALARM|parked|stderr/.test(line)))
  t.strictSame(unfit, [], 'nobody saw anything but entries')

  const found = (await releases()).slice(before)
  t.equal(found.length, entries - 2)
  t.equal(new Set(found.map(({ position }) => position)).size, found.length, 'each entry was acted on once')
  t.strictSame(found.flatMap((release) => release.names).sort(), names.map(({ name }) => name).sort(), 'each name was released once')
  t.equal((await pool.query('select 1 from race_names')).rowCount, 0)

  const search = async (cursor = ''): Promise<number> => {
    const { body } = await service.request('GET', `/api/v1/audit/events?type=cascade.acknowledged&limit=1000${cursor}`)
    const { items, next_cursor: next } = body as unknown as { items: unknown[], next_cursor: string | null }
    return items.length + (next === null ? 0 : await search(`&cursor=${next}`))
  }
  await until(async () => await search() >= entries)
  t.equal(await search(), entries, 'each receipt is one fact')
  const open = async () => (await Promise.all(users.slice(0, 40).map(async (user) => (await service.request('GET', `/api/v1/admin/users/${user}/deletion`)).body))).filter(({ settled }) => settled !== true)
  await until(async () => (await open()).length === 0)
  t.pass('and stands at its account')
  const { rows: [counted] } = await pool.query<{ position: string, from: string, count: string, hash: string }>(
    'select position, digest_from as from, digest_count as count, digest_hash as hash from lifecycle_consumers')
  t.strictSame({ count: Number(counted?.count), hash: counted?.hash }, await client.digest(BigInt(counted?.from ?? 0), BigInt(counted?.position ?? 0)).then(({ count, hash }) => ({ count, hash })),
    'and the directory can prove that it missed none')
})

t.test('stopped while a second takes over, then continued: it finds itself fenced, and nothing happens twice', async (t) => {
  const before = (await releases()).length
  const users = await accounts(20)
  const first = start()
  await first.said(/^active/)
  const second = start()
  await second.said(/^standing by/)
  await remove(users[0] ?? '')
  await first.said(/^settled/)
  const deletions = Promise.all(users.slice(1, 12).map(remove))
  first.kill('SIGSTOP')
  await deletions
  await second.said(/^active/)
  await until(async () => (await releases()).length === before + 12, 60_000)
  const seen = first.lines.length
  first.kill('SIGCONT')
  await first.said(/^standing by/, seen)
  await Promise.all(users.slice(12).map(remove))
  await until(async () => (await pool.query('select 1 from receipts where posted_at is null')).rowCount === 0 && (await releases()).length >= before + 20)
  const found = (await releases()).slice(before)
  t.equal(found.length, 20)
  t.equal(new Set(found.map(({ user }) => user)).size, 20)
})

t.test('receipts that Chancery does not take yet hold up no other', async (t) => {
  const own = await testDatabase(t)
  const receipts = new pg.Pool({ connectionString: own.url, max: 2, options })
  t.teardown(() => receipts.end())
  await prepareTables(receipts)
  await receipts.query('insert into receipts (entry_position, event_id, user_id, outcome, items, digest) select n, gen_random_uuid(), gen_random_uuid(), $1, 0, $1 from generate_series(1, 61) n', ['x'])
  const troubles: unknown[] = []
  let known = false
  const poster = postReceipts({
    pool: receipts,
    consumer: 'x',
    onTrouble: (error) => { troubles.push(error) },
    service: {
      postReceipt: async ({ position }) => {
        if (position === 60n) throw new ServiceRefusal(409, 'conflict', 'another result')
        if (position < 60n && !known) throw new ServiceRefusal(404, 'subject_not_found', 'not registered')
        return { replayed: false }
      }
    }
  })
  t.teardown(() => poster.stop())
  const posted = async (): Promise<number> => Number((await receipts.query<{ posted: string }>('select count(posted_at) as posted from receipts')).rows[0]?.posted)
  await until(async () => await posted() === 2)
  t.ok(troubles.length >= 60, 'each is told of')
  t.match((await receipts.query('select refused from receipts where entry_position = 60')).rows, [{ refused: 'conflict' }])
  known = true
  await receipts.query('update receipts set next_at = now()')
  await until(async () => await posted() === 61)
})

t.test('one that comes when entries were trimmed begins with a snapshot', async (t) => {
  const [early = '', lifted = '', free = ''] = await accounts(3)
  await remove(early)
  await block(lifted)
  const sanctions = (await service.request('GET', `/api/v1/admin/users/${lifted}/sanctions`)).body as unknown as { items: Array<{ sanction_id: string }> }
  const { position: removed } = await must(`/api/v1/admin/users/${lifted}/sanctions/${sanctions.items[0]?.sanction_id}/remove`, { reason_code: 'mistake' }) as { position: string }
  const stream = redis.client()
  const entries = async () => Number(await stream.xlen('user:lifecycle_events'))
  const { body: { entries: published } } = await service.request('GET', `/api/v1/admin/users/${lifted}/deletion`) as unknown as { body: { entries: Array<{ event_position: string }> } }
  const last = published[0]?.event_position ?? ''
  await until(async () => (await stream.xrange('user:lifecycle_events', `${last}-${last}`, '+')).length === 1)
  await stream.xtrim('user:lifecycle_events', 'MAXLEN', 1)
  t.equal(await entries(), 1)

  const own = await testDatabase(t)
  const names = new pg.Pool({ connectionString: own.url, max: 2, options })
  names.on('error', () => {})
  t.teardown(() => names.end())
  const late = await directoryProcesses(t, { ...environment, DIRECTORY_POSTGRES_URL: own.url, DIRECTORY_CONSUMER: 'late-directory' })
  const before = late()
  await before.said(/ready at/)
  await before.said(/a snapshot as of/)
  const count = async (): Promise<number> => (await names.query("select 1 from releases where cause like 'user.lifecycle.%'")).rowCount ?? 0
  const snapshot = await client.snapshot(BigInt(removed))
  t.equal(snapshot.position, BigInt(removed), 'as of the position that was asked for')
  const listed: string[] = []
  for await (const { userId, lifted: isLifted } of snapshot.users()) {
    listed.push(userId)
    t.ok(isLifted === (userId === lifted) || userId !== lifted)
  }
  t.ok(listed.includes(early) && listed.includes(lifted) && !listed.includes(free))
  t.equal(new Set(listed).size, listed.length, 'each once')
  t.equal(await count(), listed.length, 'each account\'s last entry was acted on')
  await names.query('insert into race_names (name, canonical, user_id, confirmed_at) values ($1, $1, $2, now())', ['Vega', free])
  await remove(free)
  await until(async () => (await names.query('select 1 from race_names')).rowCount === 0)
  await until(async () => (await names.query('select 1 from receipts where posted_at is null')).rowCount === 0)
  t.equal((await names.query('select 1 from receipts where refused is not null')).rowCount, 0)
  before.kill('SIGKILL')
  await before.exit
})

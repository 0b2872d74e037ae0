// The example lobby as real processes beside the real service: killed, stopped and continued, it releases each name once.
import { randomInt } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import { directoryProcesses, type DirectoryProcess } from '../support/directory.ts'
import { testDatabase } from '../support/postgres.ts'
import { testRedis } from '../support/redis.ts'
import { testService } from '../support/service.ts'
import { until } from '../support/until.ts'

const KILLS = 50
const PER_KILL = 4

const redis = await testRedis(t)
const service = await testService(t, { env: { CHANCERY_REDIS_URL: redis.url } })
const { url: postgresUrl } = await testDatabase(t)
const pool = new pg.Pool({ connectionString: postgresUrl, max: 4 })
pool.on('error', () => {})
t.teardown(() => pool.end())

const made = await service.request('POST', '/api/v1/principals', { name: 'lobby', kind: 'service', roles: ['lobby-service'] })
const { body: { token } } = await service.request('POST', `/api/v1/principals/${String(made.body['principal_id'])}/tokens`, {})
const start = directoryProcesses(t, {
  DIRECTORY_POSTGRES_URL: postgresUrl, DIRECTORY_REDIS_URL: redis.url, DIRECTORY_CHANCERY_URL: service.url, DIRECTORY_CHANCERY_TOKEN: String(token), DIRECTORY_LEASE_MS: '300'
})

const accounts = async (count: number): Promise<string[]> => {
  const made: string[] = []
  for (let begun = 0; begun < count; begun += 20) {
    const answers = await Promise.all(Array.from({ length: Math.min(20, count - begun) }, (_, at) =>
      service.request('POST', '/api/v1/auth/ensure-by-email', { email: `racer-${randomInt(2 ** 40)}-${begun + at}@example.com` })))
    made.push(...answers.map(({ body }) => String(body['user_id'])))
  }
  return made
}
const must = async (asked: ReturnType<typeof service.request>): Promise<void> => {
  const { status, text } = await asked
  if (status !== 200 && status !== 201) throw new Error(`${status} ${text}`)
}
const remove = (user: string) => must(service.request('POST', `/api/v1/internal/users/${user}/delete`, { reason_code: 'user_request' }))
const block = (user: string) => must(service.request('POST', `/api/v1/admin/users/${user}/sanctions`, { code: 'permanent_block', scope: 'platform', reason_code: 'cheating' }))

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
  await remove(racer)
  await until(() => settled(2))
  const names = await (await fetch(`${url}/race-names`)).json() as { items: unknown[] }
  t.strictSame(names.items, [])
  t.match((await service.request('GET', `/api/v1/admin/users/${racer}/deletion`)).body, {
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
  await pool.query('insert into race_names (name, canonical, user_id) select n, n, u from unnest($1::text[], $2::uuid[]) as x (n, u)', [names.map(({ name }) => name), names.map(({ user }) => user)])

  const members = new Set<DirectoryProcess>([start(), start()])
  const active = (): Promise<DirectoryProcess> => Promise.any([...members].map(async (member) => {
    await member.said(/^active/)
    return member
  }))
  const unfit: string[] = []
  let entries = 2
  for (let kill = 0; kill < KILLS; kill++) {
    const load = Promise.all(users.slice(kill * PER_KILL, (kill + 1) * PER_KILL).map(async (user, at) => {
      entries++
      // Some are blocked first: two entries, and the second finds nothing to release.
      if (at === 0) {
        entries++
        await block(user)
      }
      await remove(user)
    }))
    const victim = await active()
    // Somewhere between its first look and the middle of its work.
    if (kill % 2 === 0) await Promise.race([victim.said(/^settled/), load])
    await new Promise((resolve) => { setTimeout(resolve, randomInt(25)) })
    victim.kill('SIGKILL')
    members.delete(victim)
    members.add(start())
    unfit.push(...victim.lines.filter((line) => /ALARM|parked|stderr/.test(line)))
    await load
  }
  await until(() => settled(entries), 30_000)
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
  t.equal(await search(), entries, 'each receipt is one fact')
  const shown = await Promise.all(users.slice(0, 40).map(async (user) => (await service.request('GET', `/api/v1/admin/users/${user}/deletion`)).body))
  t.ok(shown.every(({ settled }) => settled === true), 'and stands at its account')
  for (const member of members) member.kill('SIGKILL')
  await Promise.all([...members].map(({ exit }) => exit))
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
  await until(async () => (await releases()).length === before + 12)
  const seen = first.lines.length
  first.kill('SIGCONT')
  await first.said(/^standing by/, seen)
  await Promise.all(users.slice(12).map(remove))
  await until(async () => (await pool.query('select 1 from receipts where posted_at is null')).rowCount === 0 && (await releases()).length >= before + 20)
  const found = (await releases()).slice(before)
  t.equal(found.length, 20)
  t.equal(new Set(found.map(({ user }) => user)).size, 20)
})

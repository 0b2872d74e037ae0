// The lobby kit on a real Redis and a real Postgres: every entry once, whatever happens to Redis, the database or a member.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import {
  createLifecycleConsumer, postgresStore, type Alarm, type LifecycleConsumerOptions, type LifecycleEntry, type Snapshot
} from '../../kits/lobby/src/index.ts'
import { entryWriter, STREAM, type WrittenEntry } from '../support/lifecycle-entries.ts'
import { testDatabase } from '../support/postgres.ts'
import { testRedis } from '../support/redis.ts'
import { tcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

type Options = LifecycleConsumerOptions<pg.PoolClient>

const database = await testDatabase(t)
const pool = new pg.Pool({ connectionString: database.url, max: 40 })
pool.on('error', () => {})
t.teardown(() => pool.end())
await pool.query('create table effects (id bigint generated always as identity, name text, position text, user_id text)')

const redis = await testRedis(t)
const client = redis.client()
let worlds = 0

/** A stream, a consumer's name and its effects, of one subtest. */
const world = async (t: Test) => {
  const name = `c${++worlds}`
  const stream = `${name}:${STREAM}`
  const writer = entryWriter(stream)
  const effects = async (): Promise<WrittenEntry['position'][]> =>
    (await pool.query<{ position: string }>('select position from effects where name = $1 order by id', [name])).rows.map(({ position }) => BigInt(position))
  const effect = async ({ position, userId }: LifecycleEntry, tx: pg.PoolClient): Promise<void> => {
    await tx.query('insert into effects (name, position, user_id) values ($1, $2, $3)', [name, String(position), userId])
  }
  const member = (options: Partial<Options> = {}) => {
    const consumer = createLifecycleConsumer<pg.PoolClient>({
      name, group: `${name}-group`, redis: redis.url, stream, store: postgresStore<pg.PoolClient>({ pool, idleMs: 2_000 }), macKeys: writer.macKeys,
      handle: effect, leaseMs: 600, backoffMs: 5, digestEveryMs: 0, ...options
    })
    const alarms: Alarm[] = []
    consumer.on('alarm', (alarm) => { alarms.push(alarm) })
    t.teardown(() => consumer.stop())
    consumer.start()
    return { consumer, alarms }
  }
  const settled = (consumer: { state (): { position?: bigint } }) => until(() => consumer.state().position === writer.written.at(-1)?.position)
  const group = async (): Promise<Record<string, unknown>> => {
    const [found = []] = await client.xinfo('GROUPS', stream) as unknown[][]
    return Object.fromEntries(Array.from({ length: found.length / 2 }, (_, at) => [String(found[at * 2]), found[at * 2 + 1]]))
  }
  return { name, stream, writer, effects, effect, member, settled, group, acknowledged: () => client.hget(`${stream}:acknowledged`, name) }
}

const users = (count: number): string[] => Array.from({ length: count }, () => randomUUID())
const some = (from: readonly string[], count: number): string[] => Array.from({ length: count }, () => from[Math.floor(Math.random() * from.length)] ?? '')

t.test('every entry once, a user\'s in order, side by side; position, group and acknowledgement follow', async (t) => {
  const { writer, member, settled, effects, acknowledged, group } = await world(t)
  const people = users(12)
  await writer.write(client, some(people, 150))
  let running = 0
  let most = 0
  const order = new Map<string, bigint[]>()
  const proven: number[] = []
  const { consumer, alarms } = member({
    digestEveryMs: 1,
    service: { digest: writer.digest, snapshot: () => Promise.reject(new Error('not needed')) },
    handle: async (entry, tx) => {
      most = Math.max(most, ++running)
      await delay(Math.random() * 4)
      order.set(entry.userId, [...order.get(entry.userId) ?? [], entry.position])
      await tx.query('insert into effects (name, position, user_id) values ($1, $2, $3)', [`c${worlds}`, String(entry.position), entry.userId])
      running--
    }
  })
  consumer.on('proven', ({ count }) => { proven.push(count) })
  await settled(consumer)
  await writer.write(client, some(people, 100))
  await settled(consumer)
  const found = await effects()
  t.strictSame([...found].sort((a, b) => a < b ? -1 : 1), writer.written.map(({ position }) => position), 'all of them, once')
  t.notSame(found, writer.written.map(({ position }) => position), 'and not one after the other')
  t.ok(most > 2 && most <= 8, `${most} at a time`)
  for (const [user, positions] of order) t.strictSame(positions, writer.written.filter(({ userId }) => userId === user).map(({ position }) => position))
  const last = writer.written.at(-1)
  await until(async () => await acknowledged() === String(last?.position))
  t.equal((await group())['last-delivered-id'], last?.id)
  await until(() => proven.reduce((sum, count) => sum + count, 0) === 250)
  t.pass(`proven against the log in ${proven.length} ranges`)
  t.strictSame(alarms, [])
  t.equal((await pool.query('select 1 from lifecycle_settled where name = $1', [`c${worlds}`])).rowCount, 0, 'nothing is kept of what was passed')
})

t.test('two members: one works, a slow handler keeps the name, and who lost it commits nothing', async (t) => {
  const { name, writer, member, settled, effects, effect } = await world(t)
  const [user = ''] = users(1)
  let slow = 0
  const handle: Options['handle'] = async (entry, tx) => {
    slow++
    // Much longer than the lease.
    await delay(1_500)
    await effect(entry, tx)
  }
  const first = member({ handle })
  await until(() => first.consumer.state().doing === 'working')
  const second = member({ handle })
  await writer.write(client, [user])
  await settled(first.consumer)
  t.equal(slow, 1)
  t.equal(second.consumer.state().doing, 'standing_by')
  t.equal((await effects()).length, 1)

  // Takes the lease away in the middle of a handler, as a takeover after a pause does.
  const lost = member({
    handle: async (entry, tx) => {
      await effect(entry, tx)
      await pool.query('update lifecycle_fences set fence = fence + 1 where name = $1', [name])
    }
  })
  await Promise.all([first.consumer.stop(), second.consumer.stop()])
  await until(() => lost.consumer.state().doing === 'working')
  await writer.write(client, [user])
  await until(async () => Number((await pool.query<{ fence: string }>('select fence from lifecycle_fences where name = $1', [name])).rows[0]?.fence) >= 5)
  await lost.consumer.stop()
  t.equal((await effects()).length, 1, 'rolled back')
  const { consumer } = member()
  await settled(consumer)
  t.equal((await effects()).length, 2)
})

t.test('an entry whose MAC does not fit is never passed, and not what comes after it', async (t) => {
  const { stream, writer, member, settled, effects, acknowledged } = await world(t)
  await writer.write(client, users(5))
  const forged = writer.make()
  const after = writer.make()
  await writer.publish(client, [{ ...forged, fields: { ...forged.fields, reason_code: 'other' } }, after])
  const { consumer, alarms } = member()
  const recovered: Alarm[] = []
  consumer.on('recovered', (alarm) => { recovered.push(alarm) })
  await until(() => alarms.length > 0)
  t.match(alarms, [{ reason: 'bad_mac', entryId: forged.id }])
  t.equal((await effects()).length, 5)
  t.equal(consumer.state().position, writer.written[4]?.position)
  await until(async () => await acknowledged() === String(writer.written[4]?.position))

  // What `lifecycle epoch` does: the stream is renamed and published anew.
  await client.rename(stream, `${stream}:old`)
  await writer.publish(client, writer.written)
  await settled(consumer)
  t.match(recovered, [{ reason: 'bad_mac' }])
  t.strictSame((await effects()).length, 7)

  const stray = await client.xadd(stream, '*', 'event_type', 'user.lifecycle.deleted')
  await until(() => alarms.length > 1)
  t.match(alarms[1], { reason: 'malformed', entryId: stray })
  const other = entryWriter(stream)
  for (const [macKeys, reason] of [[{}, 'unknown_key'], [other.macKeys, 'bad_mac']] as const) {
    await client.del(stream)
    await writer.publish(client, writer.written)
    const strange = member({ macKeys, group: undefined as unknown as string, name: `other-${reason.replace('_', '-')}` })
    await until(() => strange.alarms.length > 0)
    t.match(strange.alarms, [{ reason }])
  }
})

t.test('what was trimmed unread is taken from a snapshot; without one it stops', async (t) => {
  const { name, stream, writer, member, settled, effects, effect } = await world(t)
  const entries = await writer.write(client, users(20))
  await client.xtrim(stream, 'MINID', entries[10]?.id ?? '')
  const alone = member()
  await until(() => alone.alarms.length > 0)
  t.match(alone.alarms, [{ reason: 'trimmed', entryId: entries[10]?.id }])
  t.strictSame(await effects(), [])
  await alone.consumer.stop()

  // The log has gone on past the last lifecycle event, so the snapshot's position belongs to no entry.
  const position = (entries[12]?.position ?? 0n) + 1n
  const snapshot: Snapshot = {
    position: position < (entries[13]?.position ?? 0n) ? position : entries[12]?.position ?? 0n,
    users: async function * () {
      for (const { userId, position, eventId } of entries.slice(0, 13)) {
        yield { userId, position, eventId, type: 'user.lifecycle.deleted', occurredAt: new Date(), reasonCode: 'request', lifted: false }
      }
    }
  }
  // A member that died had settled a later entry, and none before it.
  const beyond = entries[15]
  await pool.query('insert into lifecycle_settled (name, position, event_id) values ($1, $2, $3)', [name, String(beyond?.position), beyond?.eventId])
  let failures = 2
  const { consumer, alarms } = member({
    service: { snapshot: async () => snapshot, digest: writer.digest },
    onSnapshotNeeded: async ({ snapshot, after }, tx) => {
      for await (const user of snapshot.users()) if (user.position > after) await effect({ ...user, ...{} as LifecycleEntry, position: user.position, userId: user.userId }, tx)
      if (failures-- > 0) throw new Error('not yet')
    }
  })
  const seen: Array<[string, bigint]> = []
  consumer.on('trimmed', ({ upTo }) => { seen.push(['trimmed', upTo]) })
  consumer.on('restarted', ({ position }) => { seen.push(['restarted', position]) })
  await settled(consumer)
  t.match(alarms, [{ reason: 'snapshot_failed' }])
  t.strictSame(seen, [['trimmed', entries[9]?.position], ['restarted', snapshot.position]])
  t.strictSame((await effects()).sort((a, b) => a < b ? -1 : 1), entries.filter((entry) => entry !== beyond).map(({ position }) => position), 'all of them once, by snapshot or by entry')
})

t.test('Redis emptied, killed, held still, restored from an older copy: it goes on where it was', async (t) => {
  const { stream, writer, member, settled, effects, group, acknowledged } = await world(t)
  const people = users(6)
  await writer.write(client, some(people, 30))
  const { consumer, alarms } = member()
  await settled(consumer)

  await client.flushall()
  await writer.publish(client, writer.written.slice(0, 20))
  const later = some(people, 10).map((user) => writer.make(user))
  await until(async () => await acknowledged() !== null && (await group())['name'] === 'c5-group')
  await writer.publish(client, [...writer.written.slice(20, 30), ...later])
  await settled(consumer)
  t.equal((await effects()).length, 40)
  await until(async () => (await group())['last-delivered-id'] === writer.written.at(-1)?.id)

  redis.pause()
  await delay(100)
  redis.resume()
  await redis.kill()
  await redis.start()
  await until(async () => await client.ping().catch(() => '') === 'PONG')
  await client.del(stream)
  await writer.publish(client, writer.written)
  await writer.write(client, some(people, 10))
  await settled(consumer)
  const found = await effects()
  t.strictSame([...found].sort((a, b) => a < b ? -1 : 1), writer.written.map(({ position }) => position))
  t.strictSame(alarms, [])

  // A log that was replaced by an older one names a predecessor before the last that was settled.
  const branch = writer.make(undefined, undefined, writer.written.at(-2)?.position)
  await writer.publish(client, [branch])
  await until(() => alarms.length > 0)
  t.match(alarms, [{ reason: 'forked', entryId: branch.id }])
  t.equal((await effects()).length, 50)
})

t.test('what the handler cannot do is parked, with what follows of its user, and can be tried again', async (t) => {
  const { writer, member, settled, effects, effect } = await world(t)
  const [bad = '', good = ''] = users(2)
  let broken = true
  let tries = 0
  const { consumer } = member({
    attempts: 3,
    handle: async (entry, tx) => {
      await effect(entry, tx)
      if (entry.userId !== bad || !broken) return
      tries++
      // An error that Postgres knows of, and that the handler swallows: the transaction is lost all the same.
      await tx.query('select 1 / 0').catch(() => {})
    }
  })
  const [first, , second] = await writer.write(client, [bad, good, bad, good])
  await settled(consumer)
  t.equal(tries, 3, 'as often as was said')
  t.strictSame(new Set(await effects()), new Set([writer.written[1]?.position, writer.written[3]?.position]))
  t.match(await consumer.parked(), [
    { entry: { position: first?.position, eventId: first?.eventId, userId: bad }, attempts: 3, retry: false },
    { entry: { position: second?.position }, attempts: 0, error: /earlier/ }
  ])
  t.equal(await consumer.retry(bad), 2)
  await until(async () => (await consumer.parked())[0]?.attempts === 4)
  t.equal((await consumer.parked()).length, 2, 'the later one waits for the first')
  await consumer.stop()

  broken = false
  const next = member({ handle: effect })
  await writer.write(client, [bad])
  await settled(next.consumer)
  t.equal((await next.consumer.parked()).length, 3, 'another member knows who is parked')
  t.equal(await next.consumer.retry(), 3)
  await until(async () => (await next.consumer.parked()).length === 0)
  await writer.write(client, [bad])
  await settled(next.consumer)
  t.strictSame((await effects()).slice(-4), writer.written.filter(({ userId }) => userId === bad).map(({ position }) => position), 'in their order')
})

t.test('a database that goes away in the middle parks nothing', async (t) => {
  const { writer, member, settled, effects, effect } = await world(t)
  const address = new URL(database.url)
  const proxy = await tcpProxy(t, Number(address.port))
  address.port = String(proxy.port)
  const own = new pg.Pool({ connectionString: address.href, max: 12, connectionTimeoutMillis: 1_000 })
  own.on('error', () => {})
  t.teardown(() => own.end())
  let away = 0
  let tries = 0
  const { consumer } = member({
    attempts: 2,
    leaseMs: 5_000,
    store: postgresStore<pg.PoolClient>({ pool: own }),
    handle: async (entry, tx) => {
      await effect(entry, tx)
      if (away++ === 3) await proxy.vanish()
    }
  })
  consumer.on('trouble', () => { tries++ })
  await writer.write(client, users(12))
  await until(() => tries > 12)
  t.ok((await effects()).length < 12)
  await proxy.listen()
  await settled(consumer)
  t.strictSame((await effects()).sort((a, b) => a < b ? -1 : 1), writer.written.map(({ position }) => position), 'each once, those too of which nobody knew whether they were committed')
  t.strictSame(await consumer.parked(), [])
})

t.test('a commit of which nobody heard is found out, and not done again', async (t) => {
  const { writer, member, settled, effects } = await world(t)
  const unheard = new Set<string>()
  // The transaction is committed, and the connection is lost before the answer.
  const deaf = {
    connect: async (): Promise<pg.PoolClient> => {
      const client = await pool.connect()
      const query: (...given: unknown[]) => Promise<pg.QueryResult> = client.query.bind(client)
      let position: string | undefined
      const heard = Object.create(client) as pg.PoolClient
      heard.query = async (...given: unknown[]) => {
        const answer = await query(...given)
        if (/insert into effects/.test(String(given[0]))) position = String((given[1] as unknown[])[1])
        if (given[0] !== 'commit' || position === undefined || unheard.has(position)) return answer
        unheard.add(position)
        throw new Error('Connection terminated unexpectedly')
      }
      heard.release = (destroy) => { client.release(destroy) }
      return heard
    }
  }
  const outcomes: string[] = []
  const { consumer } = member({ store: postgresStore<pg.PoolClient>({ pool: deaf }) })
  consumer.on('settled', (_, outcome) => { outcomes.push(outcome) })
  await writer.write(client, users(10))
  await settled(consumer)
  t.equal(unheard.size, 10)
  t.strictSame((await effects()).sort((a, b) => a < b ? -1 : 1), writer.written.map(({ position }) => position))
  t.strictSame(outcomes, Array.from({ length: 10 }, () => 'repeated'))
})

t.test('a digest that differs is an alarm', async (t) => {
  const { writer, member } = await world(t)
  await writer.write(client, users(3))
  const { alarms } = member({ digestEveryMs: 1, service: { digest: async () => ({ count: 4, hash: '0'.repeat(64) }), snapshot: () => Promise.reject(new Error('not needed')) } })
  await until(() => alarms.length > 0)
  t.match(alarms, [{ reason: 'digest_mismatch' }])
})

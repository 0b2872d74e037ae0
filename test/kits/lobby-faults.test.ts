// The lobby kit when Redis, the database or the handler fails: it goes on where it was, does nothing twice, and parks only what cannot be done.
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { postgresStore } from '../../kits/lobby/src/index.ts'
import { client, database, pool, redis, some, users, world } from '../support/lobby-world.ts'
import { tcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

t.test('Redis emptied, killed, held still, restored from an older copy: it goes on where it was', async (t) => {
  const { name, stream, writer, member, settled, effects, group, acknowledged } = await world(t)
  const people = users(6)
  await writer.write(client, some(people, 30))
  const { consumer, alarms } = member()
  await settled(consumer)

  await client.flushall()
  await writer.publish(client, writer.written.slice(0, 20))
  const later = some(people, 10).map((user) => writer.make(user))
  await until(async () => await acknowledged() !== null && (await group())['name'] === `${name}-group`)
  await writer.publish(client, [...writer.written.slice(20, 30), ...later])
  await settled(consumer)
  t.equal((await effects()).length, 40)
  await until(async () => (await group())['last-delivered-id'] === writer.written.at(-1)?.id)

  redis.pause()
  // For so long it holds still; what has come of it is waited for below.
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

t.test('a database that knows less than Redis: what it has acknowledged goes back, so that nothing is trimmed that it needs', async (t) => {
  const { name, stream, writer, member, settled, acknowledged } = await world(t)
  await writer.write(client, users(3))
  const { consumer } = member()
  await settled(consumer)
  const last = String(writer.written.at(-1)?.position)
  await until(async () => await acknowledged() === last)
  await consumer.stop()
  await client.hset(`${stream}:acknowledged`, name, '9'.repeat(18))
  const again = member()
  await settled(again.consumer)
  await until(async () => await acknowledged() === last)
  t.strictSame(again.alarms, [])
})

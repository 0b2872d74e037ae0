// The lobby kit on a real Redis and a real Postgres: every entry once and in order, one member at a time, nothing forged, no gap.
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type pg from 'pg'
import type { Alarm, LifecycleConsumerOptions, LifecycleEntry, Snapshot } from '../../kits/lobby/src/index.ts'
import { entryWriter } from '../support/lifecycle-entries.ts'
import { client, LEASE_MS, pool, random, some, users, world } from '../support/lobby-world.ts'
import { until } from '../support/until.ts'

type Options = LifecycleConsumerOptions<pg.PoolClient>

t.test('every entry once, a user\'s in order, side by side; position, group and acknowledgement follow', async (t) => {
  const { name, writer, member, settled, effects, acknowledged, group } = await world(t)
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
      await delay(random(4))
      order.set(entry.userId, [...order.get(entry.userId) ?? [], entry.position])
      await tx.query('insert into effects (name, position, user_id) values ($1, $2, $3)', [name, String(entry.position), entry.userId])
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
  t.equal((await pool.query('select 1 from lifecycle_settled where name = $1', [name])).rowCount, 0, 'nothing is kept of what was passed')
})

t.test('two members: one works, a slow handler keeps the name, and who lost it commits nothing', async (t) => {
  const { name, writer, member, settled, effects, effect } = await world(t)
  const [user = ''] = users(1)
  let slow = 0
  const expires = async (): Promise<number> =>
    (await pool.query<{ at: Date }>('select expires_at as at from lifecycle_consumers where name = $1', [name])).rows[0]?.at.getTime() ?? 0
  const handle: Options['handle'] = async (entry, tx) => {
    slow++
    // Longer than the lease it began with, and the one after it.
    const ends = await expires()
    await until(async () => await expires() - ends > 2 * LEASE_MS)
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

  // The log has gone on, and the service could say more: each entry that the stream still has is the handler's.
  const handed: bigint[] = []
  const snapshotOf = async (asOf?: bigint): Promise<Snapshot> => {
    const position = asOf ?? entries[15]?.position ?? 0n
    return {
      position,
      users: async function * () {
        for (const { userId, position: at, eventId } of entries) {
          if (at <= position) yield { userId, position: at, eventId, type: 'user.lifecycle.deleted', occurredAt: new Date(), reasonCode: 'request', lifted: false }
        }
      }
    }
  }
  // A member that died had settled a later entry, and none before it.
  const beyond = entries[15]
  await pool.query('insert into lifecycle_settled (name, position, event_id) values ($1, $2, $3)', [name, String(beyond?.position), beyond?.eventId])
  let failures = 2
  const { consumer, alarms } = member({
    service: { snapshot: snapshotOf, digest: writer.digest },
    handle: async (entry, tx) => {
      handed.push(entry.position)
      await effect(entry, tx)
    },
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
  t.strictSame(seen, [['trimmed', entries[9]?.position], ['restarted', entries[9]?.position]])
  t.strictSame(handed.sort((a, b) => a < b ? -1 : 1), entries.slice(10).filter((entry) => entry !== beyond).map(({ position }) => position), 'nothing that is still there is passed over')
  t.strictSame((await effects()).sort((a, b) => a < b ? -1 : 1), entries.filter((entry) => entry !== beyond).map(({ position }) => position), 'all of them once, by snapshot or by entry')
})

t.test('a digest that differs is an alarm, said once; a resync by request ends it', async (t) => {
  const { name, writer, member, settled, effects, effect } = await world(t)
  const entries = await writer.write(client, users(5))
  // What a restored backup, or a hand in the tables, does: an entry counts as settled that never was.
  const { consumer: first } = member()
  await settled(first)
  await first.stop()
  await pool.query('update lifecycle_consumers set digest_count = digest_count + 1 where name = $1', [name])
  await pool.query('delete from effects where name = $1 and position = $2', [name, String(entries[2]?.position)])

  let compared = 0
  let broken = true
  const needs: Array<{ after: bigint, upTo: bigint }> = []
  const { consumer, alarms } = member({
    digestEveryMs: 1,
    service: {
      digest: async (from, to) => {
        compared++
        return writer.digest(from, to)
      },
      snapshot: async (position) => ({
        position,
        users: async function * () {
          for (const { userId, position: at, eventId } of entries) yield { userId, position: at, eventId, type: 'user.lifecycle.deleted', occurredAt: new Date(), reasonCode: 'request', lifted: false }
        }
      })
    },
    onSnapshotNeeded: async ({ snapshot, after, upTo }, tx) => {
      needs.push({ after, upTo })
      const known = new Set(await effects())
      for await (const user of snapshot.users()) if (!known.has(user.position)) await effect({ ...user, ...{} as LifecycleEntry, position: user.position, userId: user.userId }, tx)
      if (broken) throw new Error('not yet')
    }
  })
  const recovered: Alarm[] = []
  const proven: number[] = []
  consumer.on('recovered', (alarm) => { recovered.push(alarm) })
  consumer.on('proven', ({ count }) => { proven.push(count) })
  await until(() => compared > 2)
  t.match(alarms, [{ reason: 'digest_mismatch', detail: /resync/ }])
  await t.rejects(first.resync(), /does not work/)
  await t.rejects(consumer.resync(), /not yet/)
  t.strictSame([(await effects()).length, recovered.length], [4, 0], 'nothing has changed')
  broken = false
  await consumer.resync()
  t.match(recovered, [{ reason: 'digest_mismatch' }])
  t.strictSame(needs.at(-1), { after: 0n, upTo: entries.at(-1)?.position })
  t.equal((await effects()).length, 5)
  await writer.write(client, users(2))
  await settled(consumer)
  await until(() => proven.length > 0)
  t.equal(alarms.length, 1)
})

// A lobby's consumer for tests: streams and names of their own on one Redis and one Postgres, and what its handlers did.
import { randomInt, randomUUID } from 'node:crypto'
import pg from 'pg'
import t, { type Test } from 'tap'
import { createLifecycleConsumer, postgresStore, type Alarm, type LifecycleConsumerOptions, type LifecycleEntry } from '../../kits/lobby/src/index.ts'
import { entryWriter, STREAM, type WrittenEntry } from './lifecycle-entries.ts'
import { testDatabase } from './postgres.ts'
import { testRedis } from './redis.ts'
import { seeded } from './seeded.ts'
import { until } from './until.ts'

type Options = LifecycleConsumerOptions<pg.PoolClient>

export const database = await testDatabase(t)
export const pool = new pg.Pool({ connectionString: database.url, max: 40 })
pool.on('error', () => {})
t.teardown(() => pool.end())
await pool.query('create table effects (id bigint generated always as identity, name text, position text, user_id text)')

export const redis = await testRedis(t)
export const client = redis.client()
let worlds = 0

export const LEASE_MS = 600
const seed = Number(process.env['FC_SEED'] ?? randomInt(2 ** 31))
t.comment(`FC_SEED=${seed}`)
/** The same choices for the same seed. */
export const random = seeded(seed)

/** A stream, a consumer's name and its effects, of one subtest. */
export const world = async (t: Test) => {
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
      handle: effect, leaseMs: LEASE_MS, backoffMs: 5, digestEveryMs: 0, ...options
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

export const users = (count: number): string[] => Array.from({ length: count }, () => randomUUID())
export const some = (from: readonly string[], count: number): string[] => Array.from({ length: count }, () => from[random(from.length)] ?? '')

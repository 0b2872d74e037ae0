// The kit's store in the consumer's own Postgres: tables beside the consumer's, in the same transactions.
import { emptyDigest } from './digest.ts'
import type { LifecycleEntry } from './entry.ts'
import { statementsOf, tablesSql } from './postgres-schema.ts'
import { HandlerFailed, LeaseLost, type ConsumerStore, type Lease, type ParkedEntry } from './store.ts'

/** As much of a client of `pg` as the adapter needs; a `pg.PoolClient` is one. */
export interface PgClient {
  query (text: string, values?: unknown[]): Promise<{ rows: object[], rowCount: number | null }>
  release (destroy?: boolean): void
  on (event: 'error', listener: (error: Error) => void): unknown
  off (event: 'error', listener: (error: Error) => void): unknown
}

export interface PostgresStoreOptions<Client extends PgClient> {
  /** A `pg.Pool`, of at least `parallel` + 2 connections: two for what goes on beside the handlers. */
  pool: { connect (): Promise<Client> }
  /** In front of the tables' names; may name a schema. Default: `lifecycle_`. */
  prefix?: string
  /**
   * Longest pause of a handler between two statements, in ms: then Postgres ends its transaction. A member that was
   * stopped in the middle of one keeps its locks so long, and its successor may have to wait for them. Default 10,000.
   */
  idleMs?: number
}

/** Makes the adapter. Handlers get the pool's client, inside the transaction. */
export const postgresStore = <Client extends PgClient>({ pool, prefix = 'lifecycle_', idleMs = 10_000 }: PostgresStoreOptions<Client>): ConsumerStore<Client> => {
  if (!/^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$/.test(prefix)) throw new Error('a prefix is a lower-case identifier, with a schema in front or without')
  const sql = statementsOf(prefix)
  const begin = `begin; set local idle_in_transaction_session_timeout = ${Math.round(idleMs)}`

  const transaction = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = await pool.connect()
    // In our hands nobody else listens, and an error without a listener ends the process; the statement fails as well.
    const heard = (): void => {}
    client.on('error', heard)
    let broken = true
    try {
      await client.query(begin)
      try {
        const result = await work(client)
        await client.query('commit')
        broken = false
        return result
      } catch (error) {
        // If even this fails the connection is gone, and what the handler met was that.
        await client.query('rollback')
        broken = false
        throw error
      }
    } finally {
      client.off('error', heard)
      client.release(broken)
    }
  }

  const leased = <T>({ name, fence }: Lease, work: (client: Client) => Promise<T>): Promise<T> => transaction(async (client) => {
    const result = await work(client)
    if ((await client.query(sql.check, [name, String(fence)])).rowCount !== 1) throw new LeaseLost(name)
    return result
  })

  const handled = async (client: Client, work: (client: Client) => Promise<void>): Promise<void> => {
    try {
      await work(client)
    } catch (error) {
      throw new HandlerFailed(error)
    }
  }
  const note = async (client: Client, { name }: Lease, { position, eventId }: LifecycleEntry): Promise<boolean> =>
    (await client.query(sql.settle, [name, String(position), eventId])).rowCount === 1

  const rows = async <R extends object>(statement: string, values: unknown[]): Promise<R[]> =>
    transaction(async (client) => (await client.query(statement, values)).rows as R[])

  return {
    // "if not exists" of two at once can still collide.
    prepare: () => transaction(async (client) => {
      await client.query('select pg_advisory_xact_lock(hashtext($1))', [`${prefix}tables`])
      await client.query(tablesSql(prefix))
    }),
    acquire: (name, holder, leaseMs, from) => transaction(async (client) => {
      await client.query("set local lock_timeout = '5s'")
      await client.query(sql.known, [name, String(from), emptyDigest(from).hash])
      await client.query(sql.fenceKnown, [name])
      if ((await client.query(sql.take, [name, holder, leaseMs])).rowCount !== 1) return undefined
      const [raised] = (await client.query(sql.raise, [name])).rows as Array<{ fence: string }>
      return { name, holder, fence: BigInt(raised?.fence ?? 0) }
    }),
    renew: ({ name, holder }, leaseMs) => transaction(async (client) => (await client.query(sql.renew, [name, holder, leaseMs])).rowCount === 1),
    release: async ({ name, holder }) => { await rows(sql.release, [name, holder]) },
    load: (name) => transaction(async (client) => {
      const [found] = (await client.query(sql.load, [name])).rows as Array<{ position: string, eventId: string | null, from: string, count: string, hash: string }>
      if (found === undefined) return undefined
      const beyond = (await client.query(sql.beyond, [name])).rows as Array<{ position: string }>
      const parkedUsers = (await client.query(sql.parkedUsers, [name])).rows as Array<{ userId: string }>
      return {
        position: BigInt(found.position),
        ...found.eventId !== null && { eventId: found.eventId },
        digest: { from: BigInt(found.from), count: Number(found.count), hash: found.hash },
        beyond: new Set(beyond.map(({ position }) => BigInt(position))),
        parkedUsers: new Set(parkedUsers.map(({ userId }) => userId))
      }
    }),
    settle: (lease, entry, work) => leased(lease, async (client) => {
      if (!await note(client, lease, entry)) return 'repeated'
      await handled(client, work)
      return 'settled'
    }),
    park: (lease, entry, { attempts, error }) => leased(lease, async (client) => {
      if (!await note(client, lease, entry)) return
      await client.query(sql.park, [lease.name, String(entry.position), entry.userId, writeEntry(entry), attempts, bounded(error)])
    }),
    advance: (lease, { position, eventId, digest }) => leased(lease, async (client) => {
      await client.query(sql.advance, [lease.name, String(position), eventId, String(digest.from), digest.count, digest.hash])
      await client.query(sql.passed, [lease.name, String(position)])
    }),
    restart: (lease, position, work) => leased(lease, async (client) => {
      await handled(client, work)
      await client.query(sql.restart, [lease.name, String(position), emptyDigest(position).hash])
      await client.query(sql.passed, [lease.name, String(position)])
      await client.query(sql.forgetParked, [lease.name, String(position)])
    }),
    parked: async (name) => (await rows<ParkedRow>(sql.parked, [name])).map(parkedOf),
    askRetry: (name, userId) => transaction(async (client) => (await client.query(sql.askRetry, [name, userId ?? null])).rowCount ?? 0),
    unpark: (lease, position, work) => leased(lease, async (client) => {
      if ((await client.query(sql.unpark, [lease.name, String(position)])).rowCount !== 1) return 'gone'
      await handled(client, work)
      return 'settled'
    }),
    parkAgain: (lease, position, error) => leased(lease, async (client) => { await client.query(sql.parkAgain, [lease.name, String(position), bounded(error)]) })
  }
}

const bounded = (text: string): string => text.replaceAll('\0', '').slice(0, 1000)

interface ParkedRow { entry: string, attempts: string, error: string, parkedAt: string, retry: string }

const writeEntry = (entry: LifecycleEntry): string => JSON.stringify(entry, (_, value: unknown) => typeof value === 'bigint' ? String(value) : value)

const parkedOf = ({ entry, attempts, error, parkedAt, retry }: ParkedRow): ParkedEntry => {
  const text = JSON.parse(entry) as Record<'position' | 'previousPosition' | 'occurredAt', string> & LifecycleEntry
  return {
    entry: { ...text, position: BigInt(text.position), previousPosition: BigInt(text.previousPosition), occurredAt: new Date(text.occurredAt) },
    attempts: Number(attempts), error, parkedAt: new Date(Number(parkedAt) * 1000), retry: retry === 'true'
  }
}

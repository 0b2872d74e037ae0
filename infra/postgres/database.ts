// The engine's view of Postgres: pooled statements, transactions that are run again when asked for, dedicated connections.
import type pg from 'pg'
import type { Answer, Connection, Database, Sql } from '../../src/ports.ts'
import { isPassing, isRepeatable } from './errors.ts'
import { createClient, type ConnectionOptions } from './pool.ts'

/** How often a transaction is run that Postgres rolled back for a serialization failure, a deadlock or a lock. */
const MAX_ATTEMPTS = 5

const on = (client: Pick<pg.ClientBase, 'query'>): Sql => ({
  query: async <R extends object>(text: string, values?: readonly unknown[], name?: string): Promise<Answer<R>> => {
    const result = await client.query<R & pg.QueryResultRow>({ text, values: values as unknown[], ...(name !== undefined && { name }) })
    return { rows: result.rows, count: result.rowCount ?? 0, command: result.command }
  }
})

/**
 * Runs `work` in one transaction on a connection of the pool.
 * @throws what `work` threw, or the last error of Postgres; after a lost COMMIT the outcome is unknown to the caller
 */
const transaction = async <T>(pool: pg.Pool, work: (sql: Sql) => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    const client = await pool.connect()
    let broken = false
    try {
      await client.query('begin')
      const result = await work(on(client))
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(() => { broken = true })
      if (!isRepeatable(error) || attempt === MAX_ATTEMPTS) throw error
    } finally {
      client.release(broken)
    }
  }
}

const connect = async (options: ConnectionOptions): Promise<Connection> => {
  const client = createClient({ ...options, pipeline: true })
  let lost = false
  client.on('error', () => { lost = true })
  client.on('end', () => { lost = true })
  await client.connect()
  return {
    ...on(client),
    get lost () { return lost },
    close: async () => {
      lost = true
      await client.end().catch(() => {})
    }
  }
}

/** Joins pool and dedicated connections into the port that the projector engine takes. */
export const createDatabase = (pool: pg.Pool, options: ConnectionOptions): Database => ({
  query: async (text, values, name) => on(pool).query(text, values, name),
  connect: (purpose) => connect({ ...options, applicationName: `${options.applicationName} ${purpose}` }),
  transaction: (work) => transaction(pool, work),
  isPassing
})

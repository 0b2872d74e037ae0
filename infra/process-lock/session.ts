// One connection that holds the advisory lock, and the row that tells whether its holder ended in good order.
import { setTimeout as after } from 'node:timers/promises'
import type pg from 'pg'
import { createClient } from '../postgres/pool.ts'
import { StartError } from '../../src/start-error.ts'

export interface Session {
  /** A process that might still believe to hold the lock ended without giving it back. */
  unclean: boolean
  /** Rejects when the connection does not answer in time. */
  ping (withinMs: number): Promise<void>
  /** Deletes the row and ends the connection, and with it the lock. */
  release (): Promise<void>
  /** Ends the connection without a word to the server. */
  abandon (): Promise<void>
}

export interface SessionOptions { url: string, schema: string, mode: 'single' | 'many', holder: string, patience: number }

const RETRY = 100

/** Connects and takes the lock. Throws StartError when it is held by others. */
export const openSession = async (options: SessionOptions): Promise<Session> => {
  const { url, schema, mode, holder } = options
  const client = createClient({ url, schema, applicationName: 'chancery lock', statementTimeout: '5s' })
  const failed = new Promise<never>((_resolve, reject) => {
    client.on('error', reject)
    client.on('end', () => reject(new Error('the connection ended')))
  })
  failed.catch(() => {})
  const abandon = () => Promise.race([client.end().catch(() => {}), after(500)])

  try {
    await client.connect()
    await takeLock(client, options)
    const unclean = await enter(client, mode, holder)
    return {
      unclean,
      ping: async (withinMs) => {
        const stop = new AbortController()
        const late = after(withinMs, undefined, { signal: stop.signal }).then(() => { throw new Error(`no answer within ${withinMs} ms`) })
        try {
          await Promise.race([client.query('select 1'), late, failed])
        } finally {
          late.catch(() => {})
          stop.abort()
        }
      },
      release: async () => {
        await Promise.race([client.query('delete from process_lease where holder = $1', [holder]), after(1000)]).catch(() => {})
        await abandon()
      },
      abandon
    }
  } catch (error) {
    await abandon()
    throw error
  }
}

const takeLock = async (client: pg.Client, { mode, schema, patience }: SessionOptions): Promise<void> => {
  const call = mode === 'single' ? 'pg_try_advisory_lock' : 'pg_try_advisory_lock_shared'
  const until = performance.now() + patience
  for (;;) {
    const { rows } = await client.query<{ held: boolean }>(`select ${call}(hashtextextended($1, 0)) as held`, [`chancery processes of ${schema}`])
    if (rows[0]?.held === true) return
    if (performance.now() >= until) throw await held(client, mode)
    await after(RETRY)
  }
}

/** Says who stands in the way. */
const held = async (client: pg.Client, mode: 'single' | 'many'): Promise<StartError> => {
  const { rows } = await client.query<{ mode: string }>('select distinct mode from process_lease order by mode')
  const others = rows.map((row) => row.mode).join(' and ') || 'unknown'
  return mode === 'single' && others === 'single'
    ? new StartError('Another Chancery process runs on the same Postgres, in single mode.', [
      'stop that process first', 'or start all of them with CHANCERY_API_PROCESSES=many'])
    : new StartError(`CHANCERY_API_PROCESSES is ${mode} here, but a process in mode ${others} runs on the same Postgres.`, [
      'start all of them with CHANCERY_API_PROCESSES=many', 'or stop the others'])
}

/** Notes that we are here, and clears away those that are not: their locks would have kept us out. */
const enter = async (client: pg.Client, mode: 'single' | 'many', holder: string): Promise<boolean> => {
  const { rowCount } = await client.query(
    "delete from process_lease where holder <> $1 and ($2 = 'single' or mode = 'single')", [holder, mode])
  await client.query(
    'insert into process_lease (holder, mode) values ($1, $2) on conflict (holder) do update set since = clock_timestamp()', [holder, mode])
  return (rowCount ?? 0) > 0
}

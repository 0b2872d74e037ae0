// One short session at a vendor's Postgres: opened, asked and ended within a time limit, its failures told by their kind.
import pg from 'pg'
import type { Account } from './address.ts'
import type { Ending } from './exchange.ts'
import { failureOf, SessionFailure } from './session-failure.ts'

export interface Session {
  /** Statements without values may be several, and go out in one message. */
  query: <R extends object>(text: string, values?: readonly unknown[]) => Promise<R[]>
  /** Milliseconds until it is cut off. */
  left: () => number
}

/**
 * Resolves with what `work` made of it; whatever happens, within `limitMs` and a little.
 * @throws SessionFailure
 */
export const inSession = async <T>({ url }: Pick<Account, 'url'>, limitMs: number, work: (session: Session) => Promise<T>): Promise<T> => {
  const until = performance.now() + limitMs
  const left = () => until - performance.now()
  const client = clientOf(url, limitMs)
  // What ends a session from outside fails its statement, too; unheard, it would end the process.
  client.on('error', () => {})
  let sent = false
  let late = false
  let timer: NodeJS.Timeout | undefined
  try {
    await client.connect()
    // With a statement under way, to end is to cut the connection.
    timer = setTimeout(() => { late = true; void client.end().catch(() => {}) }, Math.max(1, left()))
    return await work({
      left,
      query: async <R extends object>(text: string, values?: readonly unknown[]): Promise<R[]> => {
        sent = true
        const result: unknown = await (values === undefined ? client.query(text) : client.query(text, [...values]))
        // Several statements have several results: nobody asks for those.
        return Array.isArray(result) ? [] : (result as { rows: R[] }).rows
      }
    })
  } catch (error) {
    throw error instanceof SessionFailure ? error : new SessionFailure(endingOf(error, { sent, late }), sent)
  } finally {
    clearTimeout(timer)
    await Promise.race([client.end().catch(() => {}), new Promise((resolve) => { setTimeout(resolve, Math.max(50, left())).unref() })])
  }
}

/** What cannot be read to its end throws with the text in its message, which holds a password. */
const clientOf = (url: URL, limitMs: number): pg.Client => {
  try {
    return new pg.Client({ connectionString: url.href, application_name: 'chancery', connectionTimeoutMillis: limitMs })
  } catch {
    throw new SessionFailure({ outcome: 'failed', failure: 'url_invalid' }, false)
  }
}

/** An error that the server sent with severity ERROR was rolled back; all else after a statement was sent may have taken effect. */
const endingOf = (error: unknown, { sent, late }: { sent: boolean, late: boolean }): Ending => {
  if (error instanceof pg.DatabaseError) {
    return { outcome: sent && error.severity !== 'ERROR' ? 'unknown' : 'failed', status: error.code ?? 'XX000', body: error.message }
  }
  return { outcome: sent ? 'unknown' : 'failed', failure: late ? 'timeout' : failureOf(error) }
}

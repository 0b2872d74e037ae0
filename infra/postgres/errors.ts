// Which failures of Postgres pass by themselves: the tables of SQLSTATEs and socket errors that are worth another try.
import { DatabaseError } from 'pg'

/** SQLSTATEs after which the same transaction may simply be run again (PostgreSQL manual, appendix A). */
const repeatable = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03' // lock_not_available
])

/** SQLSTATEs of a server that is away, starting, stopping or short of something. Classes: 08 connection, 53 resources, 58 I/O. */
const passingCodes = new Set([
  ...repeatable,
  '25P03', // idle_in_transaction_session_timeout
  '57014', // query_canceled, so a statement timeout
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25006', // read_only_sql_transaction: a standby during fail-over
  'XX000' // internal_error: seen for I/O errors under the WAL
])
const passingClasses = new Set(['08', '53', '58'])

const socketCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT', 'EHOSTUNREACH', 'ENETUNREACH'])
/** The pg client tells a lost connection only in words. */
const lostConnection = /connection (terminated|error|timeout)|connection was closed|client was closed|not queryable|after calling end|timeout (expired|exceeded)/i

const codeOf = (error: unknown): string => error instanceof Error && 'code' in error ? String(error.code) : ''

/** True if Postgres rolled the transaction back and wants it run again. */
export const isRepeatable = (error: unknown): boolean => error instanceof DatabaseError && repeatable.has(codeOf(error))

/** True if the server could not be reached or the connection was lost, so that the outcome may be unknown. */
const isConnectionError = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError) return error.errors.some(isConnectionError)
  if (error instanceof DatabaseError) return /^(08|57P)/.test(codeOf(error))
  return socketCodes.has(codeOf(error)) || lostConnection.test(error.message)
}

/** True if the same may succeed later without anybody changing anything here. */
export const isPassing = (error: unknown): boolean =>
  isConnectionError(error) ||
  (error instanceof DatabaseError && (passingCodes.has(codeOf(error)) || passingClasses.has(codeOf(error).slice(0, 2))))

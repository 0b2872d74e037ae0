// Tells an error of the connection to Postgres from an error of ours.

/** SQLSTATE classes and codes that mean "not now": connection exceptions, resources, shutting down or starting. */
const SQLSTATE = /^(08...|53...|57P0[1235])$/
const SOCKET = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT', 'EHOSTUNREACH'])
/** pg gives these no code. */
const MESSAGES = /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout|Cannot use a pool after calling end/

/** True if the read models could not be reached at all. */
export const readModelsAway = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError && error.errors.some(readModelsAway)) return true
  const { code, syscall } = error as NodeJS.ErrnoException
  if (typeof code === 'string' && SQLSTATE.test(code)) return true
  if (typeof code === 'string' && SOCKET.has(code) && (syscall === undefined || /^(connect|read|write|getaddrinfo)$/.test(syscall))) return true
  return MESSAGES.test(error.message)
}

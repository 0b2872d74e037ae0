// How a session at a vendor's database fails: what it ended with, and whether something may have taken effect.
import type { Ending } from './exchange.ts'

/** A session that could not be opened, or ended badly. `sent`: something was on its way, so that it may have taken effect. */
export class SessionFailure extends Error {
  readonly ending: Ending
  readonly sent: boolean

  constructor (ending: Ending, sent: boolean) {
    super(ending.status ?? ending.failure ?? 'failed')
    this.name = 'SessionFailure'
    this.ending = ending
    this.sent = sent
  }

  /** The server itself said no. */
  get isAnswer (): boolean { return this.ending.status !== undefined }
}

const byCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection_refused', ENOTFOUND: 'name_unknown', EAI_AGAIN: 'name_unknown', ENOENT: 'name_unknown',
  EHOSTUNREACH: 'unreachable', ENETUNREACH: 'unreachable', ETIMEDOUT: 'timeout'
}

/** The word of an exchange for a connection that failed. */
export const failureOf = (error: unknown): string => {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  const { code, message } = (first ?? {}) as { code?: unknown, message?: string }
  const known = byCode[String(code)]
  if (known !== undefined) return known
  if (/timeout|timed out/i.test(message ?? '')) return 'timeout'
  return /ssl|tls|cert/i.test(`${String(code)} ${message ?? ''}`) ? 'tls' : 'connection_lost'
}

// What vendors that are databases have in common: an account from a connection string, one session a request, an exchange of each.
import type { Exchange } from '../../src/domain/credential/fields.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { RefusalOutcome, RevokeOutcome } from '../../src/rotation-ports.ts'
import { accountIn, shown, type Account } from './address.ts'
import { beginExchange, type Ending } from './exchange.ts'
import { SessionFailure } from './session-failure.ts'

export interface SessionsOptions<Session> {
  /** The manifest's, shown where there is no account to show. */
  address: string
  protocols: readonly string[]
  /** Secret of the manifest's connection; asked for each call. */
  connection: () => Promise<Secret | undefined>
  /** Opens a session, closes it after `work`, whatever came of it; throws SessionFailure. */
  enter: <T>(account: Account, work: (session: Session) => Promise<T>) => Promise<T>
}

interface Request {
  probe: string
  method: string
  body?: string
  /** A string: why there is none. */
  account: Account | string
  secrets: Array<Secret | undefined>
}

export const openSessions = <Session>({ address, protocols, connection, enter }: SessionsOptions<Session>) => ({
  /** One session, and how it ended: what `work` says, or the failure. */
  ask: async <T = undefined>(
    { probe, method, body, account, secrets }: Request, work: (session: Session) => Promise<{ ending: Ending, value?: T }>
  ): Promise<{ exchange: Exchange, value?: T }> => {
    const known = typeof account === 'string' ? [] : [account.password, new Secret(account.url.href)]
    const target = shown(typeof account === 'string' ? new URL(address) : account.url)
    const end = beginExchange(probe, { method, target, ...body !== undefined && { body } }, [...secrets, ...known])
    if (typeof account === 'string') return { exchange: end({ outcome: 'failed', failure: account }) }
    try {
      const { ending, value } = await enter(account, work)
      return { exchange: end(ending), ...value !== undefined && { value } }
    } catch (error) {
      if (!(error instanceof SessionFailure)) throw error
      return { exchange: end(error.ending) }
    }
  },

  /** The account that mints, or why there is none. */
  admin: async (): Promise<Account | string> => {
    const secret = await connection().catch(() => 'connection_unavailable')
    if (typeof secret === 'string') return secret
    return secret === undefined ? 'connection_missing' : accountIn(secret, protocols) ?? 'connection_invalid'
  }
})

/** A whole answer under the server's own word for yes, and whether it is good enough. */
export const judgedBy = (yes: string) => (answer: object | undefined, good: boolean, failure?: string): Ending =>
  ({ outcome: good ? 'passed' : 'failed', status: yes, body: JSON.stringify(answer ?? null), ...!good && failure !== undefined && { failure } })

/** What a request to revoke came to. */
export const revokedBy = (exchange: Exchange): RevokeOutcome =>
  ({ status: exchange.outcome === 'passed' ? 'revoked' : exchange.outcome === 'unknown' ? 'unknown' : 'refused', exchange })

/** What trying a value came to: the server's own word for yes, a refusal, or neither. */
export const triedBy = (exchange: Exchange, yes: string, isRefusal: (status: string, body: string) => boolean): RefusalOutcome => {
  const { status, body = '' } = exchange.answer ?? {}
  if (status === yes) return { status: 'accepted', exchange }
  return status !== undefined && isRefusal(status, body)
    ? { status: 'refused', exchange: { ...exchange, outcome: 'passed' } }
    : { status: 'unknown', exchange: { ...exchange, outcome: 'unknown' } }
}

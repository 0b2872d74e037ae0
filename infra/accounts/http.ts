// The accounts side as another service: the console's gateway over HTTP, with a service token.
import { codes, Refusal, type Code, type ProblemFields } from '../../src/domain/codes.ts'
import type { ResetState } from '../../src/domain/user/user.ts'
import { LogOutcomeUnknown } from '../../src/log-errors.ts'
import type { AccountsGateway, GhostVerdict } from '../../src/account-ports.ts'

export interface AccountsHttpOptions {
  url: string
  /** Access token of a principal with the role `accounts-service`. */
  token: string
  /** For one request, in ms. */
  timeoutMs?: number
}

interface WireVerdict {
  state: GhostVerdict['state']
  becomes_ghost_at?: string
  rule: string
  threshold_ms: number
  evidence: Array<{ stream: string, revision: string, type: string, occurred_at: string }>
  evaluated_at_position: string
  account_position: string
}

/** Codes that say something of the accounts side's own door: to the console they are its own trouble. */
const NOT_FOR_THE_CALLER: ReadonlySet<Code> = new Set([
  'invalid_request', 'unauthenticated', 'forbidden', 'route_not_found', 'method_not_allowed', 'rate_limited', 'internal_error', 'overloaded'
])

/** Fields of a problem that speak of the inner call. */
const NOT_FOR_THE_BODY: ReadonlySet<string> = new Set(['type', 'title', 'status', 'trace_id', 'idempotency_key', 'retry_after'])

/** A gateway that throws the other side's Refusals, `LogOutcomeUnknown` where its append is in doubt, and `accounts_unavailable` when it cannot be asked. */
export const accountsOverHttp = ({ url, token, timeoutMs = 10_000 }: AccountsHttpOptions): AccountsGateway => {
  const post = async <T>(path: string, body: object, headers: Record<string, string>): Promise<T> => {
    let response: Response
    let text: string
    try {
      response = await fetch(new URL(path, url), {
        method: 'POST',
        redirect: 'error',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json', ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs)
      })
      text = await response.text()
    } catch (error) {
      throw unavailable('cannot be reached', { cause: error })
    }
    if (response.ok) return parse(text) as T
    throw refusalIn(parse(text), response.status)
  }

  return {
    ghostCheck: async (requests, proven) => {
      if (requests.length === 0) return []
      const accounts = requests.map(({ testerId, userId, linkOpenedAt }) => ({ tester_id: testerId, user_id: userId, link_opened_at: linkOpenedAt }))
      const { verdicts } = await post<{ verdicts: Array<WireVerdict | null> }>('/api/internal/users/ghost-checks', { accounts, ...(proven === true && { proven }) }, {})
      return verdicts.map((verdict) => verdict === null ? undefined : verdictOf(verdict))
    },
    ghostDelete: async (request) => {
      const { position, state, replayed } = await post<{ position: string, state: ResetState, replayed: boolean }>('/api/internal/users/ghost-delete', {
        tester_id: request.testerId,
        user_id: request.userId,
        link_opened_at: request.linkOpenedAt,
        reset_id: request.resetId,
        initiated_at: request.initiatedAt,
        actor: request.actor,
        ...(request.addressHash !== undefined && { address_hash: request.addressHash }),
        ...(request.evaluatedAtPosition !== undefined && { evaluated_at_position: String(request.evaluatedAtPosition) }),
        ...(request.reason !== undefined && { reason: request.reason }),
        ...(request.reasonCode !== undefined && { reason_code: request.reasonCode }),
        ...(request.ticket !== undefined && { ticket: request.ticket }),
        ...(request.correlationId !== undefined && { correlation_id: request.correlationId })
      }, { 'x-request-id': request.requestId })
      return { position: BigInt(position), state, replayed }
    }
  }
}

const verdictOf = (wire: WireVerdict): GhostVerdict => ({
  state: wire.state,
  ...(wire.becomes_ghost_at !== undefined && { becomesGhostAt: wire.becomes_ghost_at }),
  rule: wire.rule,
  thresholdMs: wire.threshold_ms,
  evidence: wire.evidence.map(({ occurred_at: occurredAt, ...fact }) => ({ ...fact, occurredAt })),
  evaluatedAtPosition: BigInt(wire.evaluated_at_position),
  accountPosition: BigInt(wire.account_position)
})

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw unavailable('answers with something that is not JSON')
  }
}

/** The problem body of the other side as our own Refusal; what is about its own door stays `accounts_unavailable`. */
const refusalIn = (problem: unknown, status: number): Refusal => {
  const { code, detail, ...rest } = (problem ?? {}) as { code?: unknown, detail?: unknown } & ProblemFields
  if (typeof code !== 'string' || !Object.hasOwn(codes, code) || NOT_FOR_THE_CALLER.has(code as Code)) {
    return unavailable(`answers ${status}${typeof code === 'string' ? ` ${code.slice(0, 64)}` : ''}`)
  }
  // Which key the caller has to send again, only our own door knows.
  if (code === 'outcome_unknown') throw new LogOutcomeUnknown('the accounts side did not learn whether its fact was recorded')
  if (code === 'audit_unavailable') return new Refusal(code, 'The accounts side did not reach its event store. What was recorded so far stands; send the request again later.')
  const fields = Object.fromEntries(Object.entries(rest).filter(([key]) => !NOT_FOR_THE_BODY.has(key)))
  return new Refusal(code as Code, typeof detail === 'string' ? detail : 'The accounts side refused.', fields)
}

const unavailable = (what: string, options?: ErrorOptions): Refusal => {
  const refusal = new Refusal('accounts_unavailable', `The accounts side ${what}. What was recorded so far stands; send the request again later.`)
  if (options?.cause !== undefined) refusal.cause = options.cause
  return refusal
}

// Accounts on the running service, for tests: a caller per role, and what a command appended, read from the log itself.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { openLog, type Log } from '../../infra/eventstore/index.ts'
import { uuidIds } from '../../infra/ids.ts'
import type { LogEvent } from '../../src/domain/catalogue.ts'
import type { Role } from '../../src/domain/principal/roles.ts'
import type { Answer, ServiceOptions, TestService } from './service.ts'
import { testService } from './service.ts'

/** The log of a service, only to read: nothing is sealed or opened. */
export const logOf = async (t: Pick<Test, 'teardown'>, service: Pick<TestService, 'env'>): Promise<Log> => {
  const none = () => Promise.reject(new Error('this log is only read'))
  const log = await openLog({ url: service.env['CHANCERY_EVENTSTORE_URL'] ?? '', vault: { seal: none, open: none } })
  t.teardown(() => log.close())
  return log
}

export type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

/**
 * Asks again, under the same key, whatever a service that is short of time answers 503: as a client would. The stores of a
 * test share its processor with all the others.
 */
const patient = (request: TestService['request']): TestService['request'] => async (method, path, body, headers = {}) => {
  const keyed = method === 'GET' ? headers : { 'idempotency-key': randomUUID(), ...headers }
  for (let tries = 1; ; tries++) {
    const answer = await request(method, path, body, keyed)
    if (answer.status !== 503 || tries === 20) return answer
    await delay(100)
  }
}

/** Asks as principals with one role each; they are made on first use. */
export const callersOf = (service: Pick<TestService, 'request'>) => {
  const request = patient(service.request)
  const tokens = new Map<Role, Promise<{ id: string, authorization: string }>>()
  const make = async (role: Role) => {
    const { body: { principal_id: id } } = await request('POST', '/api/v1/principals', { name: role, kind: 'service', roles: [role] })
    const { body } = await request('POST', `/api/v1/principals/${String(id)}/tokens`, {})
    return { id: String(id), authorization: `Bearer ${String(body['token'])}` }
  }
  const caller = (role: Role) => {
    const known = tokens.get(role) ?? make(role)
    tokens.set(role, known)
    return known
  }
  const as = (role: Role): Call => async (method, path, body, headers = {}) =>
    request(method, path, body, { authorization: (await caller(role)).authorization, ...headers })
  return { as, idOf: async (role: Role) => (await caller(role)).id, tokenOf: async (role: Role) => (await caller(role)).authorization }
}

export const WHY = { reason_code: 'test_case' }

export const accountsGround = async (t: Pick<Test, 'teardown'>, options: ServiceOptions = {}) => {
  const service = await testService(t, { ...options, env: { CHANCERY_ROLES: 'api', ...options.env } })
  const log = await logOf(t, service)
  return accountsOn(service, log)
}

/** The surfaces of accounts on a service that runs already. */
export const accountsOn = (service: TestService, log: Log) => {
  const { as, idOf, tokenOf } = callersOf(service)
  const auth = as('auth-service')
  const admin = as('admin')
  const ensure = (email: string, headers?: Record<string, string>) => auth('POST', '/api/v1/auth/ensure-by-email', { email }, headers)

  const factsOf = async (stream: string): Promise<LogEvent[]> => {
    const found: LogEvent[] = []
    for await (const event of log.readStream(stream)) found.push(event)
    return found
  }

  return {
    service,
    log,
    as,
    idOf,
    tokenOf,
    ensure,
    resolve: (email: string) => auth('POST', '/api/v1/auth/resolve-by-email', { email }),
    /** A new account, by its id. */
    account: async (email = `${uuidIds.next()}@example.com`): Promise<string> => {
      const { body } = await ensure(email)
      if (body['outcome'] !== 'created') throw new Error(`no account was made: ${JSON.stringify(body)}`)
      return String(body['user_id'])
    },
    sanction: (userId: string, body: object, headers?: Record<string, string>) => admin('POST', `/api/v1/admin/users/${userId}/sanctions`, { ...WHY, ...body }, headers),
    block: (userId: string) => admin('POST', `/api/v1/admin/users/${userId}/sanctions`, { ...WHY, code: 'permanent_block' }),
    lift: (userId: string, sanctionId: string) => admin('POST', `/api/v1/admin/users/${userId}/sanctions/${sanctionId}/remove`, WHY),
    remove: (userId: string, headers?: Record<string, string>) => as('admin-service')('POST', `/api/v1/internal/users/${userId}/delete`, WHY, headers),
    rename: (userId: string, userName: string, headers?: Record<string, string>) => as('gateway-service')('PATCH', `/api/v1/self/${userId}`, { profile: { user_name: userName } }, headers),
    self: (userId: string) => as('gateway-service')('GET', `/api/v1/self/${userId}`),
    eligibility: (userId: string, query = '') => as('lobby-service')('GET', `/api/v1/lobby/users/${userId}/eligibility${query}`),
    factsOf,
    typesOf: async (userId: string) => (await factsOf(`user-${userId}`)).map(({ type }) => type)
  }
}

export type Accounts = ReturnType<typeof accountsOn>

// Changes accounts over HTTP for the tests of what is read of them, and reads the log beside.
import { randomUUID } from 'node:crypto'
import type { Answer, TestService } from '../support/service.ts'

export const USERS = '/api/v1/admin/users'
export type Item = Record<string, unknown>

export const text = (answer: Answer, name: string): string => String(answer.body[name])
export const items = (answer: Answer): Item[] => answer.body['items'] as Item[]

/** Requests that must succeed, and the position that the last change reached. */
export const actor = (service: TestService) => {
  let position = '0'
  const ok = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    // A machine that is short of time may answer 503 now and then: sent again as it was, as every client has to.
    const headers = method === 'GET' ? { 'chancery-position': position } : { 'idempotency-key': randomUUID() }
    let answer = await service.request(method, path, body, headers)
    for (let again = 0; answer.status === 503 && again < 5; again++) answer = await service.request(method, path, body, headers)
    if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    if (method !== 'GET') position = answer.headers.get('chancery-position') ?? position
    return answer
  }
  return {
    ok,
    get: (path: string, headers = {}) => service.request('GET', path, undefined, { 'chancery-position': position, ...headers }),
    position: () => position,
    ensure: async (email: string) => text(await ok('POST', '/api/v1/auth/ensure-by-email', { email }), 'user_id'),
    named: (id: string, name: string) => ok('PATCH', `/api/v1/self/${id}`, { profile: { user_name: name } }),
    sanction: async (id: string, code: string, more: object = {}) => text(await ok('POST', `${USERS}/${id}/sanctions`, { code, reason_code: 'abuse', ...more }), 'sanction_id'),
    remove: (id: string, sanctionId: string) => ok('POST', `${USERS}/${id}/sanctions/${sanctionId}/remove`, { reason_code: 'appeal' }),
    delete: (id: string) => ok('POST', `/api/v1/internal/users/${id}/delete`, { reason_code: 'user_request' }),
    found: async (query: string) => items(await ok('GET', `${USERS}?${query}`)).map((item) => item['user_id'])
  }
}

export const withRole = async (service: TestService, role: string): Promise<{ authorization: string }> => {
  const made = await service.request('POST', '/api/v1/principals', { name: role, kind: 'service', roles: [role] })
  const issued = await service.request('POST', `/api/v1/principals/${text(made, 'principal_id')}/tokens`, {})
  return { authorization: `Bearer ${text(issued, 'token')}` }
}

interface Line { id: string, type: string, position: string, created: string, data: Item, metadata: Item }

export const replay = async (service: TestService, query = ''): Promise<Line[]> =>
  (await service.request('GET', `/api/v1/audit/replay${query}`)).text.trim().split('\n').map((line) => JSON.parse(line) as Line)
export const facts = (service: TestService, userId: string): Promise<Line[]> => replay(service, `?stream=user-${userId}`)

// The requests about accounts that the lifecycle's story is made of; each says what it did.
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '../client.ts'
import { Failure, ProblemFailure } from '../failures.ts'
import type { Narrator } from './narrator.ts'

export interface Publisher { status: string, lag_entries: number | null }

export interface Deletion {
  entries: Array<{
    event_type: string
    event_position: string
    consumers: Array<{ consumer: string, state: string, outcome?: string, items?: number }>
  }>
}

export type AccountsStage = ReturnType<typeof createAccountsStage>

/** Milliseconds until what follows from a fact must have followed. */
const PATIENCE = 30_000
const LOOK = 50

export const createAccountsStage = (client: Client, tell: Narrator) => {
  const post = async <Body>(path: string, body: object, outcome: (body: Body) => string): Promise<Body> => {
    const answer = await client.request<Body>('POST', path, { body })
    tell.did(`POST ${short(path)}`, outcome(answer.body))
    return answer.body
  }
  return {
    client,
    tell,
    /** Looks until it is so. Throws Failure after half a minute. */
    until: async (what: string, reached: () => Promise<boolean>): Promise<void> => {
      for (const end = Date.now() + PATIENCE; !await reached(); await pause(LOOK)) {
        if (Date.now() > end) throw new Failure('refused', `It was waited in vain for this: ${what}.`)
      }
    },
    /** A principal with a token for the lobby; `end` takes the token back. */
    admit: async (name: string): Promise<{ token: string, end: () => Promise<void> }> => {
      const { principal_id: id } = await post<{ principal_id: string }>('/api/v1/principals', { name, kind: 'service', roles: ['lobby-service'] }, () => 'role lobby-service')
      const { token, token_id: tokenId } = (await client.request<{ token: string, token_id: string }>('POST', `/api/v1/principals/${id}/tokens`, { body: {} })).body
      return { token, end: async () => { await client.request('DELETE', `/api/v1/principals/${id}/tokens/${tokenId}`, { whole: true }) } }
    },
    retire: async (consumer: string): Promise<void> => { await client.request('POST', `/api/v1/lobby/consumers/${consumer}/retire`, { body: { reason: 'The story is told.' }, whole: true }) },
    ensure: async (email: string): Promise<string> =>
      (await post<{ user_id: string, outcome: string }>('/api/v1/auth/ensure-by-email', { email }, ({ outcome, user_id: id }) => `${outcome}: ${short(id)}`)).user_id,
    resolve: (email: string) =>
      post<{ outcome: string, reason_code?: string }>('/api/v1/auth/resolve-by-email', { email }, ({ outcome, reason_code: code }) => `${outcome}${code === undefined ? '' : `, ${code}`}`),
    blockForGood: (userId: string) =>
      post<{ sanction_id: string }>(`/api/v1/admin/users/${userId}/sanctions`, { code: 'permanent_block', reason_code: 'cheating', public_note: 'Demo: caught with an engine.' }, () => '201, a fact'),
    remove: (userId: string) =>
      post<{ purge_after: string }>(`/api/v1/internal/users/${userId}/delete`, { reason_code: 'user_request' }, ({ purge_after: at }) => `200; the record is erased after ${at}`),
    refused: async (path: string, code: string): Promise<void> => {
      const problem = await client.request('GET', path).then(() => undefined, (error: unknown) => {
        if (error instanceof ProblemFailure) return error.problem
        throw error
      })
      if (problem?.code !== code) throw new Failure('refused', `GET ${path} should have been refused with ${code}, and was not.`)
      tell.did(`GET ${short(path)}`, `${problem.status} ${code}`)
    },
    publisher: async (): Promise<Publisher | undefined> =>
      (await client.request<{ publisher?: Publisher }>('GET', '/health/ready', { accept: [503], token: 'if_any' })).body.publisher,
    lifecycle: async (): Promise<{ stream: string }> => (await client.request<{ stream: string }>('GET', '/api/v1/operations/lifecycle')).body,
    deletion: async (userId: string): Promise<Deletion> => (await client.request<Deletion>('GET', `/api/v1/admin/users/${userId}/deletion`)).body
  }
}

/** Ids cut to what tells them apart on one screen. */
export const short = (text: string): string => text.replaceAll(/([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '$1…')

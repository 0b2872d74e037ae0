// A closed loop of role changes: grant, revoke, grant … over many principals, the same for every contestant.
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import type { Slice } from './method.ts'

export interface Target { url: string, token: string, principals: readonly string[] }

export interface Load {
  /** Role changes answered with 200 since the start. */
  changed: () => number
  run: (milliseconds: number) => Promise<Slice>
}

/**
 * Every request changes something: the n-th visit of a principal grants, the next one revokes. A slice waits for what is
 * under way, so that no visit is half counted; any other answer than 200 ends the run.
 */
export const roleChanges = ({ url, token, principals }: Target, connections: number): Load => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const authorization = `Bearer ${token}`
  let visits = 0
  let changed = 0

  const visit = async (): Promise<void> => {
    const principal = principals[visits % principals.length] ?? ''
    const grants = Math.floor(visits++ / principals.length) % 2 === 0
    const { status, body } = await call(`${url}/api/v1/principals/${principal}/roles/auditor`, {
      agent,
      method: grants ? 'PUT' : 'DELETE',
      headers: { authorization, 'idempotency-key': randomUUID(), ...grants && { 'content-type': 'application/json', 'content-length': 2 } }
    }, grants ? '{}' : undefined)
    if (status !== 200) throw new Error(`${url} answered ${status}: ${body}`)
    changed++
  }

  return {
    changed: () => changed,
    run: async (milliseconds) => {
      const latencies: number[] = []
      const started = performance.now()
      await Promise.all(Array.from({ length: connections }, async () => {
        while (performance.now() - started < milliseconds) {
          const before = performance.now()
          await visit()
          latencies.push(performance.now() - before)
        }
      }))
      return { operations: latencies.length, seconds: (performance.now() - started) / 1000, latencies }
    }
  }
}

/** One HTTP request; resolves with status and body. */
export const call = (url: string, options: object, body?: string): Promise<{ status: number, body: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => { text += chunk })
      response.on('end', () => { resolve({ status: response.statusCode ?? 0, body: text }) })
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })

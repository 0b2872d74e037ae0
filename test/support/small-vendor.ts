// The example vendor as a process of its own, and its hand behind the curtain.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { Secret } from '../../src/domain/credential/secret.ts'
import { nodeArguments } from './compiled.ts'

export interface VendorFaultOrder {
  call: 'authenticate' | 'metadata' | 'may_mint' | 'mint' | 'list' | 'revoke'
  kind: 'error' | 'no' | 'timeout' | 'applied_unanswered' | 'applied_timeout' | 'garbled' | 'slow'
  ms?: number
  times?: number
}

export interface SmallVendor {
  url: string
  connection: { id: string, token: string }
  /** Makes a token by hand. */
  issue (of?: { description?: string, scope?: 'global' | 'read' }): Promise<{ tokenId: string, secret: Secret }>
  kill (tokenId: string): Promise<void>
  fault (order: VendorFaultOrder): Promise<void>
  heal (): Promise<void>
  look (): Promise<{ writes: number, tokens: Array<{ id: string, description: string, last_used_at: string | null }> }>
}

/** Starts one, which ends with the test. */
export const smallVendor = async (t: Pick<Test, 'teardown'>): Promise<SmallVendor> => {
  const child = spawn(process.execPath, nodeArguments('examples/vendor/main.ts'), { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] ?? '' } })
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended.then(() => { throw new Error('the vendor ended before it listened') })]) as [string]
  const { url, connection } = JSON.parse(line) as { url: string, connection: SmallVendor['connection'] }
  const control = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${url}/control${path}`, { method, ...(body && { body: JSON.stringify(body) }) })
    if (!response.ok) throw new Error(`the vendor's control answered ${response.status}: ${await response.text()}`)
    return response.status === 204 ? undefined : await response.json()
  }
  return {
    url,
    connection,
    issue: async (of = {}) => {
      const { id, token } = await control('POST', '/tokens', of) as { id: string, token: string }
      return { tokenId: id, secret: new Secret(token) }
    },
    kill: async (tokenId) => { await control('DELETE', `/tokens/${tokenId}`) },
    fault: async (order) => { await control('POST', '/faults', order) },
    heal: async () => { await control('DELETE', '/faults') },
    look: async () => await control('GET', '') as Awaited<ReturnType<SmallVendor['look']>>
  }
}

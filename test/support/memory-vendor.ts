// A vendor in memory for model and contract tests: tokens, a virtual clock, and faults by script; the real adapters are held equal to it.
import { holdsUp, type Exchange } from '../../src/domain/credential/fields.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { Instant } from '../../src/domain/event.ts'
import type { ListedToken, VendorGateway } from '../../src/rotation-ports.ts'

export interface MemoryClock { now (): Date, sleep (ms: number): Promise<void> }

export type VendorCall = 'authenticate' | 'metadata' | 'may_mint' | 'refuses_random' | 'mint' | 'list' | 'revoke' | 'refused'

/** What happens to one call instead of an answer in time. */
export type VendorFault =
  /** The vendor says that it is broken; nothing was done. */
  | { kind: 'error' }
  /** The vendor says no; nothing was done. */
  | { kind: 'no' }
  /** The connection is refused: nothing was sent. */
  | { kind: 'away' }
  /** No answer within the time limit; nothing was done. */
  | { kind: 'timeout' }
  /** Done, and the answer is lost: at once, or by the time limit. */
  | { kind: 'applied_unanswered', timeout?: boolean }
  /** No answer within the time limit; done only so many ms after it was asked for. */
  | { kind: 'late', afterMs: number }
  /** Answers rightly after so many ms; from the time limit on that is no answer, and done all the same. */
  | { kind: 'slow', ms: number }

interface Token { tokenId: string, secret: string, label: string | undefined, lastUsedAt: Instant | undefined, from: number, until: number }

export interface MemoryVendorOptions {
  clock: MemoryClock
  /** The longest that one call may take, in ms. */
  timeLimitMs?: number
  /** False: as a vendor of the kind `manual`. */
  lists?: boolean
  /** False: its list shows no labels. */
  labels?: boolean
  /** Stands in token ids and values. */
  name?: string
}

export interface MemoryVendor extends VendorGateway {
  /** Makes a token by the operator's hand: the one that is in use at first, or a pasted one. */
  issue (label?: string): { tokenId: string, secret: Secret }
  /** Kills a token without anybody being told. */
  kill (tokenId: string): void
  accepts (secret: Secret): boolean
  /** A consumer uses the value: true if it was accepted. */
  use (secret: Secret): boolean
  /** All that work now. */
  live (): ListedToken[]
  /** The connection: false from now on, it may neither mint nor list nor revoke. */
  connected: boolean
  /** What happens to the next calls of this kind, one each. */
  fault (call: VendorCall, ...faults: VendorFault[]): void
  /** All faults that were not met yet are off. */
  heal (): void
  /** Tokens made and taken away through the gateway. */
  writes (): number
  /** Ids of all tokens that the gateway made. */
  minted (): string[]
}

/** Opens a vendor. Everything is settled by the clock: what was asked for late is done when its time has come, and not before. */
export const memoryVendor = ({ clock, timeLimitMs = 5_000, lists = true, labels = true, name = 'memory' }: MemoryVendorOptions): MemoryVendor => {
  const tokens = new Map<string, Token>()
  const faults = new Map<VendorCall, VendorFault[]>()
  const minted: string[] = []
  let connected = true
  let counter = 0
  let writes = 0
  const now = () => clock.now().getTime()
  const works = (token: Token): boolean => token.from <= now() && now() < token.until
  const bySecret = (secret: Secret): Token | undefined => [...tokens.values()].find((token) => token.secret === secret.reveal())
  const accepts = (secret: Secret): boolean => {
    const token = bySecret(secret)
    return token !== undefined && works(token)
  }
  const use = (secret: Secret): boolean => {
    const token = bySecret(secret)
    if (token === undefined || !works(token)) return false
    token.lastUsedAt = clock.now().toISOString()
    return true
  }
  const make = (label: string | undefined, from: number): Token => {
    const tokenId = `${name}-token-${++counter}`
    const token: Token = { tokenId, secret: `${name}-value-${counter}-${'x'.repeat(24)}`, label, lastUsedAt: undefined, from, until: Infinity }
    tokens.set(tokenId, token)
    return token
  }
  const listed = ({ tokenId, label, lastUsedAt }: Token): ListedToken =>
    ({ tokenId, ...(labels && label !== undefined && { label }), ...(lastUsedAt !== undefined && { lastUsedAt }) })

  /** One call: `act` does it (at the given time) and says what the vendor answers. */
  const call = async <T>(kind: VendorCall, act: (at: number) => { ok: boolean, status: string, value?: T }): Promise<{ exchange: Exchange, value?: T }> => {
    const begun = clock.now()
    const answer = (status: string, outcome: Exchange['outcome'], value?: T) => ({
      exchange: exchangeOf(kind, outcome, begun, clock.now(), { status }), ...(value !== undefined && { value })
    })
    const silent = (failure: string, outcome: Exchange['outcome'] = 'unknown') => ({ exchange: exchangeOf(kind, outcome, begun, clock.now(), undefined, failure) })
    const honest = () => {
      const { ok, status, value } = act(now())
      return answer(status, ok ? 'passed' : 'failed', value)
    }
    const fault = faults.get(kind)?.shift()
    switch (fault?.kind) {
      case undefined: return honest()
      case 'error': return answer('503', isRead(kind) ? 'failed' : 'unknown')
      case 'no': return answer('422', 'failed')
      case 'away': return silent('connection_refused', 'failed')
      case 'timeout':
        await clock.sleep(timeLimitMs)
        return silent('timeout')
      case 'applied_unanswered':
        act(now())
        if (fault.timeout === true) await clock.sleep(timeLimitMs)
        return silent(fault.timeout === true ? 'timeout' : 'connection_lost')
      case 'late':
        act(now() + fault.afterMs)
        await clock.sleep(timeLimitMs)
        return silent('timeout')
      case 'slow':
        await clock.sleep(Math.min(fault.ms, timeLimitMs))
        if (fault.ms < timeLimitMs) return honest()
        act(begun.getTime() + fault.ms)
        return silent('timeout')
    }
  }

  const probe = (kind: VendorCall, good: () => boolean) => async (): Promise<Exchange> =>
    (await call(kind, () => good() ? { ok: true, status: '200' } : { ok: false, status: '401' })).exchange

  return {
    lists,
    timeLimitMs,
    verify: async (value, { replace }) => {
      const probes = [probe('authenticate', () => accepts(value)), probe('metadata', () => accepts(value)), lists ? probe('may_mint', () => connected) : async () => exchangeOf('may_mint', 'by_hand', clock.now(), clock.now(), undefined, 'by_hand'), probe('refuses_random', () => true)]
      const exchanges: Exchange[] = []
      for (const next of replace ? probes.slice(2) : probes) {
        const exchange = await next()
        exchanges.push(exchange)
        if (!holdsUp(exchange)) break
      }
      return exchanges
    },
    mint: async ({ label }) => {
      if (!lists) return { status: 'refused', exchange: exchangeOf('mint', 'failed', clock.now(), clock.now(), undefined, 'by_hand') }
      const { exchange, value } = await call<Token>('mint', (at) => {
        if (!connected) return { ok: false, status: '401' }
        const token = make(label, at)
        minted.push(token.tokenId)
        writes++
        return { ok: true, status: '201', value: token }
      })
      if (value !== undefined) return { status: 'minted', secret: new Secret(value.secret), tokenId: value.tokenId, exchange }
      return { status: exchange.outcome === 'failed' ? 'refused' : 'unknown', exchange }
    },
    list: async () => {
      if (!lists) return { status: 'failed', exchange: exchangeOf('list', 'failed', clock.now(), clock.now(), undefined, 'by_hand') }
      const { exchange, value } = await call<ListedToken[]>('list', () => connected
        ? { ok: true, status: '200', value: [...tokens.values()].filter(works).map(listed) }
        : { ok: false, status: '401' })
      return value === undefined ? { status: 'failed', exchange } : { status: 'listed', tokens: value, exchange }
    },
    revoke: async ({ tokenId, value }) => {
      // By hand: the operator says so, and the probes that follow prove it.
      if (!lists) return { status: 'revoked', exchange: exchangeOf('revoke', 'by_hand', clock.now(), clock.now(), undefined, 'by_hand') }
      const { exchange } = await call('revoke', (at) => {
        if (!connected) return { ok: false, status: '401' }
        const token = tokenId === undefined ? value && bySecret(value) : tokens.get(tokenId)
        if (token === undefined || !works(token)) return { ok: true, status: '404' }
        token.until = Math.min(token.until, at)
        writes++
        return { ok: true, status: '200' }
      })
      return { status: exchange.outcome === 'passed' ? 'revoked' : exchange.outcome === 'failed' ? 'refused' : 'unknown', exchange }
    },
    probeRefused: async (value) => {
      const { exchange, value: refused } = await call<boolean>('refused', () => accepts(value) ? { ok: false, status: '200', value: false } : { ok: true, status: '401', value: true })
      if (refused === undefined) return { status: 'unknown', exchange: { ...exchange, outcome: 'unknown' } }
      return { status: refused ? 'refused' : 'accepted', exchange }
    },
    issue: (label) => {
      const { tokenId, secret } = make(label, now())
      return { tokenId, secret: new Secret(secret) }
    },
    kill: (tokenId) => {
      const token = tokens.get(tokenId)
      if (token !== undefined) token.until = Math.min(token.until, now())
    },
    accepts,
    use,
    live: () => [...tokens.values()].filter(works).map(listed),
    get connected () { return connected },
    set connected (on) { connected = on },
    fault: (kind, ...more) => { faults.set(kind, [...faults.get(kind) ?? [], ...more]) },
    heal: () => { faults.clear() },
    writes: () => writes,
    minted: () => [...minted]
  }
}

const isRead = (kind: VendorCall): boolean => kind !== 'mint' && kind !== 'revoke'

const exchangeOf = (
  probe: VendorCall, outcome: Exchange['outcome'], begun: Date, ended: Date, answer: Exchange['answer'], failure?: string
): Exchange => ({
  probe, outcome, request: { method: isRead(probe) ? 'GET' : 'POST', target: `memory:${probe}` }, ...(answer && { answer }), ...(failure !== undefined && { failure }),
  at: begun.toISOString(), tookMs: ended.getTime() - begun.getTime()
})

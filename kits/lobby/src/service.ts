// Chancery's HTTP side, as far as a consumer needs it: snapshot, digest, receipts, registration.
import { randomUUID } from 'node:crypto'
import type { LifecycleEntry } from './entry.ts'

/** A refusal of the service, with its code of the closed list. */
export class ServiceRefusal extends Error {
  readonly status: number
  readonly code: string
  constructor (status: number, code: string, detail: string) {
    super(`${code} (${status}): ${detail}`)
    this.name = 'ServiceRefusal'
    this.status = status
    this.code = code
  }
}

/** A user's last lifecycle entry, as of the snapshot's position. */
export interface SnapshotUser {
  userId: string
  position: bigint
  eventId: string
  type: LifecycleEntry['type']
  occurredAt: Date
  reasonCode: string
  /** The block was removed since: nothing was published of that, and what it caused stays. */
  lifted: boolean
}

export interface Snapshot {
  /** Everything up to here is in it. */
  position: bigint
  /** Fetched page by page, all as of the same position. */
  users (): AsyncIterable<SnapshotUser>
}

/** What a consumer did about an entry. */
export interface Receipt {
  consumer: string
  eventId: string
  position: bigint
  userId: string
  /** One word: `released`, `nothing_to_do`, … */
  outcome: string
  items: number
  /** 64 hex digits over what was done; the same for every repetition. */
  digest: string
}

export interface LifecycleService {
  /** As it was at a position of the log. */
  snapshot (asOf: bigint): Promise<Snapshot>
  /** Count and rolling hash of the entries in (from, to]. */
  digest (from: bigint, to: bigint): Promise<{ count: number, hash: string }>
  /** Safe to repeat: the same receipt is one fact. */
  postReceipt (receipt: Receipt): Promise<{ replayed: boolean }>
  /** Makes the consumer known, or changes its registration; safe to repeat. */
  register (name: string, registration: { group: string, overdueMs: number }): Promise<void>
  /** The key that checks MACs; each call is a fact in the log. */
  macKey (name: string): Promise<{ keyId: string, key: string }>
}

export interface ServiceOptions {
  /** `https://chancery.internal` */
  url: string
  /** Access token of a principal with the role `lobby-service`. */
  token: string
  /** For one request, in ms; default 10,000. */
  timeoutMs?: number
}

/** @throws ServiceRefusal, or what `fetch` throws if the service cannot be reached */
export const createLifecycleService = ({ url, token, timeoutMs = 10_000 }: ServiceOptions): LifecycleService => {
  const base = `${url.replace(/\/+$/, '')}/api/v1/lobby`
  const call = async <Body>(method: string, path: string, body?: object, key?: string): Promise<Body> => {
    const response = await fetch(base + path, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        authorization: `Bearer ${token}`,
        ...body !== undefined && { 'content-type': 'application/json' },
        ...method !== 'GET' && { 'idempotency-key': key ?? randomUUID() }
      },
      ...body !== undefined && { body: JSON.stringify(body) }
    })
    const text = await response.text()
    if (response.ok) return JSON.parse(text) as Body
    const problem = parsed(text)
    throw new ServiceRefusal(response.status, problem.code ?? 'unknown', problem.detail ?? response.statusText)
  }

  interface Page { as_of: string, items: Item[], next_cursor: string | null }
  const page = (query: Record<string, string>): Promise<Page> => call('GET', `/lifecycle/snapshot?${new URLSearchParams({ limit: '1000', ...query }).toString()}`)

  return {
    snapshot: async (asOf) => {
      const first = await page({ as_of: String(asOf), min_position: String(asOf) })
      return {
        position: BigInt(first.as_of),
        users: async function * () {
          for (let current = first; ; current = await page({ cursor: current.next_cursor })) {
            yield * current.items.map(userOf)
            if (current.next_cursor === null) return
          }
        }
      }
    },
    digest: async (from, to) => call('GET', `/lifecycle/digest?from=${from}&to=${to}&min_position=${to}`),
    postReceipt: async ({ consumer, eventId, position, userId, outcome, items, digest }) => call('POST', '/receipts',
      { consumer, event_id: eventId, position: String(position), user_id: userId, outcome, items, digest }, `receipt-${consumer}-${position}`),
    register: async (name, { group, overdueMs }) => { await call('PUT', `/consumers/${name}`, { group, overdue_ms: overdueMs }) },
    macKey: async (name) => {
      const { key_id: keyId, key } = await call<{ key_id: string, key: string }>('POST', `/consumers/${name}/mac-key`, {})
      return { keyId, key }
    }
  }
}

type Item = Record<'user_id' | 'event_type' | 'position' | 'event_id' | 'occurred_at_ms' | 'reason_code', string> & { lifted: boolean }

const userOf = (item: Item): SnapshotUser => ({
  userId: item.user_id, position: BigInt(item.position), eventId: item.event_id, type: item.event_type,
  occurredAt: new Date(Number(item.occurred_at_ms)), reasonCode: item.reason_code, lifted: item.lifted
})

/** How soon the service may be asked again for a key that it did not name. */
const ASK_AGAIN_MS = 60_000

/** MAC keys by way of the service: asked for when an entry names one that is not known yet, which is a fact each time. */
export const macKeysFrom = (service: Pick<LifecycleService, 'macKey'>, name: string): (keyId: string) => Promise<string | undefined> => {
  const known = new Map<string, string>()
  let asked = -Infinity
  return async (wanted) => {
    if (!known.has(wanted) && performance.now() - asked > ASK_AGAIN_MS) {
      const { keyId, key } = await service.macKey(name)
      asked = performance.now()
      known.set(keyId, key)
    }
    return known.get(wanted)
  }
}

const parsed = (text: string): { code?: string, detail?: string } => {
  try {
    return JSON.parse(text) as object
  } catch {
    return {}
  }
}

// A consumer of the lifecycle stream: takes the lease of its name, works while it holds it, stands by while it does not.
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { lead, type Leading } from './lead.ts'
import { openStream } from './stream.ts'
import type { Lease } from './store.ts'
import type { LifecycleConsumer, LifecycleConsumerEvents, LifecycleConsumerOptions, Settings, Tell } from './types.ts'

/** For handlers that have begun when it is stopped. */
const STOP_MS = 10_000

/**
 * Makes a consumer; `start` begins. Any number of members may run under one name, in any processes: one works.
 * @example createLifecycleConsumer({ name: 'lobby', group: 'lobby', redis, macKeys, store: postgresStore<pg.PoolClient>({ pool }), handle })
 */
export const createLifecycleConsumer = <Tx>(options: LifecycleConsumerOptions<Tx>): LifecycleConsumer => {
  const settings: Settings<Tx> = {
    stream: 'user:lifecycle_events', from: 0n, parallel: 8, attempts: 5, backoffMs: 100, leaseMs: 10_000, digestEveryMs: 60_000, ...options
  }
  const { name, store, leaseMs } = settings
  const holder = randomUUID()
  const events = new EventEmitter<LifecycleConsumerEvents>()
  let stopping: AbortController | undefined
  let running: Promise<void> | undefined
  let leading: Leading | undefined

  /** A listener that throws must not stop the work: it surfaces as the process's own uncaught error. */
  const tell: Tell = (event, ...said) => {
    try {
      (events as EventEmitter).emit(event, ...said)
    } catch (error) {
      queueMicrotask(() => { throw error })
    }
  }

  const hold = async (lease: Lease, signal: AbortSignal): Promise<void> => {
    const stream = openStream({ redis: settings.redis, key: settings.stream, name, group: settings.group, onError: (error) => { tell('trouble', error) } })
    try {
      leading = await lead({ settings, lease, stream, tell, signal })
      tell('active', { fence: lease.fence })
      await leading.ended
    } finally {
      leading = undefined
      stream.close()
      await store.release(lease).catch(() => {})
    }
  }

  const run = async (signal: AbortSignal): Promise<void> => {
    let prepared = false
    let told = false
    while (!signal.aborted) {
      try {
        if (!prepared) await store.prepare()
        prepared = true
        const lease = await store.acquire(name, holder, leaseMs, settings.from)
        if (lease !== undefined) {
          told = false
          await hold(lease, signal)
        }
      } catch (error) {
        tell('trouble', error)
      }
      if (signal.aborted) return
      if (!told) tell('standby')
      told = true
      await delay(leaseMs / 4, undefined, { signal }).catch(() => {})
    }
  }

  return Object.assign(events, {
    start: () => {
      if (running !== undefined) return
      stopping = new AbortController()
      running = run(stopping.signal).finally(() => { running = undefined })
    },
    stop: async () => {
      stopping?.abort()
      const limit = new AbortController()
      await Promise.race([running, delay(STOP_MS, undefined, { signal: limit.signal }).catch(() => {})])
      limit.abort()
    },
    state: () => leading === undefined
      ? { doing: running === undefined ? 'stopped' as const : 'standing_by' as const, underWay: 0 }
      : { doing: 'working' as const, ...leading.state() },
    resync: async () => {
      if (leading === undefined) throw new Error(`this member does not work under the name ${name}`)
      await leading.resync()
    },
    parked: () => store.parked(name),
    retry: async (userId?: string) => {
      const asked = await store.askRetry(name, userId)
      leading?.look()
      return asked
    }
  })
}

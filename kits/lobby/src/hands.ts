// Settles entries: in lanes by user, with retries and parking, and moves the consumer's position over the gapless prefix.
import { setTimeout as delay } from 'node:timers/promises'
import { emptyDigest, extendDigest, type RollingDigest } from './digest.ts'
import type { LifecycleEntry } from './entry.ts'
import { createLanes } from './lanes.ts'
import { createPrefix } from './prefix.ts'
import { ServiceRefusal } from './service.ts'
import { HandlerFailed, LeaseLost, type Lease } from './store.ts'
import type { LifecycleStream } from './stream.ts'
import type { Alarm, Settings, Tell } from './types.ts'

/** Entries read ahead of the oldest that is not settled: they are kept here and in the store. */
const AHEAD = 1_024

interface Place { position: bigint, eventId?: string, digest: RollingDigest }

export const createHands = <Tx>({ settings, lease, stream, tell, signal, onLost }: {
  settings: Settings<Tx>, lease: Lease, stream: LifecycleStream, tell: Tell, signal: AbortSignal, onLost: () => void
}) => {
  const { name, store, handle, parallel, attempts, backoffMs, leaseMs, service, digestEveryMs } = settings
  const lanes = createLanes(parallel)
  let prefix = createPrefix()
  let place: Place = { position: 0n, digest: emptyDigest(0n) }
  let saved = 0n
  let beyond = new Set<bigint>()
  let parkedUsers = new Set<string>()
  /** While a range is being compared, what comes after it is counted apart. */
  let since: RollingDigest | undefined
  let compared = performance.now()
  let mismatch: Alarm | undefined
  /** Counts the times that everything here was set anew. */
  let loads = 0

  const pause = (failures: number): Promise<void> =>
    delay(Math.min(backoffMs * 2 ** (failures - 1), backoffMs * 50), undefined, { signal }).catch(() => {})

  /** True if the failure counts against the entry: the database answers. Otherwise it is waited for. */
  const counts = async (error: unknown): Promise<boolean> => {
    if (error instanceof HandlerFailed) return true
    if (error instanceof LeaseLost) {
      onLost()
      return false
    }
    tell('trouble', error)
    return store.renew(lease, leaseMs).catch(() => false)
  }

  const park = async (entry: LifecycleEntry, why: { attempts: number, error: string }): Promise<void> => {
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await store.park(lease, entry, why)
        parkedUsers.add(entry.userId)
        tell('parked', entry, why)
        return pass(entry)
      } catch (error) {
        await counts(error)
        await pause(failures)
      }
    }
  }

  const settle = async (entry: LifecycleEntry): Promise<void> => {
    if (beyond.delete(entry.position)) return pass(entry)
    if (parkedUsers.has(entry.userId)) return park(entry, { attempts: 0, error: 'an earlier entry of this user is parked' })
    let failed = 0
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        const outcome = await store.settle(lease, entry, (tx) => handle(entry, tx))
        tell('settled', entry, outcome)
        return pass(entry)
      } catch (error) {
        if (await counts(error)) {
          failed++
          tell('failed', entry, error instanceof HandlerFailed ? error.cause : error, failed)
          if (failed >= attempts) return park(entry, { attempts: failed, error: error instanceof Error ? error.message : String(error) })
        }
        await pause(tries)
      }
    }
  }

  const pass = (entry: LifecycleEntry): void => {
    for (const { position, eventId, canonical } of prefix.settle(entry.position)) {
      place = { position, eventId, digest: extendDigest(place.digest, canonical) }
      if (since !== undefined) since = extendDigest(since, canonical)
    }
    moved()
    if (place.position > saved) void save()
  }

  let moved = (): void => {}
  signal.addEventListener('abort', () => { moved() }, { once: true })
  let saving: Promise<void> | undefined
  /** One write at a time: what settles meanwhile goes into the next. What is settled stands in the store already, so a failure loses nothing. */
  const save = (): Promise<void> => {
    saving ??= write().catch((error: unknown) => {
      if (error instanceof LeaseLost) onLost()
      else tell('trouble', error)
    }).finally(() => { saving = undefined })
    return saving
  }
  const write = async (): Promise<void> => {
    while (place.position > saved && place.eventId !== undefined) {
      const { position, eventId, digest } = place
      await store.advance(lease, { position, eventId, digest })
      saved = position
      await mark()
    }
  }
  const mark = async (back = false): Promise<void> => {
    await stream.bookmark(saved, back).catch((error: unknown) => { if (!signal.aborted) tell('trouble', error) })
  }

  /** Parked entries that somebody wants tried again, a user's in their order, in the user's lane. */
  const tryParked = async (): Promise<void> => {
    if (parkedUsers.size === 0) return
    const users = new Set((await store.parked(name)).filter(({ retry }) => retry).map(({ entry }) => entry.userId))
    for (const user of users) lanes.add(user, () => unparkAll(user).catch((error: unknown) => { if (error instanceof LeaseLost) onLost(); else tell('trouble', error) }))
  }
  const unparkAll = async (user: string): Promise<void> => {
    for (const { entry } of (await store.parked(name)).filter(({ entry: { userId }, retry }) => userId === user && retry)) {
      if (signal.aborted) return
      try {
        await store.unpark(lease, entry.position, (tx) => handle(entry, tx))
        tell('unparked', entry)
      } catch (error) {
        if (!await counts(error)) throw error
        tell('failed', entry, error instanceof HandlerFailed ? error.cause : error, 1)
        return store.parkAgain(lease, entry.position, error instanceof Error ? error.message : String(error))
      }
    }
    if (!(await store.parked(name)).some(({ entry: { userId } }) => userId === user)) parkedUsers.delete(user)
  }

  /** Compares what was settled with the log; if it is the same, the next range begins where this one ends. */
  const compare = async (): Promise<void> => {
    if (service === undefined || digestEveryMs === 0 || performance.now() - compared < digestEveryMs || place.digest.count === 0) return
    compared = performance.now()
    const { position: to, digest: { from, count, hash } } = place
    const own = loads
    since = emptyDigest(to)
    try {
      const said = await service.digest(from, to)
      if (own !== loads) return
      if (said.count !== count || said.hash !== hash) {
        if (mismatch !== undefined) return
        mismatch = { reason: 'digest_mismatch', detail: `between ${from} and ${to} the log holds ${said.count} entries, here are ${count}${said.count === count ? ' others' : ''}; resync() puts it right` }
        return tell('alarm', mismatch)
      }
      tell('proven', { from, to, count })
      place = { ...place, digest: since }
    } catch (error) {
      // A range that begins before what is kept, or is too long, can be compared no more: the next one begins here.
      if (own !== loads) return
      if (error instanceof ServiceRefusal && ['position_trimmed', 'invalid_request'].includes(error.code)) place = { ...place, digest: since }
      else tell('trouble', error)
    } finally {
      if (own === loads) since = undefined
    }
  }

  return {
    load: async (): Promise<void> => {
      const standing = await store.load(name)
      if (standing === undefined) throw new Error(`the store does not know the consumer ${name}`)
      const { position, eventId, digest } = standing
      place = { position, digest, ...eventId !== undefined && { eventId } }
      saved = position
      loads++
      since = undefined
      if (mismatch !== undefined) tell('recovered', mismatch)
      mismatch = undefined
      beyond = new Set(standing.beyond)
      parkedUsers = new Set(standing.parkedUsers)
      prefix = createPrefix()
      // Whoever holds the lease knows what the database has: less than Redis believes, if it was restored.
      await mark(true)
    },
    position: (): bigint => place.position,
    /** Up to here what was settled is what the log says. */
    proven: (): bigint => place.digest.from,
    anchored: (): boolean => place.eventId !== undefined,
    underWay: (): number => prefix.size,
    /** Resolves when there is room for another entry, or the work is over. */
    room: async (): Promise<void> => {
      while (prefix.size >= AHEAD && !signal.aborted) await new Promise<void>((resolve) => { moved = resolve })
    },
    idle: lanes.idle,
    take: (entry: LifecycleEntry): void => {
      prefix.take(entry)
      lanes.add(entry.userId, () => settle(entry))
    },
    save: async (): Promise<void> => {
      await saving
      await save()
    },
    mark: () => mark(),
    /** What is due from time to time. */
    tend: async (): Promise<void> => {
      if (place.position > saved) void save()
      await tryParked()
      await compare()
    }
  }
}

// What the active member does: reads the stream in order, has entries handled side by side, and never passes one that it cannot trust.
import { setTimeout as delay } from 'node:timers/promises'
import { readEntry, type LifecycleEntry } from './entry.ts'
import { createHands } from './hands.ts'
import { LeaseLost, type Lease } from './store.ts'
import type { LifecycleStream, RawEntry } from './stream.ts'
import type { Alarm, LifecycleConsumerState, Settings, Tell } from './types.ts'

export interface Leading {
  /** Resolves when the lease is lost or the consumer was stopped, and the handlers that had begun have ended. */
  ended: Promise<void>
  state (): Omit<LifecycleConsumerState, 'doing'>
  /** Looks at once for parked entries that are to be tried again. */
  look (): void
  /** Puts everything right by a snapshot; resolves when it is in. */
  resync (): Promise<void>
}

/** Entries of one read, and the longest wait for the first. */
const BATCH = 128
const WAIT_MS = 1_000
/** How often it looks again where it has stopped, and tries again what did not answer. */
const AGAIN_MS = 500

export const lead = async <Tx>({ settings, lease, stream, tell, signal: stopped }: {
  settings: Settings<Tx>, lease: Lease, stream: LifecycleStream, tell: Tell, signal: AbortSignal
}): Promise<Leading> => {
  const { store, leaseMs, macKeys, service, onSnapshotNeeded } = settings
  const lost = new AbortController()
  const signal = AbortSignal.any([stopped, lost.signal])
  const hands = createHands({ settings, lease, stream, tell, signal, onLost: () => { lost.abort() } })
  await hands.load()

  /** The last entry that was read; `anchored` if it is one, and not a position that was set. */
  let cursor = hands.position()
  let anchored = hands.anchored()
  let alarm: Alarm | undefined
  const pause = (ms: number): Promise<void> => delay(ms, undefined, { signal }).catch(() => {})

  const raise = (now: Alarm): void => {
    if (alarm?.reason === now.reason && alarm.entryId === now.entryId) return
    alarm = now
    tell('alarm', now)
  }
  const clear = (): void => {
    if (alarm === undefined) return
    const over = alarm
    alarm = undefined
    tell('recovered', over)
  }

  /** The snapshot and its position come in together, or not at all; what comes after that position is read from the stream. */
  const beginAt = async ({ after, upTo }: { after: bigint, upTo: bigint }): Promise<void> => {
    if (service === undefined || onSnapshotNeeded === undefined) throw new Error('no snapshot can be taken without service and onSnapshotNeeded')
    const snapshot = await service.snapshot(upTo)
    if (snapshot.position < upTo) throw new Error(`the snapshot ends at ${snapshot.position}, before what is missing`)
    // A position that is still being written must not come after the one that is set here.
    await hands.save()
    await store.restart(lease, snapshot.position, (tx) => onSnapshotNeeded({ after, upTo, snapshot }, tx))
    await hands.load()
    cursor = hands.position()
    anchored = hands.anchored()
    tell('restarted', { position: cursor })
  }

  /** After a gap. */
  const mend = async (entry: LifecycleEntry): Promise<void> => {
    const gap = { after: cursor, upTo: entry.previousPosition }
    if (alarm?.entryId !== entry.entryId) tell('trimmed', gap)
    if (service === undefined || onSnapshotNeeded === undefined) {
      raise({ reason: 'trimmed', entryId: entry.entryId, detail: `entries after ${gap.after} and up to ${gap.upTo} were trimmed unread, and no snapshot can be taken` })
      return pause(AGAIN_MS)
    }
    try {
      await beginAt(gap)
    } catch (error) {
      if (error instanceof LeaseLost) return lost.abort()
      raise({ reason: 'snapshot_failed', entryId: entry.entryId, detail: String(error) })
      await pause(AGAIN_MS)
    }
  }

  let wanted: Array<{ resolve: () => void, reject: (error: unknown) => void }> = []
  /** By request: from what was last proven to where it is now. */
  const putRight = async (): Promise<void> => {
    const asked = wanted
    wanted = []
    try {
      await hands.idle()
      if (signal.aborted) throw new Error('it ended before')
      await beginAt({ after: hands.proven(), upTo: cursor })
      for (const { resolve } of asked) resolve()
    } catch (error) {
      for (const { reject } of asked) reject(error)
      if (error instanceof LeaseLost) lost.abort()
    }
  }

  /** True if the entry was taken on; otherwise everything before it is settled, and it is to be read again. */
  const take = async ([entryId, fields]: RawEntry): Promise<boolean> => {
    const read = await readEntry(settings.stream, entryId, fields, macKeys)
    const entry = 'entry' in read ? read.entry : undefined
    const follows = entry !== undefined && (anchored ? entry.previousPosition === cursor : entry.previousPosition <= cursor)
    if (entry !== undefined && follows) {
      await hands.room()
      if (signal.aborted) return false
      clear()
      cursor = entry.position
      anchored = true
      hands.take(entry)
      return true
    }
    await hands.idle()
    if (signal.aborted) return false
    if (entry !== undefined && entry.previousPosition > cursor) {
      await mend(entry)
      return false
    }
    raise('problem' in read
      ? { reason: read.problem, entryId, detail: `the entry is not one that Chancery has published: ${read.detail}` }
      : { reason: 'forked', entryId, detail: `the entry names ${read.entry.previousPosition} as its predecessor, but ${cursor} was settled` })
    await pause(AGAIN_MS)
    return false
  }

  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        if (wanted.length > 0) await putRight()
        const entries = await stream.read(cursor, BATCH, WAIT_MS)
        if (entries.length === 0) await hands.mark()
        for (const entry of entries) if (!await take(entry)) break
      } catch (error) {
        // Redis is away, or the one who knows the keys is.
        if (signal.aborted) return
        tell('trouble', error)
        await pause(AGAIN_MS)
      }
    }
  }

  let renewed = performance.now()
  const beat = async (): Promise<void> => {
    const asked = performance.now()
    try {
      if (!await store.renew(lease, leaseMs)) return lost.abort()
      renewed = asked
      await hands.tend()
    } catch (error) {
      if (error instanceof LeaseLost || performance.now() - renewed > leaseMs) return lost.abort()
      tell('trouble', error)
    }
  }
  let beating: Promise<void> | undefined
  const look = (): void => { beating ??= beat().finally(() => { beating = undefined }) }
  const timer = setInterval(look, leaseMs / 3)

  const whole = async (): Promise<void> => {
    try {
      signal.addEventListener('abort', stream.endReading, { once: true })
      await follow()
      await hands.idle()
      await hands.save()
      await beating
    } finally {
      for (const { reject } of wanted) reject(new Error('it ended before'))
      clearInterval(timer)
    }
  }
  const resync = (): Promise<void> => new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error('it ended before'))
    wanted.push({ resolve, reject })
  })
  return { ended: whole(), look, resync, state: () => ({ position: hands.position(), underWay: hands.underWay(), ...alarm !== undefined && { alarm } }) }
}

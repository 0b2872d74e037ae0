// Pulls: fetches when there may be something new, until what it holds is what it should hold, and says so.
import { setTimeout as delay } from 'node:timers/promises'
import { DeliveryProblem, openDelivery } from './delivery.ts'
import type { Hands, Taken } from './hands.ts'
import { ServiceRefusal } from './service.ts'
import type { CredentialConsumerOptions, Trouble } from './types.ts'

/** Announcements and gaps are what is fetched for; this is for what they might miss. */
const POLL_MS = 60_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000

/** Fetches once, takes it and acknowledges it; what it has already it is not given again. */
export const fetchOnce = async ({ key, service }: Pick<CredentialConsumerOptions, 'key' | 'service'>, hands: Hands, credential: string): Promise<Taken> => {
  const fetched = await service.fetch(credential, hands.holding(credential)?.deliverySeq)
  const taken = fetched === undefined ? 'known' : await hands.take(await openDelivery(fetched.jwe, key, { credential }))
  const held = hands.holding(credential)
  // What was not acknowledged the first time is acknowledged with the next look.
  if (taken !== 'superseded' && held !== undefined && hands.acknowledged.get(credential) !== held.deliverySeq) {
    await service.acknowledge(credential, held.deliverySeq)
    hands.acknowledged.set(credential, held.deliverySeq)
  }
  return taken
}

/** Whoever has no value, or stands in no manifest yet, has nothing to fetch: not until somebody says so. */
export const nothingYet = (error: unknown): boolean => error instanceof ServiceRefusal && ['value_missing', 'subject_not_found'].includes(error.code)

export interface Puller {
  /** There may be something new. */
  wake (): void
  done: Promise<void>
}

export const startPuller = (
  options: CredentialConsumerOptions & { registered: () => Promise<void> }, hands: Hands, credential: string, signal: AbortSignal
): Puller => {
  const { pull, onTrouble = () => {}, registered } = options
  const tell = (doing: Trouble['doing'], error: unknown) => { if (!signal.aborted) onTrouble({ credential, doing, error }) }
  const pollMs = pull?.pollMs ?? POLL_MS
  let wanted = true
  let rouse = () => {}

  const sleep = async (milliseconds: number | undefined): Promise<void> => {
    const woken = new AbortController()
    rouse = () => { woken.abort() }
    if (!wanted) await delay(milliseconds ?? 2 ** 31 - 1, undefined, { signal: AbortSignal.any([signal, woken.signal]), ref: milliseconds !== undefined }).catch(() => {})
    rouse = () => {}
  }

  const run = async (): Promise<void> => {
    let pause = FIRST_PAUSE_MS
    while (!signal.aborted) {
      wanted = false
      try {
        await fetchOnce(options, hands, credential)
        pause = FIRST_PAUSE_MS
        await sleep(pollMs > 0 ? pollMs : undefined)
      } catch (error) {
        if (signal.aborted) return
        if (nothingYet(error)) {
          await sleep(pollMs > 0 ? pollMs : undefined)
        } else {
          tell('fetching', error)
          // Sealed to the key from before, or to none: ours is not the registered one.
          if (error instanceof ServiceRefusal ? error.code === 'consumer_key_missing' : error instanceof DeliveryProblem && error.fault === 'other_key') await registered()
          await sleep(pause)
          pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
        }
      }
    }
  }
  return {
    wake: () => {
      wanted = true
      rouse()
    },
    done: run()
  }
}

// Tells a subscription that is silent because nothing happens from one that is silent because it is dead.
import { NoAnswer } from './failures.ts'
import { first, type Reader } from './read.ts'
import type { Wait } from './receive.ts'

/**
 * Waits for the next delivery. After each `ms` of silence the last event of ours is looked up: if it was not delivered,
 * and does not come within another such time, the subscription is given up. Ends quietly when the signal aborts.
 */
export const watchful = (reader: Reader, ms: number, delivered: () => bigint, signal: AbortSignal): Wait => async (next) => {
  let overdue = false
  while (!signal.aborted) {
    if (await comesWithin(ms, next, signal)) return
    if (signal.aborted) break
    if (overdue) throw new NoAnswer('events of ours are in the log, and the subscription is silent')
    const last = await lastPosition(reader)
    overdue = last !== undefined && last > delivered()
  }
  throw new NoAnswer('the subscriber has left')
}

/** Position of the last event of ours; it is looked at from the end, so foreign events before it cost nothing. */
const lastPosition = async (reader: Reader): Promise<bigint | undefined> =>
  (await first(reader.all({ direction: 'backwards', limit: 1 })))?.position

const comesWithin = (ms: number, next: Promise<void>, signal: AbortSignal): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const settle = (came: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', leave)
      resolve(came)
    }
    const leave = () => { settle(false) }
    const timer = setTimeout(leave, ms)
    signal.addEventListener('abort', leave, { once: true })
    next.then(() => { settle(true) }, reject)
  })

// Waits for progress instead of sleeping.
import { setTimeout as delay } from 'node:timers/promises'

/** Resolves once `reached` says so; rejects after `limitMs` (default 15 s). Looks every 10 ms. */
export const until = async (reached: () => boolean | Promise<boolean>, limitMs = 15_000): Promise<void> => {
  const end = Date.now() + limitMs
  while (!await reached()) {
    if (Date.now() > end) throw new Error(`not reached within ${limitMs} ms: ${reached.toString()}`)
    await delay(10)
  }
}

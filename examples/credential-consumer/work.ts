// The work that the consumer needs its credential for, and what came of it.
import { setTimeout as delay } from 'node:timers/promises'

export interface Work {
  /** Does it once with the value in use; the vendor's status, 0 for no answer, undefined without a value. */
  once (): Promise<number | undefined>
  counts (): { accepted: number, refused: number, failed: number, last_status: number | null }
  stop (): Promise<void>
}

/** @param value what is in use at this moment: asked for anew with each request */
export const startWork = ({ url, everyMs, value }: { url: string | undefined, everyMs: number, value: () => string | undefined }): Work => {
  const counted = { accepted: 0, refused: 0, failed: 0, last_status: null as number | null }
  const stopped = new AbortController()
  const once = async (): Promise<number | undefined> => {
    const secret = value()
    if (url === undefined || secret === undefined) return undefined
    const status = await fetch(url, { headers: { authorization: `Bearer ${secret}` }, redirect: 'error', signal: AbortSignal.timeout(5_000) })
      .then(async (response) => {
        await response.arrayBuffer()
        return response.status
      }, () => 0)
    counted[status >= 200 && status < 300 ? 'accepted' : status === 401 || status === 403 ? 'refused' : 'failed']++
    counted.last_status = status
    return status
  }
  const run = async (): Promise<void> => {
    if (everyMs === 0) return
    while (!stopped.signal.aborted) {
      await once()
      await delay(everyMs, undefined, { signal: stopped.signal }).catch(() => {})
    }
  }
  const running = run()
  return {
    once,
    counts: () => ({ ...counted }),
    stop: async () => {
      stopped.abort()
      await running
    }
  }
}

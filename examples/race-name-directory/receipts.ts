// Sends the receipts that transactions have left in their table: after the commit, and until Chancery has taken them.
import { setTimeout as delay } from 'node:timers/promises'
import type { Pool } from 'pg'
import { ServiceRefusal, type LifecycleService } from '../../kits/lobby/src/index.ts'
import { SCHEMA } from './names.ts'

const BATCH = 50
const IDLE_MS = 1_000
const AGAIN_MS = 500
/** Refusals of one receipt that may end (the consumer is not registered, the log was restored): it waits, and the others go on. */
const PUT_OFF = new Set([400, 403, 404, 410, 422])

interface Row { entry_position: string, event_id: string, user_id: string, outcome: string, items: number, digest: string }

export interface ReceiptPoster {
  /** There is something to post. */
  wake: () => void
  stop: () => Promise<void>
}

/**
 * Any number of members may post at once, the active one or not: a receipt that is sent twice is one fact. One that is
 * refused for good (409: it contradicts the first) is kept with its code, for people to look at; what may change is put off.
 */
export const postReceipts = (
  { pool, service, consumer, onTrouble }: { pool: Pool, service: Pick<LifecycleService, 'postReceipt'>, consumer: string, onTrouble: (error: unknown) => void }
): ReceiptPoster => {
  const stopping = new AbortController()
  const { signal } = stopping
  let wake = (): void => {}

  const postOne = async ({ entry_position: position, event_id: eventId, user_id: userId, outcome, items, digest }: Row): Promise<void> => {
    try {
      await service.postReceipt({ consumer, eventId, position: BigInt(position), userId, outcome, items, digest })
      await pool.query(`update ${SCHEMA}.receipts set posted_at = now() where entry_position = $1`, [position])
    } catch (error) {
      if (!(error instanceof ServiceRefusal)) throw error
      if (error.status === 409) await pool.query(`update ${SCHEMA}.receipts set posted_at = now(), refused = $2 where entry_position = $1`, [position, error.code])
      else if (PUT_OFF.has(error.status)) await putOff(position)
      else throw error
      onTrouble(error)
    }
  }

  /** For a second, and twice as long each time, up to five minutes. */
  const putOff = async (position: string): Promise<void> => {
    await pool.query(`update ${SCHEMA}.receipts set attempts = attempts + 1, next_at = now() + least(power(2, least(attempts, 10)), 300) * interval '1 s' where entry_position = $1`, [position])
  }

  const post = async (): Promise<number> => {
    const { rows } = await pool.query<Row>(`select entry_position, event_id, user_id, outcome, items, digest from ${SCHEMA}.receipts
      where posted_at is null and next_at <= now() order by next_at, entry_position limit ${BATCH}`)
    const results = await Promise.allSettled(rows.map(postOne))
    const failed = results.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
    return rows.length
  }

  const pause = async (ms: number): Promise<void> => {
    const ended = new AbortController()
    await Promise.race([
      new Promise<void>((resolve) => { wake = resolve }),
      delay(ms, undefined, { signal: AbortSignal.any([signal, ended.signal]) }).catch(() => {})
    ])
    ended.abort()
  }

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        if (await post() === 0) await pause(IDLE_MS)
      } catch (error) {
        onTrouble(error)
        await delay(AGAIN_MS, undefined, { signal }).catch(() => {})
      }
    }
  }
  const running = run()
  return {
    wake: () => { wake() },
    stop: async () => {
      stopping.abort()
      await running
    }
  }
}

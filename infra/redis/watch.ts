// Keeps an eye on a Redis: does it answer, and is it set up as a stream needs it.
import { checkRedis } from './checks.ts'
import { openRedis } from './index.ts'

export interface RedisWatch {
  state (): 'away' | 'ready'
  /** What an operator should change, as of the last answer; while it is away, why. */
  remarks (): readonly string[]
  stop (): void
}

export interface RedisWatchEvents {
  onChange: (state: 'away' | 'ready') => void
  /** Told each new remark once. */
  onRemark: (remark: string) => void
}

const LOOK_EVERY_MS = 1_000
/** Counts as away that does not answer within this. */
const PATIENCE_MS = 1_000

/** Begins to look at once, and looks every second; nothing waits for it. */
export const watchRedis = (url: string, { onChange, onRemark }: RedisWatchEvents): RedisWatch => {
  let state: 'away' | 'ready' | undefined
  let remarks: string[] = []
  let lost = ''
  let stopped = false
  const client = openRedis({ url, name: 'chancery-watch', onError: ({ message }) => { lost = message } })

  const turn = (now: 'away' | 'ready') => {
    if (state === now || stopped) return
    state = now
    onChange(now)
  }
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    const late = setTimeout(() => { turn('away') }, PATIENCE_MS)
    try {
      const found = await checkRedis(client)
      for (const remark of found) if (!stopped && !remarks.includes(remark)) onRemark(remark)
      remarks = found
      lost = ''
      turn('ready')
    } catch (error) {
      if (client.status !== 'ready') lost ||= (error as Error).message
      turn('away')
    } finally {
      clearTimeout(late)
      looking = false
    }
  }
  client.on('ready', () => { void look() })
  client.on('close', () => { turn('away') })
  const timer = setInterval(() => { void look() }, LOOK_EVERY_MS)

  return {
    state: () => state ?? 'away',
    remarks: () => state === 'ready' ? remarks : [`Redis does not answer${lost === '' ? '' : ` (${lost})`}.`],
    stop: () => {
      stopped = true
      clearInterval(timer)
      client.disconnect()
    }
  }
}

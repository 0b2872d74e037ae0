// Keeps one child running: writes down which process it is, stops an orphan of an earlier run, starts it again when it dies.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Child, ChildKind } from './child.ts'
import { endProcess, isAlive, markOf, type ProcessMark } from './processes.ts'

const ORPHAN_LIMIT_MS = 10_000
const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 5_000
/** A child that lived this long is not part of a series of failures. */
const SETTLED_MS = 30_000

export interface Supervised<C extends Child> {
  /** The child of the first start; its port stays the same over restarts. */
  first: C
  /** Number of the process that runs now. */
  pid (): number
  stop (): Promise<void>
}

export interface SuperviseOptions {
  /** Folder of the marks. */
  runFolder: string
  /** Told what a person should know, in one sentence. */
  say: (level: 'info' | 'warn' | 'error', sentence: string) => void
}

/** Starts the child; rejects with the reason if the first start fails. */
export const supervise = async <C extends Child>(kind: ChildKind<C>, { runFolder, say }: SuperviseOptions): Promise<Supervised<C>> => {
  const file = join(runFolder, `${kind.key}.json`)
  mkdirSync(runFolder, { recursive: true, mode: 0o700 })
  await stopOrphan(kind, file, say)

  const stopping = new AbortController()
  const begin = async (port: number): Promise<C> => {
    const child = await kind.start(port)
    const mark = markOf(child.pid)
    if (mark !== undefined) writeFileSync(file, JSON.stringify(mark), { mode: 0o600 })
    return child
  }

  const first = await begin(0)
  let current = first

  const keep = async () => {
    let wait = FIRST_WAIT_MS
    while (!stopping.signal.aborted) {
      const since = Date.now()
      await current.ended
      if (stopping.signal.aborted) return
      if (Date.now() - since > SETTLED_MS) wait = FIRST_WAIT_MS
      say('warn', `${kind.name} (process ${current.pid}) ended by itself and is started again.`)
      for (;;) {
        await delay(wait, undefined, { signal: stopping.signal }).catch(() => {})
        if (stopping.signal.aborted) return
        wait = Math.min(wait * 2, LONGEST_WAIT_MS)
        try {
          current = await begin(first.port)
          say('info', `${kind.name} runs again (process ${current.pid}).`)
          break
        } catch (error) {
          say('error', `${kind.name} cannot be started again: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
    }
  }
  const keeping = keep()

  return {
    first,
    pid: () => current.pid,
    stop: async () => {
      stopping.abort()
      await current.stop()
      await keeping
      await current.stop()
      rmSync(file, { force: true })
    }
  }
}

const stopOrphan = async (kind: ChildKind, file: string, say: SuperviseOptions['say']): Promise<void> => {
  const mark = readMark(file)
  if (mark !== undefined && isAlive(mark)) {
    say('warn', `${kind.name} (process ${mark.pid}) was left running by an earlier run that did not end in order; it is stopped first.`)
    await endProcess(mark, kind.signals, ORPHAN_LIMIT_MS)
  }
  rmSync(file, { force: true })
}

const readMark = (file: string): ProcessMark | undefined => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessMark
  } catch {
    return undefined
  }
}

// Tells one process from another that got the same number later.
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A process as it is written down: its number, and the kernel's clock tick at which it began. */
export interface ProcessMark { pid: number, began: string }

/** The mark of a live process; undefined if there is none (a zombie counts as none). */
export const markOf = (pid: number): ProcessMark | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name stands in brackets and may hold anything; state is the first field after it, the start the twentieth.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[19] === undefined ? undefined : { pid, began: fields[19] }
  } catch {
    return undefined
  }
}

export const isAlive = (mark: ProcessMark): boolean => markOf(mark.pid)?.began === mark.began

/** Asks a process that is not our child to end, then makes it; resolves when it is gone. */
export const endProcess = async (mark: ProcessMark, signals: { ask: NodeJS.Signals, force: NodeJS.Signals }, limitMs: number): Promise<void> => {
  const send = (signal: NodeJS.Signals) => { if (isAlive(mark)) process.kill(mark.pid, signal) }
  send(signals.ask)
  const until = Date.now() + limitMs
  while (isAlive(mark) && Date.now() < until) await delay(20)
  send(signals.force)
  while (isAlive(mark)) await delay(20)
}

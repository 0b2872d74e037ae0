// Contestants as child processes: started, waited for by their first line, stopped.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Path of a compiled file of this project: what is measured is what is shipped, so the benches are compiled beside it. */
export const compiled = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

export interface Child {
  pid: number
  /** The first line that it printed (and that `ready` accepted). */
  line: string
  stop: () => Promise<void>
}

/** Starts a Node process and waits for the first line on its stdout that `ready` accepts. */
export const childLine = async (
  args: readonly string[], options: { env?: Record<string, string>, ready?: (line: string) => boolean } = {}
): Promise<Child> => {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...options.env, NODE_OPTIONS: '' } })
  for await (const line of createInterface({ input: child.stdout })) {
    if (options.ready?.(line) !== false) {
      child.stdout.resume()
      return { pid: child.pid ?? 0, line, stop: () => stop(child) }
    }
  }
  throw new Error(`${args.join(' ')} ended before it was ready`)
}

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

/** Path of a peer's compiled file. */
export const peer = (path: string): string => compiled(`bench/peers/${path}`)

/** A process and all that it started, and what those started. */
export const processTree = (root: number): number[] => {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      parents.set(Number(name), Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]))
    } catch {
      continue // it ended while we looked
    }
  }
  const tree = [root]
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child)
  return tree
}

// The example lobby as a process of its own, for tests that kill it very often.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { compiledArguments } from './compiled.ts'

export interface DirectoryProcess {
  /** Every line it has printed. */
  lines: string[]
  kill: (signal: NodeJS.Signals) => void
  exit: Promise<unknown>
  /** Resolves with the first line that fits, from line `from` on; rejects if it ends before. */
  said: (pattern: RegExp, from?: number) => Promise<string>
}

/** Starts members of one directory. */
export const directoryProcesses = async (t: Pick<Test, 'teardown'>, env: Readonly<Record<string, string>>): Promise<() => DirectoryProcess> => {
  const words = await compiledArguments(t, 'examples/race-name-directory/main.ts')
  const running = new Set<() => Promise<unknown>>()
  t.teardown(() => Promise.all([...running].map((end) => end())))
  return () => {
    const child = spawn(process.execPath, words, {
      stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '', DIRECTORY_PORT: '0', ...env }
    })
    const lines: string[] = []
    let listeners: Array<() => void> = []
    const tell = (line: string): void => {
      lines.push(line)
      for (const listener of listeners) listener()
    }
    createInterface({ input: child.stdout }).on('line', tell)
    createInterface({ input: child.stderr }).on('line', (line) => { tell(`stderr: ${line}`) })
    let ended = false
    const exit = once(child, 'close').finally(() => {
      ended = true
      running.delete(end)
      for (const listener of listeners) listener()
    })
    const end = async (): Promise<unknown> => {
      child.kill('SIGKILL')
      return exit
    }
    running.add(end)
    return {
      lines,
      exit,
      kill: (signal) => { child.kill(signal) },
      said: (pattern, from = 0) => new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.slice(from).find((line) => pattern.test(line))
          if (found === undefined && !ended) return
          listeners = listeners.filter((listener) => listener !== look)
          if (found === undefined) reject(new Error(`it ended without ${pattern}:\n${lines.join('\n')}`))
          else resolve(found)
        }
        listeners.push(look)
        look()
      })
    }
  }
}

// The example lobby as a process of its own, for tests that kill it: compiled once, since it is started very often.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Turns the sources into JavaScript below node_modules, where packages are found; gone when `t` ends. The entry's path. */
const compile = (t: Pick<Test, 'teardown'>): { entry: string, withParent: string } => {
  const cache = join(root, 'node_modules', '.cache', 'chancery')
  mkdirSync(cache, { recursive: true })
  const out = mkdtempSync(join(cache, 'directory-'))
  t.teardown(() => { rmSync(out, { recursive: true, force: true }) })
  writeFileSync(join(out, 'package.json'), '{ "type": "module" }')
  const put = (source: string): string => {
    const file = join(out, relative(root, source).replace(/\.ts$/, '.js'))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, ts.transpileModule(readFileSync(source, 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, rewriteRelativeImportExtensions: true }
    }).outputText)
    return file
  }
  for (const folder of ['kits/lobby/src', 'examples/race-name-directory']) {
    for (const name of readdirSync(join(root, folder))) if (name.endsWith('.ts')) put(join(root, folder, name))
  }
  return { entry: join(out, 'examples/race-name-directory/main.js'), withParent: put(join(root, 'test/support/with-parent.ts')) }
}

export interface DirectoryProcess {
  /** Every line it has printed. */
  lines: string[]
  kill: (signal: NodeJS.Signals) => void
  exit: Promise<unknown>
  /** Resolves with the first line that fits, from line `from` on; rejects if it ends before. */
  said: (pattern: RegExp, from?: number) => Promise<string>
}

/** Starts members of one directory. */
export const directoryProcesses = (t: Pick<Test, 'teardown'>, env: Readonly<Record<string, string>>): (() => DirectoryProcess) => {
  const { entry, withParent } = compile(t)
  const running = new Set<() => Promise<unknown>>()
  t.teardown(() => Promise.all([...running].map((end) => end())))
  return () => {
    // The test runner's own hook has no business in a process that is killed.
    const child = spawn(process.execPath, ['--import', withParent, entry], {
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

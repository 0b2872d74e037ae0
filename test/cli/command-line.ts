// Runs the command line in process against a service, and keeps what it printed.
import { Readable, Writable } from 'node:stream'
import { run } from '../../src/cli/run.ts'

export interface Ran { exit: number, stdout: string, stderr: string }

const collector = (take: (text: string) => void): Writable =>
  new Writable({ write: (chunk: Buffer, _encoding, done) => { take(String(chunk)); done() } })

/** @param onPrint sees what is printed as it comes, and may abort the run */
export const commandLine = (env: Readonly<Record<string, string>>, words: readonly string[], options: { onPrint?: (stdout: string, stop: () => void) => void, stdin?: Readable } = {}): Promise<Ran> => {
  const printed = { stdout: '', stderr: '' }
  const stopping = new AbortController()
  const running = run(words, {
    env,
    stdin: options.stdin ?? Readable.from([]),
    stdout: collector((text) => {
      printed.stdout += text
      options.onPrint?.(printed.stdout, () => { stopping.abort() })
    }),
    stderr: collector((text) => { printed.stderr += text }),
    signal: stopping.signal
  })
  return running.then((exit) => ({ exit, ...printed }))
}

/** The JSON values of an NDJSON text. */
export const values = <T>(text: string): T[] => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T)

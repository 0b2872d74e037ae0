// A terminal with somebody at it: what is drawn is read as text, keys are typed when the right words are there.
import { PassThrough, Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { run } from '../../src/cli/run.ts'
import { until } from '../support/until.ts'

export const ENTER = '\r'
export const DOWN = '\u001b[B'
export const CTRL_C = '\u0003'

/** Runs the command line on a terminal of 100 by 40. */
export const atTerminal = (env: Readonly<Record<string, string>>, words: readonly string[]) => {
  let drawn = ''
  let read = 0
  const screen = () => Object.assign(new Writable({ write: (chunk: Buffer, _encoding, done) => { drawn += String(chunk); done() } }), { isTTY: true, columns: 100, rows: 40 })
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} })
  const stopping = new AbortController()
  let exit: number | undefined
  const ended = run(words, { env: { NO_COLOR: '1', ...env }, stdin, stdout: screen(), stderr: screen(), signal: stopping.signal }).then((code) => { exit = code })
  const unread = () => stripVTControlCharacters(drawn.slice(read))
  return {
    /** Waits until this is drawn below what was seen last; all up to now is seen then. */
    sees: async (words: RegExp): Promise<string> => {
      await until(() => words.test(unread()) || exit !== undefined, 30_000).catch(() => {})
      const text = unread()
      if (!words.test(text)) throw new Error(`${exit === undefined ? 'it waits' : `it ended with ${exit}`} and never said ${String(words)}: ${text}`)
      read = drawn.length
      return text
    },
    type: (keys: string): void => { stdin.write(keys) },
    /** Ctrl-C where no question stands. */
    stop: (): void => { stopping.abort() },
    /** The exit code, and everything that was ever drawn. */
    end: async (): Promise<{ exit: number, text: string }> => {
      await ended
      return { exit: exit ?? -1, text: stripVTControlCharacters(drawn) }
    }
  }
}

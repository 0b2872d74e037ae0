// A progress bar on one line of a terminal. Drawn by hand: the prompt library's own takes the keyboard while it draws,
// and answers Ctrl-C by ending the process at once, with exit code 0 (docs/adr/0080).
import type { Writable } from 'node:stream'

export interface Bar {
  /** @param done work done so far, of `total`; both in whatever unit the work counts */
  at (done: number, total: number, message: string): void
  stop (message: string): void
}

const WIDTH = 30
/** Milliseconds between two drawings: a terminal over a slow line is not to be flooded. */
const PAUSE = 80
const CLEAR_LINE = '\r\u001b[K'

export const drawBar = (title: string, output: Writable & { columns?: number }): Bar => {
  let drawn = -Infinity
  return {
    at: (done, total, message) => {
      if (performance.now() - drawn < PAUSE) return
      drawn = performance.now()
      const share = total > 0 ? Math.min(1, done / total) : 0
      const full = Math.floor(share * WIDTH)
      const text = `${title}  ${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}  ${Math.floor(share * 100)} %  ${message}`
      output.write(CLEAR_LINE + text.slice(0, (output.columns ?? 80) - 1))
    },
    stop: (message) => { output.write(`${CLEAR_LINE}${message}\n`) }
  }
}

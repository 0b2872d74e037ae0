// Where the command line prints: tables and lines for people, JSON for pipes, a bar only on a terminal.
import type { Readable, Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { drawBar, type Bar } from './bar.ts'

/** What a run of the command line is given from outside, so that tests run it in process. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>
  stdin: Readable
  stdout: Writable & { isTTY?: boolean, columns?: number }
  stderr: Writable & { isTTY?: boolean, columns?: number }
  /** Aborted by Ctrl-C: a long run stops after the step it is in. */
  signal: AbortSignal
}

export interface Terminal {
  line (text?: string): void
  /** One JSON value on one line: the form for pipes. */
  json (value: unknown): void
  /** Writes and waits while a pipe's reader is slower than we are. */
  write (chunk: string | Uint8Array): Promise<void>
  /** Where a screen is too narrow for the rows, each row in lines of its own, a cell a line. */
  table (columns: readonly string[], rows: ReadonlyArray<readonly string[]>): void
  /** A table with an empty line in front; nothing at all without rows. */
  section (columns: readonly string[], rows: ReadonlyArray<readonly string[]>): void
  /** Something a person should see while the data goes to a pipe: on stderr. */
  note (text: string): void
  /** Draws on stderr when that is a terminal; otherwise says nothing until `stop`, and then one note. */
  bar (title: string): Bar
}

/** Text from a log or a file, as safe to print: no control character moves the reader's cursor. */
export const printable = (text: string): string =>
  stripVTControlCharacters(text).replace(/[\p{Cc}\p{Bidi_Control}]/gu, ' ')

/** Blanks before which no command has begun on the line. */
const BREAKS = /(?<!\bchancery .*) (?<!\bchancery )/

/** Lines broken between words, where a terminal would break them within one; never within a command, which is copied as it stands. */
const fitted = (text: string, width: number): string => text.split('\n').flatMap((line) => {
  const [begin = ''] = /^ */.exec(line) ?? []
  const lines: string[] = []
  for (const word of line.slice(begin.length).split(BREAKS)) {
    const last = lines.at(-1)
    if (last === undefined || [...last].length + 1 + [...word].length > width) lines.push(`${begin}${word}`)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}).join('\n')

/** Each column as wide as its widest cell. */
const aligned = (rows: ReadonlyArray<readonly string[]>): string[] => {
  const cells = rows.map((row) => row.map(printable))
  const widths = (cells[0] ?? []).map((_, index) => Math.max(...cells.map((row) => [...row[index] ?? ''].length)))
  return cells.map((row) => row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ').trimEnd())
}

export const createTerminal = ({ stdout, stderr }: Surroundings): Terminal => {
  /** Lines that wait for a drawn bar to end: both on one screen would write over each other. */
  let held: string[] | undefined
  const line = (text = '') => {
    if (held === undefined) stdout.write(`${text}\n`)
    else held.push(text)
  }
  const note = (text: string) => { stderr.write(`${stderr.isTTY === true ? fitted(text, stderr.columns ?? 80) : text}\n`) }
  const table: Terminal['table'] = (columns, rows) => {
    const lines = aligned([columns, ...rows])
    const width = stdout.isTTY === true ? stdout.columns ?? 80 : Infinity
    if (columns.length > 2 && rows.length > 0 && lines.some((text) => [...text].length > width)) {
      for (const [nth, row] of rows.entries()) {
        if (nth > 0) line()
        for (const text of aligned(columns.map((title, index) => [title, row[index] ?? '']))) line(text)
      }
    } else for (const text of lines) line(text)
  }
  return {
    line,
    json: (value) => { line(JSON.stringify(value)) },
    write: async (chunk) => {
      if (!stdout.write(chunk)) await new Promise<void>((resolve) => stdout.once('drain', resolve))
    },
    table,
    section: (columns, rows) => {
      if (rows.length === 0) return
      line()
      table(columns, rows)
    },
    note,
    bar: (title) => {
      if (stderr.isTTY !== true) return { at: () => {}, stop: note }
      if (stdout.isTTY === true) held = []
      const bar = drawBar(title, stderr)
      return {
        at: (done, total, message) => { bar.at(done, total, message) },
        stop: (message) => {
          bar.stop(message)
          const lines = held ?? []
          held = undefined
          for (const text of lines) line(text)
        }
      }
    }
  }
}

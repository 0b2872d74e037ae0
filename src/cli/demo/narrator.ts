// Tells the demo's story on the terminal: acts, what is done over HTTP, what came back. Plain text where nobody looks.
import { styleText } from 'node:util'
import { printable, type Surroundings } from '../terminal.ts'

export interface Narrator {
  /** A new part of the story. */
  act (title: string): void
  say (text: string): void
  /** A request and its outcome on one line. */
  did (request: string, outcome: string): void
  fact (name: string, value: string): void
  rows (rows: ReadonlyArray<readonly string[]>): void
}

export const createNarrator = ({ stdout }: Pick<Surroundings, 'stdout'>): Narrator => {
  const style = (format: 'bold' | 'dim' | 'cyan', text: string) => stdout.isTTY === true ? styleText(format, text) : text
  const line = (text: string) => { stdout.write(`${text}\n`) }
  let acts = 0
  return {
    act: (title) => { line(`\n${style('bold', `${++acts}. ${title}`)}`) },
    say: (text) => { line(`   ${text}`) },
    did: (request, outcome) => { line(`   ${style('cyan', request)}  →  ${printable(outcome)}`) },
    fact: (name, value) => { line(`     ${style('dim', name.padEnd(22))} ${printable(value)}`) },
    rows: (rows) => {
      const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
      for (const row of rows) line(`     ${row.map((cell, column) => printable(cell).padEnd(widths[column] ?? 0)).join('  ').trimEnd()}`)
    }
  }
}

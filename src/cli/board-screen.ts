// Shows a rotation as it goes: redrawn in place on a terminal, a line for each change elsewhere.
import type { Writable } from 'node:stream'
import { board, gateInWords, inWords, standing } from './board.ts'
import type { ConsumerView, JobView } from './rotation-api.ts'
import { printable, type Surroundings } from './terminal.ts'

export interface BoardScreen {
  show (job: JobView): void
  /** Something about us, under the board until it is taken back; undefined takes it back. */
  remark (text: string | undefined): void
  /** Draws it so that a question of so many rows fits below, and leaves it as it is; the next `show` begins below. `cut`: not all of it is there. */
  rest (below?: number): { cut: boolean }
  /** Every consumer, however many there are. */
  all (job: JobView): void
  close (): void
}

type Output = Writable & { isTTY?: boolean, columns?: number, rows?: number }

/** Milliseconds between two drawings at most, and between those in which only the time has gone on. */
const PAUSE = 80
const TICK = 1_000
/** Rows of a board at least: its head. */
const LEAST = 6

/** Where nothing can be redrawn, or nobody looks, lines take the board's place. */
export const createScreen = ({ stdout, env }: Pick<Surroundings, 'stdout' | 'env'>): BoardScreen =>
  stdout.isTTY === true && env['TERM'] !== 'dumb' ? drawn(stdout, wantsColour(env)) : told(stdout)

/** https://no-color.org: set and not empty. */
const wantsColour = (env: Surroundings['env']): boolean => (env['NO_COLOR'] ?? '') === ''

const drawn = (output: Output, colour: boolean): BoardScreen => {
  let job: JobView | undefined
  let remark: string | undefined
  /** The drawn lines without colour, from which follows how many rows they take after the screen changed its width. */
  let plain: readonly string[] = []
  let due: NodeJS.Timeout | undefined
  let last = -Infinity

  const rows = (width: number): number => plain.reduce((sum, line) => sum + Math.max(1, Math.ceil([...line].length / width)), 0)
  const draw = (below = 0): void => {
    clearTimeout(due)
    due = undefined
    if (job === undefined) return
    last = performance.now()
    // A column is kept free: a terminal breaks a line that fills the last one.
    const width = (output.columns ?? 80) - 1
    const size = { width, height: Math.max(LEAST, (output.rows ?? 24) - 1 - below), now: new Date(), remark }
    const up = rows(width + 1)
    const lines = board(job, { ...size, colour })
    output.write(`${up > 0 ? `\u001b[${up}F` : ''}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
    plain = colour ? board(job, { ...size, colour: false }) : lines
  }
  const soon = (): void => { due ??= setTimeout(() => { draw() }, Math.max(0, last + PAUSE - performance.now())) }
  const tick = setInterval(() => { soon() }, TICK)
  output.on('resize', soon)
  const rest = (below = 0): { cut: boolean } => {
    if (due !== undefined || below > 0) draw(below)
    // The first line ends with an id, which nobody misses here.
    const cut = plain.slice(1).some((line) => line.includes('…'))
    plain = []
    job = undefined
    return { cut }
  }
  return {
    show: (next) => {
      job = next
      soon()
    },
    remark: (text) => {
      if (text === remark) return
      remark = text
      soon()
    },
    rest,
    all: (whole) => {
      rest()
      for (const line of board(whole, { width: (output.columns ?? 80) - 1, colour, now: new Date() })) output.write(`${line}\n`)
    },
    close: () => {
      if (due !== undefined) draw()
      clearInterval(tick)
      clearTimeout(due)
      output.off('resize', soon)
    }
  }
}

/** Columns of a board that goes to a file or a pipe. */
const WIDE = 160

const told = (output: Output): BoardScreen => {
  let before: JobView | undefined
  let remarked: string | undefined
  const line = (text: string): void => { output.write(`${text}\n`) }
  return {
    show: (job) => {
      for (const text of changes(before, job)) line(text)
      before = job
    },
    remark: (text) => {
      if (text !== undefined && text !== remarked) line(text)
      remarked = text
    },
    rest: () => ({ cut: true }),
    all: (job) => { for (const text of board(job, { width: WIDE, colour: false, now: new Date() })) line(text) },
    close: () => {}
  }
}

/** What is new in a view, a line each: the state with its meaning, every consumer that moved (at first: that is in trouble), and who closed the gate. */
export const changes = (before: JobView | undefined, job: JobView): string[] => {
  const lines: string[] = []
  if (before?.state !== job.state) {
    lines.push(`${job.changed_at}  ${job.state}: ${printable(job.meaning)}`)
    if (job.failure !== null) for (const text of inWords(job.failure)) lines.push(`  ${printable(text)}`)
  }
  if (job.alarm !== null && withoutMinutes(job.alarm) !== withoutMinutes(before?.alarm)) lines.push(`  ${printable(job.alarm)}`)
  const known = new Map(before?.consumers.map((consumer) => [consumer.consumer, stands(consumer)]))
  for (const consumer of job.consumers) {
    const now = stands(consumer)
    if (before === undefined ? standing(consumer) === 'bad' : known.get(consumer.consumer) !== now) lines.push(`  ${consumer.consumer}: ${now}`)
  }
  if (job.state === 'validation_failed' && before?.state !== job.state) lines.push(`  ${gateInWords(job) ?? ''}`)
  return lines
}

/** That an alarm goes on ringing is no news. */
const withoutMinutes = (alarm: string | null | undefined): string | undefined => alarm?.replace(/\d+ minutes/, '')

const stands = (consumer: ConsumerView): string => {
  const { distribute_status: status, attempts, last_error: error, proof_outcome: outcome, waived } = consumer
  const proof = waived !== null ? ', waived' : outcome === null ? '' : `, ${outcome}`
  return `${status}${attempts > 1 ? ` after ${attempts} tries` : ''}${proof}${error !== null && standing(consumer) === 'bad' ? ` (${printable(error)})` : ''}`
}

// The board of a rotation: what a job's view says, as lines for a screen of a given size. Pure, so that a table tests it.
import { styleText } from 'node:util'
import type { ConsumerView, Exchange, JobView } from './rotation-api.ts'
import { hasEnded } from './rotation-api.ts'
import { stageMarks } from './board-stages.ts'
import { printable } from './terminal.ts'

export interface BoardOptions {
  /** Columns of the screen; no line is longer. */
  width: number
  /** Rows that may be used; absent: as many as it takes. */
  height?: number
  colour: boolean
  now: Date
  /** Something about us rather than about the job: a lost connection. */
  remark?: string | undefined
}

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'
interface Piece { text: string, style?: Style | undefined }
type Line = readonly Piece[]

/** Lines of the board; with `colour` they hold escape sequences, which take no columns. */
export const board = (job: JobView, options: BoardOptions): string[] => {
  const width = Math.max(20, options.width)
  const head = [...headOf(job, options.now), ...wrapped(job.meaning, width)]
  const foot = [...failureOf(job, width), ...gateOf(job, width), ...warnings(job, options, width)]
  const room = options.height === undefined ? Infinity : Math.max(1, options.height - head.length - foot.length - 2)
  const lines: Line[] = [...head, [], ...consumersOf(job, width, room), ...foot]
  // A drawing that is higher than the screen could not be drawn over.
  return lines.slice(0, Math.max(1, options.height ?? Infinity)).map((line) => paint(cut(line, width), options.colour))
}

const headOf = (job: JobView, now: Date): Line[] => {
  const since = Date.parse(job.changed_at)
  const lasts = hasEnded(job) || Number.isNaN(since) ? '' : `  for ${duration(now.getTime() - since)}`
  return [
    [{ text: job.credential, style: 'bold' }, { text: `  ${job.state}`, style: styleOfState(job.state) }, { text: lasts, style: 'dim' }, { text: `  ${job.mode === 'replace' ? 'replaces a dead value, ' : ''}rotation ${job.rotation_id}`, style: 'dim' }],
    stageMarks(job).flatMap(({ stage, mark, style }, index): Piece[] => [...index === 0 ? [] : [{ text: '  ' }], { text: `${mark} ${stage}`, style }])
  ]
}

const styleOfState = (state: string): Style =>
  state === 'done' || state === 'validated' ? 'green' : /failed|partial|unconfirmed|unknown/.test(state) ? 'red' : 'cyan'

/** How a consumer stands: `bad` needs somebody, `moving` is under way. */
type Standing = 'bad' | 'moving' | 'good'

export const standing = ({ distribute_status: got, proof_outcome: proof, waived }: ConsumerView): Standing => {
  if (waived !== null || proof === 'proved') return 'good'
  if (got === 'failed' || got === 'unreachable' || proof !== null) return 'bad'
  return got === 'succeeded' ? 'good' : 'moving'
}

const marks: Record<Standing, Piece> = { bad: { text: '✗ ', style: 'red' }, moving: { text: '· ', style: 'dim' }, good: { text: '✓ ', style: 'green' } }

/** In one word or two, what it has; what it was seen to use. */
const gotIt = ({ distribute_status: status, attempts }: ConsumerView): string => attempts > 1 ? `${status} ×${attempts}` : status
const usesIt = ({ proof_outcome: outcome, proof, waived }: ConsumerView): string =>
  waived !== null ? 'waived' : outcome === null ? '-' : outcome === 'proved' && proof.kind === 'none' ? 'healthy' : outcome

const consumersOf = (job: JobView, width: number, room: number): Line[] => {
  if (job.consumers.length === 0) return [[{ text: 'No consumers: the manifest names none.', style: 'dim' }]]
  const columns = columnsFor(width)
  const shown = fitting(job.consumers, room)
  const cells = [columns.map(({ title }) => title), ...shown.map((consumer) => columns.map(({ cell }) => printable(cell(consumer))))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => [...row[index] ?? ''].length)))
  const row = (texts: readonly string[]): string => texts.map((text, index) => text + ' '.repeat(Math.max(0, (widths[index] ?? 0) - [...text].length))).join('  ').trimEnd()
  const [titles = [], ...rows] = cells
  return [
    [{ text: `  ${row(titles)}`, style: 'dim' }],
    ...rows.flatMap((texts, index): Line[] => {
      const consumer = shown[index]
      if (consumer === undefined) return []
      const mark = marks[standing(consumer)]
      const line: Line = [mark, { text: row(texts) }]
      const told = width >= ALL_COLUMNS && [...row(texts)].length + 2 <= width
      // Where there is room for everything, what went wrong is said to its end.
      if (room !== Infinity || told || consumer.last_error === null) return [line]
      const short = width >= ALL_COLUMNS ? row(texts.slice(0, -1)) : row(texts)
      return [[mark, { text: short }], ...wrapped(consumer.last_error, width - 4).map((pieces): Line => [{ text: '    ' }, ...pieces])]
    }),
    ...restOf(job, shown)
  ]
}

interface Column { title: string, cell: (consumer: ConsumerView) => string }

/** From this width on every column is shown. */
const ALL_COLUMNS = 72

const columnsFor = (width: number): Column[] => {
  const error: Column = { title: '', cell: ({ last_error: text }) => text ?? '' }
  if (width >= ALL_COLUMNS) {
    return [
      { title: 'CONSUMER', cell: ({ consumer }) => consumer }, { title: 'REQUIRED', cell: ({ required }) => required ? 'yes' : 'no' },
      { title: 'BY', cell: ({ delivery }) => delivery.kind }, { title: 'GOT IT', cell: gotIt }, { title: 'USES IT', cell: usesIt }, error
    ]
  }
  const name: Column = { title: 'CONSUMER (* required)', cell: ({ consumer, required }) => required ? `${consumer} *` : consumer }
  if (width >= 48) return [name, { title: 'GOT IT', cell: gotIt }, { title: 'USES IT', cell: usesIt }]
  return [{ title: 'GOT / USES', cell: (consumer) => `${gotIt(consumer)} / ${usesIt(consumer)}` }, { ...name, title: 'CONSUMER' }]
}

/** All in the manifest's order if they fit; else those that need somebody first, then those under way, with a line kept for the rest. */
const fitting = (consumers: readonly ConsumerView[], room: number): ConsumerView[] => {
  if (consumers.length <= room - 1) return [...consumers]
  const rank: Record<Standing, number> = { bad: 0, moving: 1, good: 2 }
  return consumers
    .map((consumer) => ({ consumer, order: rank[standing(consumer)] * 2 + (consumer.required ? 0 : 1) }))
    .sort((a, b) => a.order - b.order)
    .slice(0, Math.max(0, room - 2))
    .map(({ consumer }) => consumer)
}

const restOf = (job: JobView, shown: readonly ConsumerView[]): Line[] => {
  const seen = new Set(shown)
  const rest = job.consumers.filter((consumer) => !seen.has(consumer))
  if (rest.length === 0) return []
  const counts = new Map<string, number>()
  for (const consumer of rest) {
    const word = usesIt(consumer) === '-' ? consumer.distribute_status : usesIt(consumer)
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return [[{ text: `  … ${rest.length} more: ${[...counts].map(([word, count]) => `${count} ${word}`).join(', ')}`, style: 'dim' }]]
}

/** What made a stage fail, in the vendor's own words. */
const failureOf = ({ failure }: JobView, width: number): Line[] =>
  failure === null ? [] : [[], ...inWords(failure).flatMap((text) => wrapped(text, width, 'red').slice(0, 6))]

/** Probes whose name alone would be read as their answer. */
const questions: Readonly<Record<string, string>> = { refused: 'refused?', refuses_random: 'refuses a made-up value?' }

export const inWords = ({ probe, outcome, request, answer, failure }: Exchange): string[] => [
  `${questions[probe] ?? probe}: ${request.method} ${request.target}`,
  outcome === 'by_hand' ? 'not asked: it is left to the operator' : answer === null ? `no answer: ${failure ?? 'unknown'}` : `answered ${answer.status}${answer.body === undefined || answer.body === '' ? '' : `: ${answer.body}`}`
]

/** Why a consumer closes the gate, in words; what is not known here is printed as it came. */
const whys: Readonly<Record<string, string>> = {
  not_proved: 'has proved nothing yet',
  unproved: 'uses another value',
  unhealthy: 'says that it is unwell',
  unreachable: 'does not answer',
  not_possessing: 'gives no proof',
  proof_too_old: 'proved it too long ago',
  old_value_used: 'the old value was used since',
  new_value_refused: 'the vendor refuses the new value',
  new_value_missing: 'the vault does not hold the new value',
  new_value_untried: 'the vendor did not say whether it accepts the new value',
  vendor_list_failed: 'the vendor did not list its tokens'
}

/** How many of those that close the gate are named, until all are asked for. */
const NAMED = 5

const gateOf = (job: JobView, width: number): Line[] => {
  const text = gateInWords(job)
  return text === undefined ? [] : [[], ...wrapped(text, width, job.gate.open ? 'green' : 'yellow')]
}

/** How the gate stands and who keeps it closed; undefined where it is not asked for. */
export const gateInWords = ({ gate, new_value: made, state }: JobView): string | undefined => {
  if (made === null || state === 'done' || /abort|minting|distribut|confirming|revok/.test(state)) return undefined
  if (gate.open) return 'Gate: open. The old value may be revoked.'
  if (gate.closed_by.length === 0) return 'Gate: closed, and nobody stands in the way any more. Validate to open it.'
  const named = gate.closed_by.slice(0, NAMED).map(({ consumer, why }) => `${consumer === null ? '' : `${consumer} `}${whys[why] ?? why}`)
  const more = gate.closed_by.length - named.length
  return `Gate: closed. ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`
}

const warnings = ({ alarm }: JobView, { remark }: BoardOptions, width: number): Line[] =>
  [alarm, remark].flatMap((text) => text === null || text === undefined ? [] : [[], ...wrapped(text, width, 'yellow')])

/** A text on as many lines as it takes. Words that are longer than a line are cut later. */
const wrapped = (text: string, width: number, style?: Style): Line[] => {
  const lines: string[] = []
  for (const word of printable(text).split(/\s+/)) {
    const last = lines.at(-1)
    if (last !== undefined && [...last].length + 1 + [...word].length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.map((line) => [{ text: line, style }])
}

const cut = (line: Line, width: number): Line => {
  let left = width
  const pieces: Piece[] = []
  for (const { text, style } of line) {
    const letters = [...text]
    if (letters.length > left) {
      pieces.push({ text: `${letters.slice(0, Math.max(0, left - 1)).join('')}…`, style })
      return left > 0 ? pieces : pieces.slice(0, -1)
    }
    pieces.push({ text, style })
    left -= letters.length
  }
  return pieces
}

const paint = (line: Line, colour: boolean): string =>
  line.map(({ text, style }) => colour && style !== undefined && text !== '' ? styleText(style, text, { validateStream: false }) : text).join('').trimEnd()

/** Milliseconds as a person says them. */
const duration = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`
}

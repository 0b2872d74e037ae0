// `chancery import FILE`: takes over the testers of an existing beta from a CSV file, all of them or none.
import { readFile } from 'node:fs/promises'
import { CsvError, parse } from 'csv-parse/sync'
import { Failure, ProblemFailure } from '../failures.ts'
import { jsonOption, type Family, type Json } from '../verb.ts'
import type { Problem } from '../what-to-do.ts'

const PATH = '/api/v1/console/beta/testers/import'
const COLUMNS = ['email', 'invited_at', 'token_consumed_at', 'user_created_at', 'passkeys'] as const

interface Report { imported: number, already_imported: number, passkey_placeholders: number, [key: string]: unknown }

export const importVerb: Family = (program, bind) => {
  const command = program.command('import').argument('<file>')
    .description(`Imports testers of an existing beta from a CSV file with the columns ${COLUMNS.join(', ')}. All rows are checked first; one bad row, and nothing is imported. Running it again imports nothing twice.`)
    .addOption(jsonOption())
  bind(command, async ({ client, terminal }, file: string, options: Json) => {
    const rows = readRows(await readText(file))
    try {
      const { body } = await client.request<Report>('POST', PATH, { body: { rows }, timeout: PATIENCE })
      if (options.json === true) terminal.json(body)
      else terminal.line(inWords(body))
      return 'done'
    } catch (error) {
      if (error instanceof ProblemFailure && options.json !== true) for (const line of errorLines(error.problem.fields)) terminal.note(`${file}:${line}`)
      throw error
    }
  })
}

/** Milliseconds that an import may take: far more than 10,000 rows need. */
const PATIENCE = 300_000

const inWords = ({ imported, already_imported: already, passkey_placeholders: placeholders }: Report): string => [
  `imported: ${imported}; already here: ${already}`,
  ...placeholders > 0 ? [`${placeholders} with passkeys of the old beta: counted as healthy, and unable to sign in here`] : []
].join('\n')

interface RowError { line: number, column: string, message: string }

/** What is wrong with the file, in the form that editors jump to: line, column's name, reason. */
const errorLines = ({ errors }: Problem['fields']): string[] =>
  Array.isArray(errors) ? (errors as RowError[]).map(({ line, column, message }) => `${line}: ${column} ${message}`) : []

const readText = async (file: string): Promise<string> => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (error) {
    throw new Failure('usage', error instanceof TypeError ? `${file} is not UTF-8 text.` : `${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
}

/** Rows by column with the line each stands on; throws with the line of what is not CSV. */
const readRows = (text: string): Array<Record<string, unknown>> => {
  try {
    const records: Array<{ record: Record<string, string>, info: { lines: number } }> =
      parse(text, { columns: checkHeader, bom: true, skip_empty_lines: true, trim: true, info: true, max_record_size: 65_536 })
    if (records.length === 0) throw new Failure('usage', `The file holds no rows. Its first line is the header: ${COLUMNS.join(',')}`)
    return records.map(({ record, info }) => ({ line: info.lines, ...record }))
  } catch (error) {
    if (error instanceof CsvError) throw new Failure('usage', `line ${String(error['lines'])}: ${error.message}`)
    throw error
  }
}

const checkHeader = (header: string[]): string[] => {
  const known: readonly string[] = COLUMNS
  const strange = header.filter((column) => !known.includes(column))
  const missing = known.filter((column) => !header.includes(column))
  if (strange.length + missing.length === 0) return header
  throw new Failure('usage', [`line 1: the header must name ${COLUMNS.join(', ')}.`,
    ...missing.length > 0 ? [`missing: ${missing.join(', ')}`] : [], ...strange.length > 0 ? [`unknown: ${strange.join(', ')}`] : []].join(' '))
}

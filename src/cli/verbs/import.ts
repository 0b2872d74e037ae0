// `chancery import FILE`: takes over the testers of an existing beta from a CSV file, all of them or none.
import { readFile } from 'node:fs/promises'
import { CsvError, parse } from 'csv-parse/sync'
import { Failure } from '../failures.ts'
import { jsonOption, type Family, type Json } from '../verb.ts'

const PATH = '/api/v1/console/beta/testers/import'
const COLUMNS = ['email', 'invited_at', 'token_consumed_at', 'user_created_at', 'passkeys'] as const

interface Report { imported: number, already_imported: number, [key: string]: unknown }

export const importVerb: Family = (program, bind) => {
  const command = program.command('import').argument('<file>')
    .description(`Imports testers of an existing beta from a CSV file with the columns ${COLUMNS.join(', ')}. All rows are checked first; one bad row, and nothing is imported. Running it again imports nothing twice.`)
    .addOption(jsonOption())
  bind(command, async ({ client, terminal }, file: string, options: Json) => {
    const rows = readRows(await readText(file))
    const { body } = await client.request<Report>('POST', PATH, { body: { rows }, timeout: 120_000 })
    if (options.json === true) terminal.json(body)
    else terminal.line(`imported: ${body.imported}; already here: ${body.already_imported}`)
    return 'done'
  })
}

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

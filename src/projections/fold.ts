// Folds a batch of events per key in memory: what the handlers asked for, the rows it needs, the rows it leaves.
import type { LogEvent } from '../domain/catalogue.ts'
import type { Sql } from '../ports.ts'
import { isNullable, quoted, toParameter, typeOf, type Row, type TableDefinition } from './columns.ts'
import type { Projector, TableRows } from './define.ts'

type Fold = (row: Row | undefined) => Row | undefined

interface Entry {
  key: Row
  /** False if the first thing that happened does not depend on the row. */
  load: boolean
  loaded: Row | undefined
  folds: Fold[]
}

interface TableWork {
  definition: TableDefinition
  /** Name of the generation's table. */
  physical: string
  entries: Map<string, Entry>
}

/** Lets the handlers of `projector` speak about `events` and collects, per table and key, what they want. */
export const collect = (projector: Projector, physical: (table: string) => string, events: readonly LogEvent[]): TableWork[] => {
  const work = Object.entries(projector.tables).map(([name, definition]): TableWork & { name: string } =>
    ({ name, definition, physical: physical(name), entries: new Map() }))
  const rows = Object.fromEntries(work.map((table) => [table.name, recorder(table)]))
  for (const event of events) projector.apply(rows, event)
  return work
}

const recorder = ({ definition, entries }: TableWork): TableRows => {
  const entryOf = (key: Row): Entry => {
    const id = keyOf(definition, key)
    let entry = entries.get(id)
    if (entry === undefined) entries.set(id, entry = { key: Object.fromEntries(definition.key.map((column) => [column, key[column]])), load: true, loaded: undefined, folds: [] })
    return entry
  }
  const replace = (key: Row, row: Row | undefined): void => {
    const entry = entryOf(key)
    entry.load = false
    entry.folds = [() => row]
  }
  const change = (key: Row, fold: Fold): void => { entryOf(key).folds.push(fold) }
  return {
    put: (row) => replace(row, row),
    remove: (key) => replace(key, undefined),
    change,
    patch: (key, columns) => change(key, (row) => row && { ...row, ...(typeof columns === 'function' ? columns(row) : columns) })
  }
}

const keyOf = (definition: TableDefinition, row: Row): string => definition.key.map((column) => String(row[column])).join('\u0001')

/** Fetches the rows that the folds start from, in one statement a table. */
export const load = async (sql: Sql, work: readonly TableWork[]): Promise<void> => {
  await Promise.all(work.map(async ({ definition, physical, entries }) => {
    const wanted = [...entries.values()].filter((entry) => entry.load)
    if (wanted.length === 0) return
    const columns = Object.keys(definition.columns).map((column) => `t.${quoted(column)}`).join(', ')
    const keys = definition.key.map(quoted).join(', ')
    const { rows } = await sql.query(
      `select ${columns} from unnest(${arrays(definition, definition.key)}) as k(${keys}) join ${quoted(physical)} t using (${keys})`,
      parameters(definition, definition.key, wanted.map((entry) => entry.key)), `${physical}_load`)
    for (const row of rows) {
      const entry = entries.get(keyOf(definition, row))
      if (entry !== undefined) entry.loaded = row
    }
  }))
}

export interface Statement { text: string, values: unknown[], name: string }

/** Folds, and says what is to be written: one delete and one upsert a table; a row that came out as it went in is left alone. */
export const statementsOf = (work: readonly TableWork[]): Statement[] => work.flatMap(({ definition, physical, entries }) => {
  const gone: Row[] = []
  const kept: Row[] = []
  for (const entry of entries.values()) {
    const row = entry.folds.reduce((folded, fold) => fold(folded), entry.loaded)
    if (row !== undefined && row !== entry.loaded) kept.push(complete(definition, row))
    if (row === undefined && (entry.loaded !== undefined || !entry.load)) gone.push(entry.key)
  }
  const statements: Statement[] = []
  if (gone.length > 0) statements.push({ text: deletion(definition, physical), values: parameters(definition, definition.key, gone), name: `${physical}_delete` })
  if (kept.length > 0) statements.push({ text: upsert(definition, physical), values: parameters(definition, Object.keys(definition.columns), kept), name: `${physical}_upsert` })
  return statements
})

/** Postgres would take an absent value of a nullable column in silence: say which one is missing. */
const complete = (definition: TableDefinition, row: Row): Row => {
  for (const [column, type] of Object.entries(definition.columns)) {
    if (row[column] === undefined && !isNullable(type)) throw new Error(`the row has no ${column}`)
  }
  return row
}

const arrays = ({ columns }: TableDefinition, names: readonly string[]): string =>
  names.map((name, index) => `$${index + 1}::${typeOf(columns[name] ?? 'text')}[]`).join(', ')

const parameters = ({ columns }: TableDefinition, names: readonly string[], rows: readonly Row[]): unknown[] =>
  names.map((name) => rows.map((row) => toParameter(columns[name] ?? 'text', row[name])))

const deletion = (definition: TableDefinition, physical: string): string => {
  const keys = definition.key.map(quoted)
  return `delete from ${quoted(physical)} t using unnest(${arrays(definition, definition.key)}) as k(${keys.join(', ')})
    where ${keys.map((key) => `t.${key} = k.${key}`).join(' and ')}`
}

const upsert = (definition: TableDefinition, physical: string): string => {
  const columns = Object.keys(definition.columns)
  const names = columns.map(quoted).join(', ')
  const others = columns.filter((column) => !definition.key.includes(column)).map(quoted)
  return `insert into ${quoted(physical)} (${names}) select * from unnest(${arrays(definition, columns)})
    on conflict (${definition.key.map(quoted).join(', ')}) do ${others.length === 0
      ? 'nothing'
      : `update set ${others.map((column) => `${column} = excluded.${column}`).join(', ')}`}`
}

// Column types of read models: what they hold in TypeScript and how they travel to and from Postgres.
import type { Instant } from '../domain/event.ts'

interface Values {
  uuid: string
  text: string
  int4: number
  int8: bigint
  boolean: boolean
  timestamptz: Instant
  /** Kept byte for byte as it was written (decision 13): `json`, never `jsonb`. */
  json: unknown
}

export type ColumnType = keyof Values
/** A column's type; a question mark lets it be null. */
export type Column = ColumnType | `${ColumnType}?`
export type Columns = Readonly<Record<string, Column>>

type ValueOf<C extends Column> = C extends ColumnType ? Values[C] : C extends `${infer T extends ColumnType}?` ? Values[T] | null : never
export type RowOf<C extends Columns> = { -readonly [K in keyof C]: ValueOf<C[K]> }

/** A row as the engine handles it. */
export type Row = Record<string, unknown>

export interface TableDefinition<C extends Columns = Columns, K extends keyof C & string = keyof C & string> {
  columns: C
  /** The primary key: rows are folded one key at a time. Never null. */
  key: readonly K[]
  /** What follows `create index … on table`: `(address_hash)`, `(state, invited_at desc) where deleted`. */
  indexes?: readonly string[]
}

/** Describes one table of a read model. Its view carries the table's plain name. */
export const table = <const C extends Columns, const K extends keyof C & string>(definition: TableDefinition<C, K>): TableDefinition<C, K> => definition

/** The Postgres type of a column, without its question mark. */
export const typeOf = (column: Column): ColumnType => column.replace('?', '') as ColumnType

export const isNullable = (column: Column): boolean => column.endsWith('?')

/** A value as an element of the array parameter that UNNEST takes. */
export const toParameter = (column: Column, value: unknown): unknown => {
  if (value === null || value === undefined) return null
  return typeOf(column) === 'json' ? JSON.stringify(value) : value
}

/** Double-quotes an identifier. */
export const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`

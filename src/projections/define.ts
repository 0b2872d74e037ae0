// How a read model is written down: its tables, and for each event type what it does to their rows.
import { categories as allCategories, categoryOf, type Category, type EventOf, type LogEvent } from '../domain/catalogue.ts'
import type { Columns, Row, RowOf, TableDefinition } from './columns.ts'

/**
 * The rows of one table, as a handler changes them. Calls are recorded, and folded one key at a time in the order of
 * the log; rows are loaded and written once per batch. So a handler sees only the row of the key it names.
 */
export interface TableRows<R extends object = Row, K extends keyof R = keyof R> {
  /** Writes the row whole; it need not be loaded. */
  put (row: R): void
  /** Turns the row (undefined if absent) into what it is now (undefined: delete it). Pure: no clock, no chance. */
  change (key: Pick<R, K>, fold: (row: R | undefined) => R | undefined): void
  /** Changes some columns; an absent row stays absent. */
  patch (key: Pick<R, K>, columns: Partial<R> | ((row: R) => Partial<R>)): void
  remove (key: Pick<R, K>): void
}

export type Tables = Readonly<Record<string, TableDefinition>>
type RowsOf<D> = D extends TableDefinition<infer C extends Columns, infer K> ? TableRows<RowOf<C>, K & keyof RowOf<C>> : never
export type RowsByTable<T extends Tables> = { readonly [N in keyof T]: RowsOf<T[N]> }

type TypesOf<C extends Category> = { [N in C]: EventOf<N>['type'] }[C]
type Handlers<C extends Category, T extends Tables> = {
  /** One for each event type of the categories: leaving one out does not compile. `ignored` does nothing. */
  [E in TypesOf<C>]: (rows: RowsByTable<T>, event: Extract<LogEvent, { type: E }>) => void
}

/** A read model as the engine runs it. */
export interface Projector {
  name: string
  /** Counts up whenever tables or handlers change what the rows are: a higher one is filled anew before it serves. */
  version: number
  tables: Tables
  /** True if the events of this stream category concern it. */
  concerns (category: string): boolean
  /** Applies one event; the engine provides the rows. A handler that throws stops this projector. */
  apply (rows: Readonly<Record<string, TableRows>>, event: LogEvent): void
}

/** Nothing to do for this event type. */
export const ignored = (): void => {}

/**
 * Defines a read model over some stream categories.
 * @example defineProjector({ name: 'users', version: 1, categories: ['user'], tables: { users: table({…}) }, on: {…} })
 */
export const defineProjector = <const C extends Category, const T extends Tables>(definition: {
  name: string
  version: number
  categories: readonly C[]
  tables: T
  on: Handlers<C, T>
}): Projector => {
  const { name, version, tables } = definition
  const concerned = new Set<string>(definition.categories)
  const handlers = new Map(Object.entries(definition.on)) as Map<string, (rows: unknown, event: LogEvent) => void>
  return {
    name,
    version,
    tables,
    concerns: (category) => concerned.has(category),
    apply: (rows, event) => { if (concerned.has(categoryOf(event.stream))) handlers.get(event.type)?.(rows, event) }
  }
}

/** Defines a read model over every event of ours, or of some categories, whatever its type. */
export const defineLogProjector = <const T extends Tables>(definition: {
  name: string
  version: number
  categories?: readonly Category[]
  tables: T
  each: (rows: RowsByTable<T>, event: LogEvent) => void
}): Projector => {
  const { name, version, tables, each } = definition
  const concerned = new Set<string>(definition.categories ?? allCategories)
  return {
    name,
    version,
    tables,
    concerns: (category) => concerned.has(category),
    apply: (rows, event) => { if (concerned.has(categoryOf(event.stream))) each(rows as unknown as RowsByTable<T>, event) }
  }
}

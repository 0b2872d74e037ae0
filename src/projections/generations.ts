// The registry of read models in Postgres: generations of tables, their checkpoints, and the view that serves one of them.
import type { LogEvent } from '../domain/catalogue.ts'
import type { Database, Sql } from '../ports.ts'
import type { ProjectionAlarm, VerifyResult } from '../queries.ts'
import { isNullable, quoted, typeOf, type TableDefinition } from './columns.ts'
import type { Projector } from './define.ts'

export interface Generation {
  name: string
  generation: number
  version: number
  /** Made to serve, or to be compared and dropped. */
  kind: 'fill' | 'verify'
  state: 'filling' | 'serving' | 'verifying' | 'done' | 'aborted'
  /** Names of its tables, as long as they exist. */
  tables: string[]
  read_to: bigint | null
  position: bigint | null
  event_id: string | null
  event_created: string | null
  alarm: ProjectionAlarm | null
  result: VerifyResult | null
}

/** Where a checkpoint is moved to. Without `event` only what was looked at moves. */
export interface Advance { readTo: bigint, event?: Pick<LogEvent, 'position' | 'id' | 'created'> }

const columns = 'name, generation, version, kind, state, tables, read_to, position, event_id, event_created, alarm, result'

/** Name of a generation's table; the view has the plain name. */
export const physicalName = (table: string, { version, generation }: Pick<Generation, 'version' | 'generation'>): string =>
  `${table}_v${version}_g${generation}`

/** All generations of one read model that still matter, the newest first. */
export const generationsOf = async (sql: Sql, name: string): Promise<Generation[]> =>
  (await sql.query<Generation>(`select ${columns} from projection_generation where name = $1 order by generation desc`, [name])).rows

export const generationAt = async (sql: Sql, name: string, generation: number): Promise<Generation | undefined> =>
  (await sql.query<Generation>(`select ${columns} from projection_generation where name = $1 and generation = $2`, [name, generation])).rows[0]

/** The generations that serve or are worked on, of all read models; aborted ones whose tables are still there, too. */
export const openGenerations = async (sql: Sql): Promise<Generation[]> =>
  (await sql.query<Generation>(`select ${columns} from projection_generation
    where state in ('filling', 'serving', 'verifying') or tables <> '{}' order by name, generation`)).rows

const moving = (source = ''): string => `update projection_generation
    set read_to = $4, position = coalesce($5, position), event_id = coalesce($6, event_id), event_created = coalesce($7, event_created), alarm = null ${source}
    where name = $1 and generation = $2 and read_to is not distinct from $3 and state in ('filling', 'serving', 'verifying')`

const valuesOf = ({ name, generation }: Generation, from: bigint | null, to: Advance): unknown[] =>
  [name, generation, from, to.readTo, to.event?.position ?? null, to.event?.id ?? null, to.event?.created ?? null]

/**
 * Moves the checkpoint if it still stands at `from`: this row is the lock, and whoever finds it moved stands by.
 * @returns false if somebody else moved it, or the generation is not worked on any more
 */
export const advance = async (sql: Sql, generation: Generation, from: bigint | null, to: Advance): Promise<boolean> =>
  (await sql.query(moving(), valuesOf(generation, from, to), 'projection_advance')).count === 1

/**
 * The same in a transaction of its own, for events that change no row. Postgres does not wait for its disk: should it
 * lose the step with its power, the checkpoint stands further back over the same rows, and the events are passed again.
 */
export const pass = async (sql: Sql, generation: Generation, from: bigint | null, to: Advance): Promise<boolean> =>
  (await sql.query(`with quick as (select set_config('synchronous_commit', 'off', true)) ${moving('from quick')}`, valuesOf(generation, from, to), 'projection_pass')).count === 1

/** Makes the tables of the next generation. Whatever the plain names show stays, unless they show nothing yet. */
export const createGeneration = async (sql: Sql, projector: Projector, kind: Generation['kind']): Promise<Generation> => {
  const { name, version } = projector
  const highest = (await generationsOf(sql, name))[0]?.generation ?? 0
  const made = { name, generation: highest + 1, version }
  const physicals = Object.keys(projector.tables).map((table) => physicalName(table, made))
  for (const [table, definition] of Object.entries(projector.tables)) await createTable(sql, physicalName(table, made), definition)
  const { rows } = await sql.query<Generation>(`insert into projection_generation (name, generation, version, kind, state, tables)
    values ($1, $2, $3, $4, $5, $6) returning ${columns}`, [name, made.generation, version, kind, kind === 'fill' ? 'filling' : 'verifying', physicals])
  if (highest === 0) await createViews(sql, projector, made)
  return rows[0] as Generation
}

const createTable = async (sql: Sql, physical: string, definition: TableDefinition): Promise<void> => {
  const lines = Object.entries(definition.columns).map(([column, type]) => `${quoted(column)} ${typeOf(type)}${isNullable(type) ? '' : ' not null'}`)
  await sql.query(`create table ${quoted(physical)} (${lines.join(', ')}, primary key (${definition.key.map(quoted).join(', ')}))`)
}

/** Indexes come when the rows are there: made meanwhile, they would cost every batch of a rebuild, and a verification needs none. */
export const createIndexes = async (sql: Sql, projector: Projector, generation: Generation): Promise<void> => {
  await sql.query('set statement_timeout = 0')
  for (const [name, { indexes = [] }] of Object.entries(projector.tables)) {
    const physical = physicalName(name, generation)
    for (const [number, index] of indexes.entries()) await sql.query(`create index if not exists ${quoted(`${physical}_${number + 1}`)} on ${quoted(physical)} ${index}`)
  }
  await sql.query("set statement_timeout = '60s'")
}

const createViews = async (sql: Sql, projector: Projector, generation: Pick<Generation, 'version' | 'generation'>): Promise<void> => {
  for (const [table, definition] of Object.entries(projector.tables)) {
    const names = Object.keys(definition.columns).map(quoted).join(', ')
    await sql.query(`create view ${quoted(table)} as select ${names} from ${quoted(physicalName(table, generation))}`)
  }
}

/** Turns the views to `next` and retires the one that served, in the transaction of the caller. */
export const serve = async (sql: Sql, projector: Projector, next: Generation): Promise<void> => {
  for (const old of await generationsOf(sql, projector.name)) {
    for (const physical of old.tables) await sql.query(`drop view if exists ${quoted(physical.replace(/_v\d+_g\d+$/, ''))}`)
  }
  await sql.query("update projection_generation set state = 'done' where name = $1 and state = 'serving'", [projector.name])
  await sql.query("update projection_generation set state = 'serving', alarm = null where name = $1 and generation = $2", [projector.name, next.generation])
  await createViews(sql, projector, next)
}

/** Drops the tables of a generation that is done or was aborted. Readers of the old view may still hold them: passing errors are tried again later. */
export const dropTables = async (database: Database, { name, generation }: Generation): Promise<void> => {
  await database.transaction(async (sql) => {
    await lockRegistry(sql, name)
    const found = await generationAt(sql, name, generation)
    if (found === undefined || !['done', 'aborted'].includes(found.state)) return
    for (const physical of found.tables) await sql.query(`drop table if exists ${quoted(physical)}`)
    await sql.query("update projection_generation set tables = '{}' where name = $1 and generation = $2", [name, generation])
  })
}

/** Gives up a generation that does not serve; whoever fills it finds its checkpoint closed. */
export const abortGeneration = async (sql: Sql, { name, generation }: Pick<Generation, 'name' | 'generation'>): Promise<boolean> =>
  (await sql.query("update projection_generation set state = 'aborted' where name = $1 and generation = $2 and state in ('filling', 'verifying')", [name, generation])).count === 1

/** Changes to the registry of one read model run one after the other, whatever the process. */
export const lockRegistry = async (sql: Sql, name: string): Promise<void> => {
  await sql.query("select pg_advisory_xact_lock(hashtext('chancery projection'), hashtext(current_schema() || '.' || $1))", [name])
}

/** Notes at the checkpoint what stopped it, for whoever asks another process. */
export const noteAlarm = async (sql: Sql, { name, generation }: Pick<Generation, 'name' | 'generation'>, alarm: ProjectionAlarm): Promise<void> => {
  await sql.query('update projection_generation set alarm = $3 where name = $1 and generation = $2', [name, generation, JSON.stringify(alarm)])
}

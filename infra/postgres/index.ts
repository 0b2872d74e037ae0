// Opens Postgres for the program: schemas brought up to date, one pool, the engine's database.
import type { Pool } from 'pg'
import type { Database } from '../../src/ports.ts'
import { createDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { createPool } from './pool.ts'

export interface Postgres {
  /** Unqualified names are those of the read models' schema; name the vault's schema explicitly. */
  pool: Pool
  database: Database
  schemas: Schemas
  close (): Promise<void>
}

export interface Schemas { readModels: string, vault: string }

/** Names of the schemas: `{namespace_}chancery` can be rebuilt from the log, `{namespace_}vault` cannot. */
export const schemasOf = (namespace: string | undefined): Schemas => {
  const prefix = namespace === undefined || namespace === '' ? '' : `${namespace}_`
  return { readModels: `${prefix}chancery`, vault: `${prefix}vault` }
}

/**
 * Connects and migrates.
 * @throws the pg error if the server cannot be reached or a migration fails
 */
export const connectPostgres = async (options: {
  url: string, namespace?: string | undefined, max?: number, onError?: (error: Error) => void
}): Promise<Postgres> => {
  const { url } = options
  const schemas = schemasOf(options.namespace)
  await migrate(url, { 'read-models': schemas.readModels, vault: schemas.vault })
  const connection = { url, schema: schemas.readModels, applicationName: 'chancery' }
  const pool = createPool({ ...connection, ...(options.max !== undefined && { max: options.max }), ...(options.onError && { onError: options.onError }) })
  return { pool, database: createDatabase(pool, connection), schemas, close: async () => { if (!pool.ending) await pool.end() } }
}

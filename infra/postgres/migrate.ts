// Brings the schemas up to date: numbered SQL files, a folder per schema, one process at a time.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runner } from 'node-pg-migrate'

/** Compiled code runs from dist/, the SQL files stay where they were written. */
const folder = (name: string): string => {
  const beside = fileURLToPath(new URL(`./migrations/${name}`, import.meta.url))
  return existsSync(beside) ? beside : fileURLToPath(new URL(`../../../infra/postgres/migrations/${name}`, import.meta.url))
}

/**
 * Runs what is missing of infra/postgres/migrations/<folder>/*.sql, each folder in a schema of its own (search_path),
 * which is made if it is absent. A second process waits on an advisory lock until the first is done.
 * @param schemas folder of migrations → name of its schema
 */
export const migrate = async (url: string, schemas: Readonly<Record<string, string>>): Promise<void> => {
  for (const [name, schema] of Object.entries(schemas)) {
    await runner({
      databaseUrl: url, dir: folder(name), schema, createSchema: true, migrationsTable: 'migrations', direction: 'up',
      advisoryLockMode: 'wait', logger: silent
    })
  }
}

const silent = { info: () => {}, warn: () => {}, error: () => {} }

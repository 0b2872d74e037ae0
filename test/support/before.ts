// Runs once before all tests: starts what they share.
import { keepPostgres } from './keep-postgres.ts'
import { postgresFile } from './run.ts'

await keepPostgres(process.ppid, postgresFile())

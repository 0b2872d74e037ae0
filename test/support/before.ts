// Runs once before all tests: starts what they share.
import { keepPostgres } from './keep-postgres.ts'
import { redisProgram } from './redis.ts'
import { postgresFile } from './run.ts'

// Without a Redis the tests that need one say why, and the others run.
const redis = redisProgram().catch((error: unknown) => { process.stderr.write(`${String(error)}\n`) })
await keepPostgres(process.ppid, postgresFile())
await redis

// Where the servers of one test run are written down: the file is named after tap's runner, the parent of every test.
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Address file of the run's Postgres server; absent when a test file runs by itself. */
export const postgresFile = (): string => join(tmpdir(), `chancery-test-run-${process.ppid}.json`)

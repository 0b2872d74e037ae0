// Where one test run writes down its servers, its secrets and what it leaves: named after tap's runner, the parent of every test.
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Address file of the run's Postgres server; absent when a test file runs by itself. */
export const postgresFile = (): string => join(tmpdir(), `chancery-test-run-${process.ppid}.json`)

/** What the run's tests leave behind, to be searched at its end; absent when a test file runs by itself. */
export const leftFolder = (): string => join(tmpdir(), `chancery-test-left-${process.ppid}`)

/** What must not be found in it. */
export const canaryFile = (): string => join(tmpdir(), `chancery-test-canaries-${process.ppid}.jsonl`)

export const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

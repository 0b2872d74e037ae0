// Runs once before all tests: starts what they share, and begins to keep what they leave behind.
import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileProgram } from './compiled.ts'
import { keepPostgres } from './keep-postgres.ts'
import { beginRun } from './left-behind.ts'
import { alive, postgresFile } from './run.ts'

// A run that was killed searched nothing and left everything.
for (const name of readdirSync(tmpdir())) {
  const pid = /^chancery-test-(?:left|canaries)-(\d+)/.exec(name)?.[1]
  if (pid !== undefined && !alive(Number(pid))) rmSync(join(tmpdir(), name), { recursive: true, force: true })
}

beginRun({ what: 'the planted leak', text: `planted-${randomBytes(24).toString('base64url')}` })
await compileProgram(process.ppid)
await keepPostgres(process.ppid, postgresFile())

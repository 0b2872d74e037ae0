// Runs once before all tests: starts what they share.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { postgresFile } from './run.ts'

const file = postgresFile()
const keeper = fileURLToPath(new URL('postgres-keeper.ts', import.meta.url))
spawn(process.execPath, ['--import', 'tsx', keeper, String(process.ppid), file], {
  detached: true, stdio: 'ignore', env: { ...process.env, NODE_OPTIONS: '' }
}).unref()
const until = Date.now() + 60_000
while (!existsSync(file)) {
  if (Date.now() > until) throw new Error('the Postgres server of the tests did not start within a minute')
  await delay(20)
}
const { error } = JSON.parse(readFileSync(file, 'utf8')) as { error?: string }
if (error !== undefined) throw new Error(`the Postgres server of the tests did not start: ${error}`)

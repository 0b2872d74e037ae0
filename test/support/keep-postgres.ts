// Starts a Postgres server that lives as long as a given process, also if that one is killed.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { lastingArguments } from './compiled.ts'

const LIMIT_MS = 120_000

/** Resolves with the server's address once it serves; `file` holds it for others, too. */
export const keepPostgres = async (owner: number, file: string): Promise<{ url: string, keeper: number }> => {
  spawn(process.execPath, [...lastingArguments('test/support/postgres-keeper.ts'), String(owner), file], { detached: true, stdio: 'ignore' }).unref()
  const until = Date.now() + LIMIT_MS
  while (!existsSync(file)) {
    if (Date.now() > until) throw new Error('the Postgres server of the tests did not start in time')
    await delay(20)
  }
  const kept = JSON.parse(readFileSync(file, 'utf8')) as { url: string, keeper: number, error?: string }
  if (kept.error !== undefined) throw new Error(`the Postgres server of the tests did not start: ${kept.error}`)
  return kept
}

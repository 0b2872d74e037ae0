// Runs once after all tests: searches what they left behind for secrets and persons (I13), then stops what they shared.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import pg from 'pg'
import { createScanner, inWords } from './canary.ts'
import { forgetCompiled } from './compiled.ts'
import { readCanary } from './left-behind.ts'
import { canaryFile, leftFolder, postgresFile } from './run.ts'

/** Where the run's Postgres keeps its files; nothing of it is only in memory afterwards. */
const dataDirectory = async (url: string): Promise<string> => {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query('checkpoint')
    const { rows } = await client.query<{ setting: string }>("select setting from pg_settings where name = 'data_directory'")
    return rows[0]?.setting ?? ''
  } finally {
    await client.end()
  }
}

/** What is wrong with what the run left behind; undefined if nothing is. */
const search = async (url: string | undefined): Promise<string | undefined> => {
  const began = performance.now()
  const canaries = new Map(readFileSync(canaryFile(), 'utf8').split('\n').filter((line) => line !== '').map((line) => [line, readCanary(line)]))
  const scanner = createScanner([...canaries.values()])
  scanner.folder(leftFolder())
  if (url !== undefined) scanner.folder(await dataDirectory(url))
  const planted = ({ what, where }: { what: string, where: string }): boolean => what === 'the planted leak' && where.startsWith(`${leftFolder()}/planted/`)
  const findings = scanner.findings()
  const leaks = findings.filter((finding) => !planted(finding))
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  process.stderr.write(`# searched ${Math.round(scanner.read() / 1e6)} MB for ${canaries.size} secrets and persons in ${seconds} s: ${leaks.length} leaks\n`)
  if (leaks.length > 0) return `what the tests left behind holds in clear:\n${inWords(leaks)}`
  return findings.length > 0 ? undefined : 'the search did not find the leak that was planted for it'
}

const file = postgresFile()
const kept = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as { url?: string, keeper?: number } : {}
try {
  const wrong = existsSync(canaryFile()) ? await search(kept.url) : undefined
  if (wrong !== undefined) {
    process.stderr.write(`${wrong}\n`)
    process.exitCode = 1
  }
} finally {
  if (kept.keeper !== undefined) process.kill(kept.keeper, 'SIGTERM')
  forgetCompiled(process.ppid)
  for (const path of [file, canaryFile(), leftFolder()]) rmSync(path, { recursive: true, force: true })
}

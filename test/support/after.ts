// Runs once after all tests: stops what they shared.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { postgresFile } from './run.ts'

const file = postgresFile()
if (existsSync(file)) {
  const { keeper } = JSON.parse(readFileSync(file, 'utf8')) as { keeper?: number }
  if (keeper !== undefined) process.kill(keeper, 'SIGTERM')
  rmSync(file, { force: true })
}

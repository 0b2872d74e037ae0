// Databases for tests: a fresh one each, on the one server of the run (or an own one, if a file runs by itself).
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { keepPostgres } from './keep-postgres.ts'
import { isSearched, leaveText } from './left-behind.ts'
import { rowsIn } from './rows.ts'
import { postgresFile } from './run.ts'

export interface TestDatabase {
  /** Connection string of the fresh, empty database (superuser; SCRAM over loopback). */
  url: string
  name: string
}

/** Rows of a table that are searched for secrets at the end of the run; its first ones are like the others. */
const MOST_ROWS = 2_000

let server: Promise<string> | undefined

const serverUrl = (): Promise<string> => {
  server ??= existsSync(postgresFile())
    ? Promise.resolve((JSON.parse(readFileSync(postgresFile(), 'utf8')) as { url: string }).url)
    : ownServer()
  return server
}

const ownServer = async (): Promise<string> => {
  const { url, keeper } = await keepPostgres(process.pid, join(tmpdir(), `chancery-test-file-${process.pid}.json`))
  t.teardown(() => { process.kill(keeper, 'SIGTERM') })
  return url
}

const administer = async (url: string, sql: string): Promise<void> => {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/** Makes an empty database, dropped when `t` ends (whoever is still connected is cut off then). */
export const testDatabase = async (t: Pick<Test, 'teardown'>): Promise<TestDatabase> => {
  const url = await serverUrl()
  const name = `test_${process.pid}_${randomBytes(4).toString('hex')}`
  await administer(url, `create database ${name}`)
  const own = url.replace(/\/postgres$/, `/${name}`)
  t.teardown(async () => {
    if (isSearched()) for (const [table, text] of await rowsIn(own, MOST_ROWS)) await leaveText(`rows-${name}-${table}.txt`, text)
    await administer(url, `drop database if exists ${name} with (force)`)
  })
  return { url: own, name }
}

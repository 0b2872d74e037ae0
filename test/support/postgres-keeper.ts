// Keeps the Postgres server of one test run, or of one test file: gone with the process that asked for it.
// Arguments: process id to live as long as, and the file that tells its tests the address.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openPostgres } from '../../infra/local/postgres/index.ts'

const [owner, file] = process.argv.slice(2)
if (owner === undefined || file === undefined) throw new Error('usage: postgres-keeper <pid> <file>')

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const told = new AbortController()
process.on('SIGTERM', () => { told.abort() }).on('SIGINT', () => { told.abort() })

const tell = async (what: object) => {
  await writeFile(`${file}.new`, JSON.stringify(what), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

const home = await mkdtemp(join(tmpdir(), 'chancery-test-postgres-'))
try {
  const server = await openPostgres({ home: join(home, 'postgres'), durable: false })
  try {
    await tell({ url: server.url, keeper: process.pid })
    while (!told.signal.aborted && alive(Number(owner))) await delay(200)
  } finally {
    await server.stop()
  }
} catch (error) {
  await tell({ error: String(error) })
} finally {
  await rm(home, { recursive: true, force: true })
  // Whoever waits for the file reads why it failed.
  await delay(2_000)
  await rm(file, { force: true })
}

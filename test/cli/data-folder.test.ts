// The two verbs that need the data folder and a stopped service: recovering the superadmin, rotating the master key.
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { testService } from '../support/service.ts'
import { commandLine } from './command-line.ts'

const TESTERS = '/api/v1/console/beta/testers'

/** The service on test stores, with its master key in the data folder. */
const first = await testService(t, { env: { CHANCERY_MASTER_KEY: '' } })
const folder = first.dataDir
const chancery = (...words: string[]) => commandLine(first.env, words)
const firstToken = first.token()
const keyFile = join(folder, 'master.key')
const invited = await first.request('POST', TESTERS, { email: 'sealed@example.test' })

/** Starts the service again, sees that the tester's address still opens, and stops it. */
const opens = async (t: Test, env: Record<string, string> = {}, token?: string): Promise<void> => {
  const service = await testService(t, { beside: first, env })
  const { status, body } = await service.request('GET', `${TESTERS}/${String(invited.body['tester_id'])}`, undefined, token === undefined ? {} : { authorization: `Bearer ${token}` })
  t.match({ status, body }, { status: 200, body: { email: 'sealed@example.test' } })
  await service.stop()
}

t.test('both are refused while the service runs', async (t) => {
  for (const words of [['superadmin', 'recover'], ['keys', 'rotate']]) {
    const { exit, stderr } = await chancery(...words)
    t.equal(exit, 1, words.join(' '))
    t.not(stderr, '')
  }
  t.equal(first.token(), firstToken, 'nothing was written')
  await first.stop()
})

t.test('a recovered superadmin has a new token, in a file for its owner alone; the old one stays good', async (t) => {
  const { exit, stdout } = await chancery('superadmin', 'recover')
  t.match({ exit, stdout }, { exit: 0, stdout: /superadmin\.token/ })
  t.not(first.token(), firstToken)
  t.equal(statSync(join(folder, 'superadmin.token')).mode & 0o777, 0o600)
  t.notOk(stdout.includes(first.token()), 'the token is not on the screen')
  await opens(t)
  await opens(t, {}, firstToken)
})

t.test('a rotated master key opens what the old one sealed', async (t) => {
  const before = readFileSync(keyFile, 'utf8')
  t.match(await chancery('keys', 'rotate'), { exit: 0, stdout: /\d+ keys were wrapped again/ })
  t.not(readFileSync(keyFile, 'utf8'), before)
  const [old] = readdirSync(folder).filter((name) => name.endsWith('.old'))
  t.equal(readFileSync(join(folder, old ?? ''), 'utf8'), before, 'the old key is kept for old backups')
  await opens(t)
})

t.test('a rotation that was cut off is completed by the next', async (t) => {
  const before = readFileSync(keyFile, 'utf8')
  t.equal((await chancery('keys', 'rotate', '--json')).exit, 0)
  // As a crash between the vault's commit and the renaming leaves it.
  renameSync(keyFile, `${keyFile}.next`)
  writeFileSync(keyFile, before, { mode: 0o600 })
  await t.rejects(testService(t, { beside: first }), 'the old key opens nothing any more, and the start says so')
  t.match(JSON.parse((await chancery('keys', 'rotate', '--json')).stdout), { wrapped: 0 })
  t.notOk(existsSync(`${keyFile}.next`))
  await opens(t)
})

t.test('a key that comes from a setting is rotated to one that is handed over', async (t) => {
  const env = { ...first.env, CHANCERY_MASTER_KEY: readFileSync(keyFile, 'utf8').trim() }
  const bytes = randomBytes(32).toString('hex')
  const next = join(folder, 'next.key')
  writeFileSync(next, `${bytes}\n`)
  t.match(await commandLine(env, ['keys', 'rotate']), { exit: 1, stderr: /--to FILE/ })
  t.match(await commandLine(env, ['keys', 'rotate', '--to', join(folder, 'absent')]), { exit: 1, stderr: /cannot be read/ })
  t.match(await commandLine(env, ['keys', 'rotate', '--to', next]), { exit: 0, stdout: /CHANCERY_MASTER_KEY/ })
  await opens(t, { CHANCERY_MASTER_KEY: bytes })
})

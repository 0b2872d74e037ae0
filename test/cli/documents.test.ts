// The commands that the documents tell a reader to type, typed: tutorial, import, backup and restore, on the local stores.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { startLobby } from '../../src/cli/demo/lobby.ts'
import { playLifecycle } from '../../src/cli/demo/lifecycle-story.ts'
import { startConsumer, startVendor } from '../../src/cli/demo/rotation-processes.ts'
import { playRotation } from '../../src/cli/demo/rotation-story.ts'
import { stopWith } from '../support/end-with-us.ts'
import { redisOnPath } from '../support/redis.ts'
import { spawnService, type Answer } from '../support/service.ts'
import { until } from '../support/until.ts'
import type { Surroundings } from '../../src/cli/terminal.ts'
import { commandLine } from './command-line.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A reader's folder, outside of the repository since Postgres may run as another account. */
const place = mkdtempSync(join(tmpdir(), 'chancery-test-reader-'))
const dataDir = join(place, 'data')

/** `npm run -s chancery -- …` as the shell finds it: hands its words to this process, which need not be started for each. */
const npm = `#!${process.execPath}
const [run, silent, verb, dashes, ...words] = process.argv.slice(2)
if ([run, silent, verb, dashes].join(' ') !== 'run -s chancery --') { console.error('not a command of the documents: npm', ...process.argv.slice(2)); process.exit(99) }
require('node:http').request({ socketPath: '${join(place, 'socket')}', method: 'POST' }, async (response) => {
  const { exit, stdout, stderr } = JSON.parse(Buffer.concat(await response.toArray()).toString())
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  process.exitCode = exit
}).end(JSON.stringify({ words, env: process.env, stdin: require('node:fs').readFileSync(0, 'utf8') }))
`
mkdirSync(join(place, 'bin'))
writeFileSync(join(place, 'bin', 'npm'), npm, { mode: 0o755 })

const before = process.cwd()
process.chdir(place)
const server = createServer((request, response) => {
  void json(request).then(async (asked) => {
    const { words, env, stdin } = asked as { words: string[], env: Record<string, string>, stdin: string }
    response.end(JSON.stringify(await commandLine(env, words, { stdin: Readable.from([stdin]) })))
  })
}).listen(join(place, 'socket'))
t.teardown(() => {
  server.close()
  process.chdir(before)
  rmSync(place, { recursive: true, force: true })
})

interface Block { options: string, text: string }

/** Blocks of a page that are meant to be run: marked `sh run`. */
const blocksOf = (page: string): Block[] =>
  [...readFileSync(join(root, 'docs', page), 'utf8').matchAll(/^```sh run(.*)\n([^]*?)^```$/gm)].map(([, options = '', text = '']) => ({ options: options.trim(), text }))

/** Runs blocks in one shell, as a reader would; each must end as it says (`exit=1`), else well. */
const type = async (t: Test, blocks: readonly Block[], env: Record<string, string>): Promise<string> => {
  const script = blocks.map(({ options, text }) =>
    `set +e\n${text}\ncode=$?\n[ $code -eq ${/exit=(\d+)/.exec(options)?.[1] ?? 0} ] || { echo "exit $code:" ${JSON.stringify(text)} >&2; exit 1; }`).join('\n')
  const shell = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'], cwd: place, env: { PATH: `${join(place, 'bin')}:/usr/bin:/bin`, HOME: place, ...env } })
  let said = ''
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk: Buffer) => { said += String(chunk) })
  const [code] = await once(shell, 'close') as [number]
  t.equal(code, 0, said)
  return said
}

const only = (blocks: readonly Block[], name: string): Block[] => blocks.filter(({ options }) => options.includes(name))

/** The testers of an answer; up to where they were judged is another position each time. */
const testersIn = ({ body }: Answer): object[] => (body['items'] as object[]).map((tester) => ({ ...tester, evaluated_at_position: '' }))

t.test('tutorial, import, backup and restore do what they say', { timeout: 180_000 }, async (t) => {
  const tokenFile = join(dataDir, 'superadmin.token')
  const beside = {
    dataDir,
    // Not in the backup: after the restore it is given by the reader who kept it.
    token: () => existsSync(tokenFile) ? readFileSync(tokenFile, 'utf8').trim() : '',
    env: { CHANCERY_DATA_DIR: dataDir, CHANCERY_HTTP_PORT: '0', CHANCERY_LOG_LEVEL: 'silent', CHANCERY_OUTGOING_HTTP: 'loopback', PATH: `${await redisOnPath(t)}:/usr/bin:/bin` }
  }
  /** A reader is slower than the read models, which fill in the first moments after a start. */
  const start = async () => {
    const service = await spawnService(t, { stores: 'local', beside, cwd: place })
    await until(async () => (await service.request('GET', '/health/ready', undefined, { authorization: '' })).status === 200)
    return service
  }

  const first = await start()
  const tutorial = blocksOf('tutorial/first-ghost-reset.md')
  t.equal(tutorial.length, 7)
  const told = await type(t, tutorial, { CHANCERY_URL: first.url })
  for (const word of ['imported: 1', 'ghost_empty_shell', 'token_used', 'mail: sent', '.eml', 'console.beta.ghost_reset.completed']) t.ok(told.includes(word), word)
  t.match(await type(t, blocksOf('how-to/import-an-existing-beta.md'), { CHANCERY_URL: first.url }), /imported: 3[^]*sent again[^]*1 reset, 0 refused, 0 left/)

  const names = blocksOf('tutorial/names-that-are-released.md')
  t.equal(names.length, 11)
  await type(t, only(names, 'first'), { CHANCERY_URL: first.url })
  const addressIn = (folder: string) => readFileSync(join(dataDir, folder, 'url'), 'utf8').trim()
  const lobby = stopWith(t, await startLobby({
    chanceryUrl: first.url, token: readFileSync(join(place, 'lobby.token'), 'utf8').trim(), postgresUrl: addressIn('postgres'), redisUrl: addressIn('redis'),
    consumer: 'race-name-directory', stream: 'user:lifecycle_events'
  }))
  await until(async () => ((await first.request('GET', '/api/v1/lobby/consumers')).body['items'] as object[]).length > 0)
  const released = await type(t, only(names, 'second'), { CHANCERY_URL: first.url, DIRECTORY: lobby.url })
  t.match(released, /race-name-directory +race-name-directory +registered[^]*"name":"Compiler"[^]*permanent_blocked[^]*finished +released +1[^]*"items":\[\{"name":"Engine"[^]*can_login +no +permanent_block[^]*lifecycle +away[^]*user\.lifecycle\.deleted[^]*finished +released +1[^]*"items":\[\][^]*blocked: account_deleted[^]*iris@example\.test[^]*user\.record_opened/)
  await lobby.stop()

  const tellStory = async (play: (surroundings: Surroundings) => Promise<void>): Promise<string> => {
    let story = ''
    await play({
      env: { CHANCERY_URL: first.url, CHANCERY_DATA_DIR: dataDir }, stdin: Readable.from([]), stderr: process.stderr, signal: new AbortController().signal,
      stdout: new Writable({ write: (chunk: Buffer, _encoding, done) => { story += String(chunk); done() } })
    })
    return story
  }
  t.match(await tellStory(playLifecycle), /kill -STOP[^]*away, 2 entries behind the log[^]*Analytical Engine, Compiler, Enigma, Nanosecond[^]*released, 2[^]*released, 1[^]*kill -9[^]*names still taken +none[^]*0 missing, 0 extra, 0 different, 0 out of order/)

  // Much of a rotation's story is waiting between two tries: meanwhile the reader goes on.
  const rotated = tellStory(playRotation)
  const vendor = stopWith(t, await startVendor())
  const rotation = blocksOf('tutorial/first-rotation.md')
  t.equal(rotation.length, 7)
  await type(t, only(rotation, 'first'), { CHANCERY_URL: first.url, VENDOR: vendor.url })
  const billing = stopWith(t, await startConsumer({
    name: 'billing', credential: 'mail-api', pull: false, chanceryUrl: first.url, token: readFileSync(join(place, 'billing.token'), 'utf8').trim(),
    dataDir: join(place, 'billing-data'), vendorUrl: vendor.url, redis: undefined
  }))
  t.match(await type(t, only(rotation, 'second'), { CHANCERY_URL: first.url, VENDOR: vendor.url, CONSUMER: billing.url, CONTROL: billing.controlUrl, ADMIN_TOKEN: vendor.connectionToken }),
    /put: manifest of mail-api, version 1[^]*mail-api +2\d+-[^]*\{"status":200\}[^]*verified: [^]*distributed: [^]*validated: [^]*may be asked for: chancery rotations revoke[^]*done: Done[^]*Invalid credentials provided[^]*"refused":0,"failed":0[^]*refused\?: GET[^]*rotation\.done/)

  const { body: { user_id: userId } } = await first.request('POST', '/api/v1/auth/ensure-by-email', { email: 'ada@example.com' })
  t.match(await type(t, blocksOf('how-to/look-after-accounts.md'), { CHANCERY_URL: first.url, USER_ID: String(userId) }),
    /ada@example\.com[^]*sanctioned: account[^]*game:17[^]*removed: sanction[^]*limited: account[^]*removed: limit[^]*is on gold/)

  t.match(await rotated, /verify_failed[^]*the vendor says +401 \{"id":"unauthorized"[^]*changes at the vendor +0[^]*failed after 5 tries[^]*distribute_partial[^]*409 step_not_offered[^]*minted at the vendor +once[^]*validated[^]*422 confirmation_mismatch[^]*the old token at the vendor {2}→ {2}401[^]*0 refused, 0 failed[^]*rotation\.done/)
  const token = first.token()
  const had = await first.request('GET', '/api/v1/console/beta/testers')
  await first.stop()

  const backup = blocksOf('how-to/back-up-and-restore.md')
  await type(t, only(backup, 'backup'), {})
  rmSync(dataDir, { recursive: true })
  await type(t, only(backup, 'restore'), {})
  const restored = await start()
  const after = await restored.request('GET', '/api/v1/console/beta/testers', undefined, { authorization: `Bearer ${token}` })
  t.same(testersIn(after), testersIn(had), 'everybody is there, and their addresses open')
  t.match(await type(t, only(backup, 'check'), { CHANCERY_URL: restored.url, CHANCERY_TOKEN: token }), /Chancery is ready[^]*rows compared, 0 differ/)
  await restored.stop()
})

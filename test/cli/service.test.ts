// The command line and the demo against a whole service: import, sweep, replay, read models, access, recovery of what was cut off.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import type * as EventStore from '@eventstore/db-client'
import pg from 'pg'
import t from 'tap'
import { play } from '../../src/cli/demo/story.ts'
import { exitCodes } from '../../src/cli/failures.ts'
import { testService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { commandLine, values, type Ran } from './command-line.ts'

const { EventStoreDBClient } = createRequire(import.meta.url)('@eventstore/db-client') as typeof EventStore

const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString()
const HEADER = 'email,invited_at,token_consumed_at,user_created_at,passkeys'

const service = await testService(t)
const env = { CHANCERY_URL: service.url, CHANCERY_DATA_DIR: service.dataDir }
const chancery = (...words: string[]): Promise<Ran> => commandLine(env, words)
const folder = t.testdir()
const file = (name: string, lines: readonly string[]): string => {
  const path = join(folder, name)
  writeFileSync(path, [HEADER, ...lines, ''].join('\n'))
  return path
}

/** Position of the last command that printed one. */
const positionOf = ({ stdout }: Ran): string => values<{ position: string }>(stdout).at(-1)?.position ?? ''

/** Events of the log as the store has them, without the store's own. */
const storedEvents = async () => {
  const client = EventStoreDBClient.connectionString(service.env['CHANCERY_EVENTSTORE_URL'] ?? '')
  const found = []
  for await (const { event } of client.readAll()) {
    if (event !== undefined && !event.type.startsWith('$')) found.push({ id: event.id, stream: event.streamId, type: event.type, data: event.data })
  }
  await client.dispose()
  return found
}

t.test('a bad row is named with its line, and nothing is imported', async (t) => {
  const before = (await storedEvents()).length
  const bad = file('bad.csv', [
    `fine@example.test,${ago(90)},,,0`, `not an address,${ago(90)},,,0`, 'time@example.test,yesterday,,,0',
    `future@example.test,${ago(-60)},,,0`, `fine@example.test,${ago(90)},,,0`, `keys@example.test,${ago(90)},,,2`
  ])
  const { exit, stdout, stderr } = await chancery('import', bad)
  t.match({ exit, stdout }, { exit: 1, stdout: '' })
  for (const line of [3, 4, 5, 6, 7]) t.ok(stderr.includes(`${bad}:${line}: `), `line ${line}`)
  t.notOk(stderr.includes(`${bad}:2: `), 'the good row is not named')
  t.match(stderr, /import_invalid/)
  t.equal((await storedEvents()).length, before, 'nothing was appended')
})

let imported = ''

t.test('a file is imported once, however often it is sent', async (t) => {
  const good = file('good.csv', [
    `none@example.test,${ago(90)},${ago(60)},,0`, `"shell@example.test",${ago(90)},${ago(60)},${ago(60)},0`, '',
    `more@example.test,${ago(90)},${ago(60)},,`, `healthy@example.test,${ago(90)},${ago(60)},${ago(60)},2`, `unused@example.test,${ago(90)},,,`
  ])
  const first = await chancery('import', good, '--json')
  imported = positionOf(first)
  t.match(JSON.parse(first.stdout), { rows: 5, imported: 5, already_imported: 0, passkey_placeholders: 1 })
  const after = (await storedEvents()).length
  t.match(await chancery('import', good), { exit: 0, stdout: /^imported: 0; already here: 5\n.*unable to sign in/ })
  t.equal((await storedEvents()).length, after)
})

t.test('a sweep shows what it would do, stops where it is told to, and goes on when it is run again', async (t) => {
  const testers = async (...options: string[]) => values<{ tester_id: string }>((await chancery('ghosts', 'list', '--json', ...options)).stdout).map((ghost) => ghost.tester_id)
  const all = await testers('--min-position', imported)
  t.equal(all.length, 3, 'two without a row and a shell')
  const before = (await storedEvents()).length
  const dry = await chancery('ghosts', 'sweep', '--limit', '2', '--dry-run', '--json')
  t.same(values<{ tester_id: string }>(dry.stdout).map((ghost) => ghost.tester_id), all.slice(0, 2))
  t.equal((await storedEvents()).length, before, 'a dry run appends nothing')
  t.equal((await chancery('ghosts', 'sweep', '--limit', '2')).exit, exitCodes.usage.value, 'a reason is needed')

  const cut = await commandLine(env, ['ghosts', 'sweep', '--limit', '3', '--reason', 'test', '--json'], { onPrint: (_text, stop) => { stop() } })
  t.match(cut, { exit: exitCodes.findings.value, stderr: /1 reset, 0 refused, 2 left/ })
  const rest = await chancery('ghosts', 'sweep', '--limit', '100', '--reason', 'test', '--json', '--min-position', positionOf(cut))
  t.match(rest, { exit: 0, stderr: /2 reset, 0 refused, 0 left/ })
  t.same([...values<{ tester_id: string }>(cut.stdout), ...values<{ tester_id: string }>(rest.stdout)].map((line) => line.tester_id), all)
  t.same(await testers('--min-position', positionOf(rest)), [])

  const events = await storedEvents()
  for (const tester of all) {
    const types = events.filter(({ stream }) => stream === `tester-${tester}`).map(({ type }) => type)
    for (const type of ['console.beta.ghost_reset.initiated', 'walkthrough_token.minted', 'mail.sent', 'console.beta.ghost_reset.completed']) {
      t.equal(types.filter((each) => each === type).length, 1, `${type}, once, in the tester's own stream`)
    }
  }
  t.equal(events.filter(({ type }) => type === 'account.ghost_reset').length, all.length)
})

t.test('one tester: invited, listed, shown, mailed again, and not reset while the link is unused', async (t) => {
  const made = await chancery('testers', 'invite', 'new@example.test', '--name', 'New Person', '--json')
  const invited = JSON.parse(made.stdout) as { tester_id: string }
  t.match(await chancery('testers', 'list', '--email', 'new@example.test', '--min-position', positionOf(made)), { exit: 0, stdout: new RegExp(`${invited.tester_id} +- +new@example.test`) })
  t.match(JSON.parse((await chancery('testers', 'show', invited.tester_id, '--json')).stdout), { name: 'New Person', ghost_state: null })
  t.match(await chancery('testers', 'show', invited.tester_id), { exit: 0, stdout: /e-mail +new@example\.test[^]*unused, good until[^]*tester\.invited/ })
  t.equal((await chancery('testers', 'resend', invited.tester_id)).exit, 0)
  t.match(await chancery('testers', 'reset', invited.tester_id, '--reason', 'too early'), { exit: 1, stderr: /^link_not_used.*what to do: chancery testers resend/s })
  t.match(await chancery('testers', 'invite', 'new@example.test'), { exit: 1, stderr: /tester_exists/ })
  const gone = JSON.parse((await chancery('testers', 'invite', 'gone@example.test', '--json')).stdout) as { tester_id: string }
  t.match(await chancery('testers', 'delete', gone.tester_id, '--reason', 'left the beta'), { exit: 0, stdout: /^deleted: tester \S+, to be erased after 2\d{3}-/ })
  t.match(await chancery('testers', 'delete', gone.tester_id, '--reason', 'again'), { exit: 1, stderr: /^subject_not_found/ })
})

t.test('a replay is the log: whole, in order, byte for byte; and one stream of it', async (t) => {
  let lines: Array<{ id: string, stream: string, type: string, data: unknown, position: string }> = []
  let stored: Awaited<ReturnType<typeof storedEvents>> = []
  // Mails that were asked for are sent meanwhile: the log has come to rest when nothing is open.
  await until(async () => {
    const replayed = await chancery('replay')
    lines = values(replayed.stdout)
    stored = await storedEvents()
    return (await chancery('open-intents', '--json', '--min-position', positionOf(replayed))).stdout === '' && stored.length === lines.length
  })
  t.same(lines.map(({ id, stream, type, data }) => ({ id, stream, type, data })), stored)
  t.ok(lines.every((line, index) => index === 0 || BigInt(line.position) > BigInt(lines[index - 1]?.position ?? 0)), 'positions rise')
  t.notOk(JSON.stringify(lines).includes('example.test'), 'addresses stay sealed')
  const stream = lines.find(({ type }) => type === 'account.ghost_reset')?.stream ?? ''
  const one = values<{ id: string }>((await chancery('replay', '--stream', stream)).stdout)
  t.same(one.map(({ id }) => id), lines.filter((line) => line.stream === stream).map(({ id }) => id))
})

t.test('a read model that differs from the log is found and filled anew', async (t) => {
  t.match(await chancery('status'), { exit: 0, stdout: /event_store +up[^]*postgres +up[^]*testers +\d +serving/ })
  t.match(await chancery('projections', 'verify', 'testers'), { exit: 0, stderr: /7 rows compared, 0 differ/ })
  const client = new pg.Client(service.env['CHANCERY_POSTGRES_URL'])
  await client.connect()
  t.teardown(() => client.end())
  const { rowCount } = await client.query('update chancery.testers set completed_resets = 77 where completed_resets = 1')
  t.equal(rowCount, 3)
  const found = await chancery('projections', 'verify', 'testers', '--json')
  t.equal(found.exit, exitCodes.findings.value)
  t.match(JSON.parse(found.stdout), { kind: 'verify', status: 'done', differences: 3, result: { different: 3 } })
  t.match(await chancery('projections', 'rebuild', 'testers'), { exit: 0, stderr: /rebuild testers: done/ })
  t.equal((await chancery('projections', 'verify', 'testers')).exit, 0)
  t.match(values<{ name: string }>((await chancery('projections', 'list', '--json')).stdout).map(({ name }) => name), ['testers', 'users', 'tokens'])
  t.match(await chancery('projections', 'verify', 'nonsense'), { exit: 1, stderr: /subject_not_found/ })
})

t.test('a token does what its roles allow, until it is revoked', async (t) => {
  const { principal_id: id } = JSON.parse((await chancery('principals', 'create', 'Pat', '--role', 'console-users-read', '--json')).stdout) as { principal_id: string }
  const made = await chancery('tokens', 'new', id, '--label', 'laptop')
  t.match(made.stdout, /^chy_\S+\n$/, 'stdout is the token and nothing else')
  const asPat = (...words: string[]) => commandLine({ ...env, CHANCERY_TOKEN: made.stdout.trim() }, words)
  t.equal((await asPat('testers', 'list')).exit, 0)
  t.match(await asPat('testers', 'invite', 'x@example.test'), { exit: exitCodes.access.value, stderr: /forbidden.*what to do: ask a superadmin/s })
  t.equal((await chancery('principals', 'grant', id, 'console-users-write')).exit, 0)
  t.equal((await asPat('testers', 'invite', 'x@example.test')).exit, 0)
  t.equal((await asPat('ghosts', 'sweep', '--limit', '5', '--reason', 'without the right to read the log')).exit, 0)
  t.equal((await storedEvents()).filter(({ stream }) => stream === `refusal-${id}`).length, 1, 'the sweep tries nothing that would be refused')
  const revoked = await chancery('principals', 'revoke', id, 'console-users-write', '--json')
  t.equal(revoked.exit, 0)
  t.match(await chancery('principals', 'list', '--min-position', positionOf(revoked)), { stdout: new RegExp(`${id} +operator +console-users-read +Pat`) })
  t.match(JSON.parse((await chancery('principals', 'show', id)).stdout), { name: 'Pat', roles: ['console-users-read'] })
  const [token] = values<{ token_id: string, usable: boolean }>((await chancery('tokens', 'list', id, '--json')).stdout)
  t.equal(token?.usable, true)
  t.equal((await chancery('tokens', 'revoke', id, token?.token_id ?? '')).exit, 0)
  t.match(await asPat('testers', 'list'), { exit: exitCodes.access.value, stderr: /unauthenticated/ })
})

t.test('an account: made, found, judged, limited, held, deleted, and looked at as it was', async (t) => {
  const json = async <T>(...words: string[]): Promise<T> => {
    const { exit, stdout, stderr } = await chancery(...words, '--json')
    t.equal(exit, 0, `${words.join(' ')}: ${stderr}`)
    return JSON.parse(stdout) as T
  }
  t.match(await chancery('accounts', 'resolve', 'racer@example.test'), { exit: 0, stdout: 'creatable: no account\n' })
  const { user_id: user, position: begin } = await json<{ user_id: string, position: string }>('accounts', 'ensure', 'racer@example.test')
  t.match(await chancery('accounts', 'resolve', 'racer@example.test'), { exit: 0, stdout: `existing: account ${user}\n` })
  const why = ['--reason-code', 'test_case', '--reason', 'to see it done']

  const { sanction_id: sanction } = await json<{ sanction_id: string }>('accounts', 'sanction', user, 'game_join_block', '--scope', 'game:g1', '--public-note', 'Not in this game.', ...why)
  t.match(await chancery('accounts', 'sanction', user, 'game_join_block', '--scope', 'game:g1', ...why), { exit: 1, stderr: /^conflict/ })
  t.match(await chancery('accounts', 'limit', user, 'max_registered_race_names', 'many', ...why), { exit: exitCodes.usage.value, stderr: /whole number/ })
  t.equal((await chancery('accounts', 'limit', user, 'max_registered_race_names', '7', ...why)).exit, 0)
  const tariff = await json<{ position: string }>('accounts', 'tariff', user, 'gold', ...why)
  t.match(await chancery('accounts', 'list', '--limit', 'max_registered_race_names=7', '--tariff', 'gold', '--min-position', tariff.position),
    { exit: 0, stdout: new RegExp(`^USER .*\n${user} +game_join_block +gold +- +racer@example\\.test\n$`) })
  t.match(await chancery('accounts', 'show', user), { exit: 0, stdout: /racer@example\.test[^]*game_join_block +game:g1 +active[^]*can_login +yes[^]*max_registered_race_names +7/ })
  t.equal((await chancery('accounts', 'remove-sanction', user, sanction, ...why)).exit, 0)
  t.equal((await chancery('accounts', 'remove-limit', user, 'max_registered_race_names', ...why)).exit, 0)
  t.match(await chancery('accounts', 'sanctions', user), { exit: 0, stdout: /game_join_block +game:g1 +removed/ })
  t.match(await json('accounts', 'show', user, '--as-of', begin), { tariff: null, sanctions: [], as_of: { position: begin } })

  const { hold_id: hold } = await json<{ hold_id: string }>('accounts', 'hold', user, '--matter', 'case-7', ...why)
  const { position } = await json<{ position: string }>('accounts', 'delete', user, ...why)
  t.match(await chancery('accounts', 'show', user), { exit: 1, stderr: /^subject_not_found/ })
  t.match(await chancery('accounts', 'resolve', 'racer@example.test'), { exit: exitCodes.findings.value, stdout: 'blocked: account_deleted\n' })
  t.match(await chancery('accounts', 'show', user, '--include-deleted'), { exit: exitCodes.usage.value, stderr: /--reason/ })
  t.match(await json('accounts', 'show', user, '--include-deleted', '--reason', 'the person asked'), { email: 'racer@example.test', stage: 'deleted', tariff: { code: 'gold' }, legal_holds: 1 })
  t.match(await chancery('accounts', 'timeline', user, '--include-deleted', '--reason', 'the person asked'), { exit: 0, stdout: /user\.registered[^]*user\.sanction_removed[^]*user\.deleted[^]*user\.record_opened/ })
  t.match(await chancery('accounts', 'deletion', user, '--min-position', position), { exit: 0, stdout: /held for +case-7[^]*user\.lifecycle\.deleted/ })
  t.match(await chancery('accounts', 'holds', user), { exit: 0, stdout: /case-7 +yes/ })
  t.equal((await chancery('accounts', 'lift-hold', user, hold, '--reason-code', 'over', '--reason', 'closed')).exit, 0)
  t.match(await chancery('accounts', 'holds', user), { exit: 0, stdout: /case-7 +no/ })
})

t.test('a consumer: registered, changed, listed, retired', async (t) => {
  t.equal((await chancery('consumers', 'register', 'lobby-x', '--overdue-ms', 'soon')).exit, exitCodes.usage.value)
  t.match(await chancery('consumers', 'register', 'lobby-x'), { exit: 0, stdout: /group lobby-x/ })
  const changed = await chancery('consumers', 'register', 'lobby-x', '--group', 'g', '--overdue-ms', '5000', '--json')
  t.match(await chancery('consumers', 'list', '--min-position', positionOf(changed)), { exit: 0, stdout: /lobby-x +g +registered +5000 ms/ })
  t.equal((await chancery('consumers', 'retire', 'lobby-x')).exit, exitCodes.usage.value, 'not without a reason')
  const retired = await chancery('consumers', 'retire', 'lobby-x', '--reason', 'replaced', '--ticket', 'OPS-1', '--json')
  t.match(await chancery('consumers', 'list', '--min-position', positionOf(retired)), { stdout: /lobby-x +g +retired/ })
})

t.test('the same key gets the first answer again', async (t) => {
  const first = await chancery('testers', 'invite', 'key@example.test', '--key', 'k-1', '--json')
  const again = await chancery('testers', 'invite', 'key@example.test', '--key', 'k-1', '--json')
  t.equal(first.exit, 0)
  t.same(JSON.parse(again.stdout), JSON.parse(first.stdout))
  t.match(await chancery('testers', 'invite', 'other@example.test', '--key', 'k-1'), { exit: 1, stderr: /idempotency_key_reused/ })
})

t.test('the demo plays to its end in under 20 s, twice', async (t) => {
  const demo = async (): Promise<string> => {
    let told = ''
    await play({
      env, stdin: Readable.from([]), stderr: process.stderr, signal: new AbortController().signal,
      stdout: new Writable({ write: (chunk: Buffer, _encoding, done) => { told += String(chunk); done() } })
    })
    return told
  }
  for (const time of ['once', 'again']) {
    const began = performance.now()
    const told = await demo()
    t.ok(performance.now() - began < 20_000, time)
    for (const word of ['mid_enrollment', 'token_used', 'ghost_empty_shell', 'evidence', 'mail: sent', 'healthy', 'account_healthy', 'console.beta.ghost_reset.completed', 'user.passkey_registered']) {
      t.ok(told.includes(word), word)
    }
  }
})

t.test('a mail that waits for its server is an open intent', async (t) => {
  const other = await testService(t, { env: { CHANCERY_SMTP_URL: 'smtp://127.0.0.1:9' } })
  const run = (...words: string[]) => commandLine({ CHANCERY_URL: other.url, CHANCERY_DATA_DIR: other.dataDir }, words)
  t.equal((await run('testers', 'invite', 'wait@example.test')).exit, 0)
  let open: Array<{ type: string, stream: string }> = []
  await until(async () => {
    open = values((await run('open-intents', '--json')).stdout)
    return open.length === 1 && open[0]?.type === 'mail.requested'
  })
  const [intent] = open
  t.match(intent, { type: 'mail.requested', stream: /^tester-/ })
  t.match(await run('open-intents'), { exit: 0, stdout: /mail\.requested +tester-/ })
})

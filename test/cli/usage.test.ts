// The command line without a service: help of every verb, wrong usage, nobody answering, strangers answering.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import t, { type Test } from 'tap'
import { createProgram } from '../../src/cli/program.ts'
import { createTerminal, printable } from '../../src/cli/terminal.ts'
import { nodeArguments } from '../support/compiled.ts'
import { commandLine } from './command-line.ts'

/** A port on which nobody listens. */
const NOBODY = 'http://127.0.0.1:9'

const verbs = (command: Command, path: string[] = []): string[][] =>
  command.commands.flatMap((child) => child.commands.length > 0 ? verbs(child, [...path, child.name()]) : [[...path, child.name()]])

const nowhere = new Writable({ write: (_chunk, _encoding, done) => { done() } })

const serve = async (t: Test, listener: RequestListener): Promise<string> => {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('every verb has help, to stdout, with exit code 0', async (t) => {
  const all = verbs(createProgram({ stdout: nowhere, stderr: nowhere }, () => {}))
  t.ok(all.length >= 18, `${all.length} verbs`)
  for (const verb of all) {
    const { exit, stdout, stderr } = await commandLine({}, [...verb, '--help'])
    t.match({ exit, stderr }, { exit: 0, stderr: '' }, verb.join(' '))
    t.ok(stdout.startsWith(`Usage: chancery ${verb.join(' ')}`), verb.join(' '))
    t.notOk(stdout.includes('\u001b'), 'no colour where nobody looks')
  }
})

t.test('what is typed wrongly is exit code 2 and sends nothing', async (t) => {
  let requests = 0
  const url = await serve(t, (_request, response) => { requests++; response.end('{}') })
  const env = { CHANCERY_URL: url, CHANCERY_TOKEN: 'chy_x' }
  const wrong = [
    ['nonsense'], ['ghosts', 'nonsense'], ['ghosts', 'sweep'], ['ghosts', 'sweep', '--limit', '0', '--dry-run'],
    ['ghosts', 'sweep', '--limit', 'all', '--dry-run'], ['testers', 'reset', 'x'], ['testers', 'invite'], ['status', '--nonsense'],
    ['principals', 'create', 'x', '--kind', 'king'], ['import', join(t.testdirName, 'absent.csv')]
  ]
  for (const words of wrong) {
    const { exit, stderr } = await commandLine(env, words)
    t.equal(exit, 2, words.join(' '))
    t.not(stderr, '', 'it says why')
  }
  t.equal((await commandLine({ ...env, CHANCERY_URL: 'not an address' }, ['status'])).exit, 2)
  t.equal(requests, 0)
})

t.test('import looks at the file before it sends anything, and names the line', async (t) => {
  let requests = 0
  const url = await serve(t, (_request, response) => { requests++; response.end('{}') })
  const header = 'email,invited_at,token_consumed_at,user_created_at,passkeys'
  const files: Record<string, [text: string | Buffer, said: RegExp]> = {
    'columns.csv': ['email,invited\na@example.com,x\n', /line 1.*missing: invited_at.*unknown: invited/s],
    'fields.csv': [`${header}\na@example.com,2026-01-01T00:00:00Z,,,0\nb@example.com,oops\n`, /line 3/],
    'quote.csv': [`${header}\n"a@example.com,2026-01-01T00:00:00Z,,,0\n`, /line \d/],
    'latin1.csv': [Buffer.from(`${header}\n\xe9@example.com,2026-01-01T00:00:00Z,,,0\n`, 'latin1'), /not UTF-8/],
    'empty.csv': ['', /header/]
  }
  const folder = t.testdir()
  for (const [name, [text, said]] of Object.entries(files)) {
    writeFileSync(join(folder, name), text)
    const { exit, stderr } = await commandLine({ CHANCERY_URL: url, CHANCERY_TOKEN: 'chy_x' }, ['import', join(folder, name)])
    t.equal(exit, 2, name)
    t.match(stderr, said, name)
  }
  t.equal(requests, 0)
})

t.test('without a token, a service, or Chancery at the address, it says what to do', async (t) => {
  const folder = t.testdir()
  t.match(await commandLine({ CHANCERY_DATA_DIR: folder, CHANCERY_URL: NOBODY }, ['testers', 'list']), { exit: 4, stderr: /superadmin\.token/ })
  t.match(await commandLine({ CHANCERY_DATA_DIR: folder, CHANCERY_URL: NOBODY }, ['status']), { exit: 3, stderr: /Nothing answers.*npm start/ })
  t.match(await commandLine({ CHANCERY_TOKEN: 'chy_x', CHANCERY_URL: NOBODY }, ['replay']), { exit: 3, stderr: /Nothing answers/ })
  const page = await serve(t, (_request, response) => { response.end('<html>') })
  t.match(await commandLine({ CHANCERY_TOKEN: 'chy_x', CHANCERY_URL: page }, ['testers', 'list']), { exit: 1, stderr: /not JSON.*CHANCERY_URL/ })
  const elsewhere = await serve(t, (_request, response) => { response.writeHead(302, { location: `${page}/` }).end() })
  t.match(await commandLine({ CHANCERY_TOKEN: 'chy_x', CHANCERY_URL: elsewhere }, ['testers', 'list']), { exit: 3 }, 'a token is not carried elsewhere')
})

t.test('the token comes from the data folder, and CHANCERY_TOKEN holds over it', async (t) => {
  const seen: Array<string | undefined> = []
  const url = await serve(t, (request, response) => {
    seen.push(request.headers.authorization)
    response.end('{"items":[],"next_cursor":null}')
  })
  const folder = t.testdir()
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'superadmin.token'), 'chy_file\n')
  await commandLine({ CHANCERY_URL: url, CHANCERY_DATA_DIR: folder }, ['testers', 'list'])
  await commandLine({ CHANCERY_URL: url, CHANCERY_DATA_DIR: folder, CHANCERY_TOKEN: 'chy_set' }, ['testers', 'list'])
  t.same(seen, ['Bearer chy_file', 'Bearer chy_set'])
})

t.test('a problem body is shown as its code, its fields and what to do; as one JSON line with --json', async (t) => {
  const problem = { type: 'about:blank', title: 'T', status: 503, detail: 'It may have been recorded.', code: 'outcome_unknown', trace_id: 'abc', idempotency_key: 'k1' }
  const url = await serve(t, (_request, response) => { response.writeHead(503, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem)) })
  const env = { CHANCERY_URL: url, CHANCERY_TOKEN: 'chy_x' }
  const plain = await commandLine(env, ['testers', 'invite', 'a@example.com'])
  t.match(plain, { exit: 3, stdout: '', stderr: /^outcome_unknown \(503\): It may have been recorded\.\n {2}idempotency_key: k1\nwhat to do: .*--key.*\ntrace: abc\n$/ })
  const json = await commandLine(env, ['testers', 'invite', 'a@example.com', '--json'])
  t.match(JSON.parse(json.stderr), { code: 'outcome_unknown', fields: { idempotency_key: 'k1' } })
})

t.test('a refusal ends with a command that can be pasted, and every mistake is named', async (t) => {
  const id = '4f1c2a52-0000-4000-8000-000000000000'
  const at = (words: string[], status: number, problem: object): { words: string[], status: number, problem: object } => ({ words, status, problem })
  const cases: Array<[ReturnType<typeof at>, RegExp]> = [
    [at(['credentials', 'show', 'mail-api'], 404, { code: 'subject_not_found' }), /what to do: chancery credentials lists.* chancery credentials put mail-api --manifest FILE/],
    [at(['rotations', 'list', 'Mail'], 400, { code: 'invalid_request', errors: [{ path: '/params/name', message: 'must match pattern' }] }), /\n {2}\/params\/name must match pattern\nwhat to do: a credential's name is 1 to 48 small letters/],
    [at(['rotations', 'show', 'mail-api', '--rotation', 'zz'], 400, { code: 'invalid_request', errors: [{ path: '/params/rotation_id', message: 'must match pattern' }] }), /what to do: chancery rotations list mail-api /],
    [at(['rotations', 'show', 'mail-api', '--rotation', id], 404, { code: 'subject_not_found' }), /what to do: chancery rotations list mail-api lists its rotations/],
    [at(['rotations', 'open', 'mail-api', '--reason', ''], 400, { code: 'invalid_request', errors: [{ path: '/body/reason', message: 'must NOT have fewer than 1 characters' }] }), /\n {2}\/body\/reason must NOT have fewer/],
    [at(['rotations', 'open', 'mail-api', '--reason', 'x'], 409, { code: 'value_missing' }), /what to do: chancery credentials adopt mail-api hands/],
    [at(['rotations', 'open', 'mail-api', '--reason', 'x'], 409, { code: 'rotation_open' }), /what to do: chancery rotate mail-api goes on with it; chancery rotations abort mail-api /],
    [at(['rotations', 'open', 'mail-api', '--reason', 'x'], 409, { code: 'step_not_offered', state: 'done', offered: [] }), /what to do: this rotation has ended: chancery rotate mail-api opens the next one/],
    [at(['rotations', 'open', 'mail-api', '--reason', 'x'], 409, { code: 'not_abortable', state: 'aborted', offered: [] }), /what to do: this rotation has ended/],
    [at(['rotations', 'open', 'mail-api', '--reason', 'x'], 409, { code: 'not_abortable', state: 'revoking', offered: [] }), /what to do: the way is forward: chancery rotations watch mail-api /],
    [at(['rotations', 'open', 'mail-api', '--reason', 'x'], 409, { code: 'old_credential_dead', offered: ['retry'] }), /what to do: the way is forward: chancery rotations retry mail-api, then revoke; chancery rotate mail-api/],
    [at(['rotations', 'open', 'mail-api', '--reason', 'x'], 403, { code: 'forbidden', permission: 'rotations.operate' }), /what to do: .*grant PRINCIPAL rotations-operator .*chancery principals list/],
    [at(['testers', 'list'], 403, { code: 'forbidden', permission: 'testers.read' }), /what to do: .*grant PRINCIPAL ROLE .*roles\.md/],
    [at(['principals', 'show', 'ada'], 400, { code: 'invalid_request', errors: [{ path: '/params/principal_id', message: 'm' }] }), /what to do: chancery principals list shows the ids/]
  ]
  let answer: { status: number, problem: object } = { status: 500, problem: {} }
  const url = await serve(t, (_request, response) => { response.writeHead(answer.status).end(JSON.stringify({ title: 'T', detail: 'D', trace_id: 'x', ...answer.problem })) })
  for (const [asked, told] of cases) {
    answer = asked
    const { stderr, stdout } = await commandLine({ CHANCERY_URL: url, CHANCERY_TOKEN: 'chy_x' }, asked.words)
    t.match(stderr, told, asked.words.join(' '))
    t.notMatch(stderr, /CREDENTIAL/, 'no placeholder where the name was typed')
    t.equal(stdout, '')
  }
})

t.test('a service that has done nothing yet, being behind or overloaded, is asked again, and nothing else is', async (t) => {
  let asked = 0
  const problem = (code: string) => JSON.stringify({ title: 'T', status: 503, detail: 'D', code, trace_id: 'x' })
  const behind = await serve(t, (_request, response) => {
    if (++asked < 3) response.writeHead(503).end(problem(asked === 1 ? 'projection_behind' : 'overloaded'))
    else response.end('{"items":[],"next_cursor":null}')
  })
  t.equal((await commandLine({ CHANCERY_URL: behind, CHANCERY_TOKEN: 'chy_x' }, ['testers', 'list'])).exit, 0)
  t.equal(asked, 3)
  asked = 0
  const away = await serve(t, (_request, response) => { asked++; response.writeHead(503).end(problem('audit_unavailable')) })
  t.equal((await commandLine({ CHANCERY_URL: away, CHANCERY_TOKEN: 'chy_x' }, ['testers', 'invite', 'a@example.com'])).exit, 3)
  t.equal(asked, 1)
})

t.test('the demo without a service says what to do, with exit code 1', async (t) => {
  const child = spawn(process.execPath, nodeArguments('src/cli/demo/main.ts'), { env: { CHANCERY_URL: NOBODY }, stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close') as Promise<[number]>
  const [stderr, [code]] = await Promise.all([text(child.stderr), closed])
  t.equal(code, 1)
  t.match(stderr, /^\nNothing answers at \S+ .*npm start/)
  t.notMatch(stderr, /at file:/, 'no stack trace')
})

t.test('a replay that breaks off is not taken for a whole log', async (t) => {
  const broken = await serve(t, (_request, response) => { response.write('{"position":"1"}\n{"pos'); setTimeout(() => { response.destroy() }, 50) })
  t.match(await commandLine({ CHANCERY_URL: broken, CHANCERY_TOKEN: 'chy_x' }, ['replay']), { exit: 3, stderr: /not the whole log/ })
  const cut = await serve(t, (_request, response) => { response.end('{"position":"1"}\n{"pos') })
  t.match(await commandLine({ CHANCERY_URL: cut, CHANCERY_TOKEN: 'chy_x' }, ['replay']), { exit: 3, stderr: /not the whole log/ })
})

t.test('text from the log cannot steer the terminal', async (t) => {
  t.equal(printable('a\u001b[2Jb\u202ec\rd\u009b31me'), 'ab c de')
})

t.test('at a terminal a note is broken between words, and no command within one; in a pipe not at all', (t) => {
  const noted = (isTTY: boolean): string => {
    let text = ''
    const stderr = Object.assign(new Writable({ write: (chunk: Buffer, _encoding, done) => { text += String(chunk); done() } }), { isTTY, columns: 20 })
    createTerminal({ env: {}, stdin: Readable.from([]), stdout: stderr, stderr, signal: new AbortController().signal }).note('Left as it is. Go on with: chancery rotate mail-api-admin\n  state: done')
    return text
  }
  t.equal(noted(true), 'Left as it is. Go on\nwith:\nchancery rotate mail-api-admin\n  state: done\n')
  t.equal(noted(false), 'Left as it is. Go on with: chancery rotate mail-api-admin\n  state: done\n')
  t.end()
})

t.test('a table that is wider than the screen has each row in lines of its own', (t) => {
  const shown = (columns: number, isTTY = true): string => {
    let text = ''
    const stdout = Object.assign(new Writable({ write: (chunk: Buffer, _encoding, done) => { text += String(chunk); done() } }), { isTTY, columns })
    const terminal = createTerminal({ env: {}, stdin: Readable.from([]), stdout, stderr: nowhere, signal: new AbortController().signal })
    terminal.table(['ROTATION', 'STATE', 'BY'], [['0190a0a0-0000', 'done', 'operator'], ['0190a0a0-0001', 'aborted', 'schedule']])
    return text
  }
  const rows = 'ROTATION       STATE    BY\n0190a0a0-0000  done     operator\n0190a0a0-0001  aborted  schedule\n'
  t.equal(shown(32), rows)
  t.equal(shown(31), 'ROTATION  0190a0a0-0000\nSTATE     done\nBY        operator\n\nROTATION  0190a0a0-0001\nSTATE     aborted\nBY        schedule\n')
  t.equal(shown(10, false), rows, 'a pipe has no width')
  t.end()
})

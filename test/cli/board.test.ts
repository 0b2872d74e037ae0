// The board of a rotation in every state, on screens of every width and height, and what is told where nothing can be redrawn.
import { readFileSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { changes, createScreen } from '../../src/cli/board-screen.ts'
import { board } from '../../src/cli/board.ts'
import { needsSomebody, nextCommands, wayOn } from '../../src/cli/next-steps.ts'
import { isWorking, waitsForHuman, hasEnded, type ConsumerView, type Exchange, type JobView } from '../../src/cli/rotation-api.ts'
import { abortTable } from '../../src/domain/rotation/abort-table.ts'
import { jobStates } from '../../src/domain/rotation/job.ts'
import { until } from '../support/until.ts'

const now = new Date('2026-03-01T12:00:30.000Z')

const consumer = (name: string, more: Partial<ConsumerView> = {}): ConsumerView => ({
  consumer: name, required: true, delivery: { kind: 'push', url: 'https://x.example' }, distribute_status: 'pending', attempts: 0, last_error: null,
  proof: { kind: 'possession' }, proof_outcome: null, proved_at: null, waived: null, ...more
})

const refusal: Exchange = {
  probe: 'authenticate', outcome: 'failed', request: { method: 'GET', target: 'https://vendor.example/whoami' },
  answer: { status: '401', body: '{"id":"unauthorized","message":"Invalid credentials provided."}' }, failure: null, at: '2026-03-01T12:00:00.000Z', took_ms: 3
}

const job = (state: string, more: Partial<JobView> = {}): JobView => ({
  credential: 'billing', rotation_id: '0190a0a0-0000-7000-8000-000000000001', mode: 'rotate', trigger: 'operator', state, meaning: `What ${state} means, in one sentence that is a little longer than a narrow screen.`,
  transition: 3, opened_at: '2026-03-01T11:59:00.000Z', changed_at: '2026-03-01T12:00:00.000Z', ended_at: null, ticket_check: null, old_value: { vendor_token_id: 'old' },
  new_value: { vendor_token_id: 'new', fingerprint: 'f' }, failure: null,
  consumers: [
    consumer('alpha', { distribute_status: 'succeeded', attempts: 1, proof_outcome: 'proved' }),
    consumer('beta', { distribute_status: 'failed', attempts: 5, last_error: 'HTTP 503' }),
    consumer('gamma', { required: false, delivery: { kind: 'pull' }, distribute_status: 'sent', attempts: 1 })
  ],
  gate: { open: false, closed_by: [{ consumer: 'beta', why: 'not_proved' }] }, steps: ['retry', 'abort'], abort_means: 'The old value holds.', alarm: null, ...more
})

/** As many as a large service has, two of them in trouble at the end of the manifest. */
const many = (): ConsumerView[] => [
  ...Array.from({ length: 198 }, (_, index) => consumer(`c${String(index).padStart(3, '0')}`, { distribute_status: index < 180 ? 'succeeded' : 'sent', attempts: 1 })),
  consumer('trouble-optional', { required: false, distribute_status: 'unreachable', attempts: 5 }), consumer('trouble-required', { distribute_status: 'failed', attempts: 5 })
]

/** Rows that a drawing goes up before it begins. */
const rowsUp = (drawing: string): number => drawing.startsWith('\u001b[') ? Number.parseInt(drawing.slice(2), 10) : 0

t.test('every state fits every width and height, with and without colour, and says itself and what it means', async (t) => {
  for (const state of jobStates) {
    for (const width of [1, 20, 34, 48, 60, 72, 80, 200]) {
      for (const height of [undefined, 3, 10, 24]) {
        for (const consumers of [[], job(state).consumers, many()]) {
          const lines = board(job(state, { consumers, failure: /failed/.test(state) ? refusal : null }), { width, colour: false, now, ...height !== undefined && { height } })
          const name = `${state} ${width}×${height ?? '∞'} with ${consumers.length}`
          const widest = Math.max(...lines.map((line) => [...line].length))
          if (widest > Math.max(20, width)) t.fail(`${name}: a line of ${widest}`)
          const text = lines.join(' ')
          if (!text.includes('billing') || (width >= 48 && !text.includes(state)) || (width >= 34 && height !== 3 && !text.includes(`What ${state} means`))) t.fail(`${name}: ${text}`)
          if (height !== undefined && lines.length > height) t.fail(`${name}: ${lines.length} lines`)
          const coloured = board(job(state, { consumers, failure: /failed/.test(state) ? refusal : null }), { width, colour: true, now, ...height !== undefined && { height } })
          if (coloured.map(stripVTControlCharacters).join('\n') !== lines.join('\n')) t.fail(`${name}: colour moves something`)
        }
      }
    }
    t.equal([isWorking, waitsForHuman, hasEnded].filter((is) => is({ state })).length, 1, `${state} is known`)
  }
})

t.test('a wide board', async (t) => {
  t.same(board(job('distribute_partial'), { width: 100, colour: false, now }), [
    'billing  distribute_partial  for 30 s  rotation 0190a0a0-0000-7000-8000-000000000001',
    '✓ verify  ✗ mint and distribute  · validate  · revoke',
    'What distribute_partial means, in one sentence that is a little longer than a narrow screen.',
    '',
    '  CONSUMER  REQUIRED  BY    GOT IT     USES IT',
    '✓ alpha     yes       push  succeeded  proved',
    '✗ beta      yes       push  failed ×5  -        HTTP 503',
    '· gamma     no        pull  sent       -'
  ])
  t.match(board(job('validation_failed', { failure: null }), { width: 100, colour: false, now }).at(-1), 'Gate: closed. beta has proved nothing yet')
  for (const why of ['old_value_used', 'new_value_refused', 'new_value_untried', 'vendor_list_failed']) {
    const [gate = ''] = board(job('validation_failed', { failure: null, gate: { open: false, closed_by: [{ consumer: null, why }] } }), { width: 100, colour: false, now }).slice(-1)
    t.match(gate, /^Gate: closed\. the \w+ \w+/, `${why} is said in words`)
  }
  const asked = board(job('confirming', { gate: { open: false, closed_by: [] } }), { width: 100, colour: false, now }).join('\n')
  t.notMatch(asked, /Gate/, 'while all are asked once more, nobody is told to validate')
  t.match(board(job('validated', { gate: { open: true, closed_by: [] } }), { width: 100, colour: false, now }).at(-1), 'Gate: open.')
  t.match(board(job('verify_failed', { failure: refusal, new_value: null }), { width: 120, colour: false, now }).slice(-2), [
    'authenticate: GET https://vendor.example/whoami', 'answered 401: {"id":"unauthorized","message":"Invalid credentials provided."}'
  ])
  t.match(board(job('revoke_unconfirmed', { alarm: 'It has waited for 6 minutes.' }), { width: 80, colour: false, now, remark: 'The connection is lost.' }).slice(-3), ['It has waited', '', 'The connection'])
})

t.test('a narrow board says the same in two columns', async (t) => {
  t.same(board(job('distributing'), { width: 40, colour: false, now }).slice(-5), [
    '  GOT / USES          CONSUMER', '✓ succeeded / proved  alpha *', '✗ failed ×5 / -       beta *', '    HTTP 503', '· sent / -            gamma'
  ])
})

t.test('what went wrong is said to its end where everything is asked for', async (t) => {
  const error = 'Nothing was sent: it has registered no key, and whoever has none can be given nothing that is sealed.'
  for (const width of [40, 60, 80]) {
    const lines = board(job('distribute_partial', { consumers: [consumer('beta', { distribute_status: 'failed', last_error: error })] }), { width, colour: false, now })
    t.ok(lines.map((line) => line.trim()).join(' ').includes(error), `${width}`)
  }
})

t.test('of two hundred consumers those in trouble are shown, and the rest is counted; all of them on request', async (t) => {
  const crowd = job('distributing', { consumers: many() })
  const lines = board(crowd, { width: 80, height: 20, colour: false, now })
  t.ok(lines.length <= 20)
  t.match(lines[6], /^✗ trouble-required/)
  t.match(lines[7], /^✗ trouble-optional/)
  t.match(lines[8], /^· c180/)
  t.match(lines.at(-1), /^ {2}… 1\d\d more: \d+ sent, 180 succeeded$|^ {2}… 1\d\d more: 180 succeeded, \d+ sent$/)
  const all = board(crowd, { width: 80, colour: false, now })
  for (const { consumer: name } of crowd.consumers) if (!all.some((line) => line.includes(name))) t.fail(name)
})

t.test('text from elsewhere cannot steer the terminal', async (t) => {
  const evil = '\u001b[2J\u202e gone\r\n'
  const lines = board(job('verify_failed', {
    meaning: evil, alarm: evil, failure: { ...refusal, answer: { status: '401', body: evil } }, consumers: [consumer('a', { distribute_status: 'failed', last_error: evil })],
    gate: { open: false, closed_by: [{ consumer: null, why: evil }] }
  }), { width: 80, colour: false, now })
  for (const line of lines) t.notMatch(line, /[\p{Cc}\p{Bidi_Control}]/u)
})

t.test('where nothing can be redrawn, each change is a line', async (t) => {
  t.same(changes(undefined, job('distributing')), ['2026-03-01T12:00:00.000Z  distributing: What distributing means, in one sentence that is a little longer than a narrow screen.', '  beta: failed after 5 tries (HTTP 503)'])
  t.same(changes(job('validating'), job('validation_failed')).slice(1), ['  Gate: closed. beta has proved nothing yet'], 'in a pipe it is told, too, who keeps the gate closed')
  const after = job('distributing')
  after.consumers = after.consumers.map((one) => one.consumer === 'gamma' ? { ...one, distribute_status: 'succeeded' } : one)
  t.same(changes(job('distributing'), after), ['  gamma: succeeded'])
  t.same(changes(after, after), [])
  const rings = (alarm: string) => job('aborting', { alarm })
  t.same(changes(job('aborting'), rings('For 5 minutes it stands.')), ['  For 5 minutes it stands.'])
  t.same(changes(rings('For 5 minutes it stands.'), rings('For 6 minutes it stands.')), [], 'that an alarm goes on ringing is no news')
  t.same(changes(rings('For 5 minutes it stands.'), rings('For 6 minutes something else does.')), ['  For 6 minutes something else does.'])
  t.match(changes(undefined, job('verify_failed', { failure: refusal })).join('\n'), /answered 401: \{"id":"unauthorized"/)
})

t.test('what leads on: commands that work as they stand, in an order that leads somewhere, and no way that is none', async (t) => {
  const reports = consumer('reports', { required: false, distribute_status: 'succeeded', proof_outcome: 'unhealthy' })
  const validated = job('validated', { steps: ['validate', 'waive', 'revoke', 'abort'], consumers: [reports], gate: { open: true, closed_by: [] } })
  t.same(nextCommands(validated, { asks: true }), ['revoke billing', 'validate billing', 'waive billing --consumer reports', 'abort billing'].map((text) => `chancery rotations ${text}`))
  t.same(nextCommands(validated, { asks: false }).slice(0, 2), ['chancery rotations revoke billing --confirm billing --ticket TICKET --reason "…"', 'chancery rotations validate billing --reason "…"'])
  t.notMatch(nextCommands({ ...validated, consumers: [{ ...reports, proof_outcome: 'proved' }] }, { asks: true }).join(), /waive/, 'nobody is left to be waived')
  const aged = { ...validated, gate: { open: false, closed_by: [{ consumer: 'reports', why: 'proof_too_old' }] } }
  t.match(nextCommands(aged, { asks: true })[0], 'chancery rotations validate billing', 'a gate that time has closed opens by proofs')
  t.match(wayOn(job('verify_failed', { failure: refusal })), /dead for good.*chancery rotate billing --mode replace --ticket TICKET/)
  t.equal(wayOn(job('verify_failed', { failure: { ...refusal, probe: 'may_mint' } })), undefined, 'the value works')
  t.equal(wayOn(job('verify_failed', { failure: refusal, mode: 'replace' })), undefined)
  t.notMatch(wayOn(job('distribute_partial', { mode: 'replace' })), /the old one/)
  t.match(wayOn(job('validation_failed')), /A required consumer.*chancery credentials put billing --manifest FILE --ticket/)
  t.equal(wayOn(job('validation_failed', { gate: { open: false, closed_by: [{ consumer: null, why: 'old_value_used' }] } })), undefined)
  for (const state of jobStates) t.equal(needsSomebody(job(state)), /failed|partial|unknown|unconfirmed/.test(state), state)
  t.ok(needsSomebody(job('aborting', { alarm: 'It takes long.' })))
})

t.test('the page on rotations has the table of aborts and every state, as the code has them', async (t) => {
  const page = readFileSync(new URL('../../docs/explanation/rotations.md', import.meta.url), 'utf8')
  const told = new Map([...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$/gm)].flatMap(([, states = '', means = '']) => [...states.matchAll(/\w+/g)].map(([state]) => [state, means] as const)))
  for (const state of jobStates) t.equal(told.get(state), abortTable[state].means, state)
  const diagram = /```mermaid\n([^]*?)```/.exec(page)?.[1] ?? ''
  for (const state of jobStates.filter((name) => abortTable[name].kind !== 'under_way' && name !== 'aborted')) t.match(diagram, new RegExp(`\\b${state}\\b`), state)
})

t.test('on a terminal it is drawn over itself, also after the window changed, and left standing before a question', async (t) => {
  const output = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns: 80, rows: 24 })
  let said = ''
  output.on('data', (chunk: string) => { said += chunk })
  const taken = async (word: string): Promise<string> => {
    await until(() => said.includes(word))
    const text = said
    said = ''
    return text
  }
  const screen = createScreen({ stdout: output, env: { NO_COLOR: '1' } })
  t.teardown(() => { screen.close() })
  screen.show(job('distributing'))
  const first = await taken('gamma')
  t.equal(rowsUp(first), 0, 'nothing is above it yet')
  t.notOk(first.includes('\u001b[1m'), 'NO_COLOR')
  const height = first.split('\n').length - 1
  screen.show(job('distributed'))
  t.equal(rowsUp(await taken('gamma')), height, 'it goes up as many rows as it took')
  output.columns = 40
  screen.show(job('validating'))
  t.ok(rowsUp(await taken('gamma')) > height, 'the terminal has broken the long lines')
  screen.remark('The connection is lost.')
  t.match(await taken('lost.'), /The connection is lost\./)
  screen.show(job('validated', { consumers: many() }))
  screen.rest(10)
  t.match(said, /validated/, 'what was to come is drawn before')
  t.equal(said.split('\n').length - 1, 13, 'and leaves room for the question')
  said = ''
  screen.show(job('confirming'))
  t.equal(rowsUp(await taken('gamma')), 0, 'and the next board begins below')
})

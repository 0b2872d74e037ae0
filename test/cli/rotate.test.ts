// A rotation as an operator carries it out who knows nothing but the command line's help: with a real vendor and real consumers.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { startConsumer, startVendor, type DemoConsumer } from '../../src/cli/demo/rotation-processes.ts'
import { adminManifest, manifest } from '../../src/cli/demo/rotation-manifest.ts'
import { exitCodes } from '../../src/cli/failures.ts'
import type { JobView } from '../../src/cli/rotation-api.ts'
import { template, vendorKinds } from '../../src/cli/verbs/credentials-template.ts'
import { formErrors } from '../../src/http/manifest-items.ts'
import { stopWith } from '../support/end-with-us.ts'
import { noteCanary } from '../support/left-behind.ts'
import { testService } from '../support/service.ts'
import { tcpProxy } from '../support/tcp-proxy.ts'
import { commandLine, values, type Ran } from './command-line.ts'
import { atTerminal, CTRL_C, DOWN, ENTER } from './pretend-terminal.ts'

t.setTimeout(180_000)

const service = await testService(t, { env: { CHANCERY_OUTGOING_HTTP: 'loopback' } })
const proxy = await tcpProxy(t, Number(new URL(service.url).port))
const env = { CHANCERY_URL: `http://127.0.0.1:${proxy.port}`, CHANCERY_DATA_DIR: service.dataDir }
const chancery = (...words: string[]): Promise<Ran> => commandLine(env, words)
const why = ['--reason', 'to see it done']

const folder = mkdtempSync(join(tmpdir(), 'chancery-test-rotate-'))
t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
const file = (name: string, content: unknown): string => {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  chmodSync(path, 0o600)
  return path
}

const vendor = stopWith(t, await startVendor())
noteCanary({ what: 'the token that mints', text: vendor.connectionToken })
const consumers: DemoConsumer[] = []
for (const name of ['billing', 'reports']) {
  const { stdout } = await chancery('principals', 'create', name, '--kind', 'service', '--role', `consumer:${name}`, '--json')
  const token = (await chancery('tokens', 'new', (JSON.parse(stdout) as { principal_id: string }).principal_id)).stdout.trim()
  consumers.push(stopWith(t, await startConsumer({ name, credential: 'mail-api', pull: false, chanceryUrl: service.url, token, dataDir: join(folder, name), vendorUrl: vendor.url, redis: undefined })))
}
const [billing, reports] = consumers as [DemoConsumer, DemoConsumer]
const wire = () => {
  const whole = manifest(vendor, 'mail-api-admin', consumers)
  return { ...whole, consumers: whole.consumers.map((consumer) => ({ ...consumer, required: consumer.consumer === 'billing' })) }
}
const job = async (): Promise<JobView> => JSON.parse((await chancery('rotations', 'show', 'mail-api', '--json')).stdout) as JobView

t.test('a template of each kind is a manifest', async (t) => {
  for (const kind of vendorKinds) t.same(formErrors(JSON.parse(template(kind))), [], kind)
  t.match(await chancery('credentials', 'template', 'paper'), { exit: exitCodes.usage.value, stderr: /There are: http,/ })
})

t.test('from nothing to a value in the vault, told at each turn what comes next', async (t) => {
  t.match(await chancery('credentials'), { exit: 0, stderr: /credentials --help says how/ })
  t.match(await chancery('rotate', 'mail-api', ...why), { exit: 1, stderr: /There is no credential mail-api\. chancery credentials/ })
  t.match(await chancery('credentials', 'put', 'mail-api', '--manifest', join(folder, 'absent.json'), ...why), { exit: exitCodes.usage.value, stderr: /cannot be read: there is no such file/ })
  t.match(await chancery('credentials', 'put', 'mail-api', '--manifest', file('bad.json', '{"vendor":'), ...why), { exit: exitCodes.usage.value, stderr: /is not JSON/ })
  const wrong = file('wrong.json', { ...wire(), sensitivity: 'so-so', lead_days: -1, consumers: [{ ...wire().consumers[0], required: undefined }] })
  const errors = await chancery('credentials', 'put', 'mail-api', '--manifest', wrong, ...why)
  t.match(errors, { exit: 1, stderr: /manifest_invalid/ })
  for (const path of ['/sensitivity', '/lead_days', '/consumers/0/required']) t.ok(errors.stderr.includes(`wrong.json: ${path} `), errors.stderr)

  t.match(await chancery('credentials', 'put', 'mail-api-admin', '--manifest', file('admin.json', adminManifest(vendor)), ...why), { exit: 0, stdout: /version 1/ })
  t.match(await chancery('credentials', 'put', 'mail-api', '--manifest', file('mail-api.json', wire()), ...why), { exit: 0, stdout: /put: manifest of mail-api, version 1\n/, stderr: /credentials adopt mail-api/ })
  t.match(await chancery('rotate', 'mail-api', ...why), { exit: 1, stderr: /value_missing[^]*what to do: chancery credentials adopt/ })
  t.match(await chancery('rotations', 'show', 'mail-api'), { exit: 1, stderr: /never rotated\. Begin with: chancery rotate mail-api/ })
})

t.test('a manifest that is shown to who rotates can be put again', async (t) => {
  const as = async (role: string) => {
    const { stdout } = await chancery('principals', 'create', role, '--kind', 'operator', '--role', role, '--json')
    return { ...env, CHANCERY_TOKEN: (await chancery('tokens', 'new', (JSON.parse(stdout) as { principal_id: string }).principal_id)).stdout.trim() }
  }
  const operator = await as('rotations-operator')
  const shown = await commandLine(operator, ['credentials', 'show', 'mail-api', '--manifest'])
  t.match(shown, { exit: 0, stderr: '' })
  t.match(await commandLine(operator, ['credentials', 'put', 'mail-api', '--manifest', file('shown.json', shown.stdout), ...why]), { exit: 0, stdout: /version 2/ })
  t.match(await commandLine(await as('rotations-read'), ['credentials', 'show', 'mail-api', '--manifest']), { exit: 0, stdout: /"name": null/, stderr: /owner is not shown to you/ })
})

t.test('a value is taken from a hidden prompt, a file or a pipe, and shown nowhere', async (t) => {
  t.match(await chancery('credentials', 'adopt', 'mail-api-admin', ...why), { exit: exitCodes.usage.value, stderr: /--value-file/ })
  t.match(await chancery('credentials', 'adopt', 'mail-api-admin', '--value-file', file('empty', '\n'), ...why), { exit: exitCodes.usage.value, stderr: /empty/ })
  const open = file('open', vendor.connectionToken)
  chmodSync(open, 0o644)
  t.match(await chancery('credentials', 'adopt', 'mail-api-admin', '--value-file', open, ...why), { exit: 0, stdout: /adopted/, stderr: /Others on this machine may read/ })
  const dead = await vendor.makeToken('dead')
  noteCanary({ what: 'a dead token', text: dead.token })
  await vendor.killToken(dead.id)
  const piped = await commandLine(env, ['credentials', 'adopt', 'mail-api', '--value-file', '-', '--vendor-token-id', dead.id, ...why], { stdin: Readable.from([`${dead.token}\n`]) })
  t.match(piped, { exit: 0, stdout: /adopted/ })
  t.notOk(`${piped.stdout}${piped.stderr}`.includes(dead.token))
})

t.test('a dead token: the vendor\'s own words, and a way out', async (t) => {
  const ran = await chancery('rotate', 'mail-api', ...why)
  t.match(ran, { exit: exitCodes.findings.value, stdout: /verify_failed: Nothing was touched[^]*answered 401: \{"id":"unauthorized"/, stderr: /dead for good: abort, then chancery rotate mail-api --mode replace --ticket[^]*chancery rotations verify mail-api --reason "…"\n {2}or: chancery rotations abort mail-api/ })
  t.match(await chancery('rotations', 'show', 'mail-api'), { exit: exitCodes.findings.value, stdout: /dead for good: abort, then chancery rotate/ })
  t.match(await chancery('rotate', 'mail-api', '--mode', 'replace', '--ticket', '4711', ...why), { exit: 1, stderr: /does not replace a dead value \(verify_failed\).*chancery rotations abort mail-api, then the same again/ }, 'it does not go on with the wrong one')
  t.match(await chancery('rotations', 'distribute', 'mail-api', ...why), { exit: 1, stderr: /step_not_offered[^]*It offers: verify, abort/ })
  t.match(await chancery('rotations', 'open', 'mail-api', ...why), { exit: 1, stderr: /rotation_open[^]*rotation_id[^]*what to do: chancery rotate/ })
  t.match(await chancery('rotations', 'abort', 'mail-api', '--transition', '1', ...why), { exit: 1, stderr: /precondition_failed[^]*what to do/ })
  t.match(await chancery('rotations', 'abort', 'mail-api', ...why), { exit: 0, stdout: /aborted: / })

  const replace = ['rotations', 'open', 'mail-api', '--mode', 'replace', ...why]
  t.match(await chancery(...replace), { exit: exitCodes.usage.value, stderr: /needs --confirm mail-api and --ticket/ })
  t.match(await chancery(...replace, '--ticket', '4711'), { exit: exitCodes.usage.value, stderr: /needs --confirm mail-api/ })
  t.match(await chancery(...replace, '--ticket', '4711', '--confirm', 'mail'), { exit: 1, stderr: /confirmation_mismatch/ })
  t.match(await chancery(...replace, '--ticket', 'four', '--confirm', 'mail-api'), { exit: 1, stderr: /ticket_invalid[^]*--ticket 4711/ })
  t.match(await chancery(...replace, '--ticket', '4711', '--confirm', 'mail-api'), { exit: 0 })
  t.match(await chancery('rotate', 'mail-api', '--mode', 'replace', ...why), { exit: exitCodes.findings.value, stdout: /verified: |opened: / }, 'the open one is of that mode')
  t.match(await chancery('rotations', 'abort', 'mail-api', ...why), { exit: 0 })
  const whole = ['rotate', 'mail-api', '--mode', 'replace', '--ticket', '4711', ...why]
  t.match(await chancery(...whole), { exit: exitCodes.usage.value, stderr: /needs --confirm mail-api/ })
  t.match(await chancery(...whole, '--confirm', 'mail-api'), { exit: exitCodes.findings.value, stdout: /verified: / })
  t.match(await chancery('rotations', 'abort', 'mail-api', ...why), { exit: 0, stdout: /aborted: / })
})

let old = ''

t.test('a hidden value at the terminal', async (t) => {
  const living = await vendor.makeToken('in use')
  old = living.token
  noteCanary({ what: 'the token in use', text: old })
  const terminal = atTerminal(env, ['credentials', 'adopt', 'mail-api', '--vendor-token-id', living.id])
  await terminal.sees(/not shown/)
  terminal.type(`${living.token}${ENTER}`)
  await terminal.sees(/Why\?/)
  terminal.type(`It is due.${ENTER}`)
  const { exit, text } = await terminal.end()
  t.equal(exit, 0, text)
  t.notOk(text.includes(living.token), 'only dots')
  for (const consumer of consumers) await consumer.fetchNow()
  t.match(await chancery('credentials'), { exit: 0, stdout: /mail-api +- +- +0 days +http +high +Demo +-/ })
  t.match(await chancery('credentials', 'show', 'mail-api'), { exit: 0, stdout: /connection +credential mail-api-admin[^]*billing +yes +push to/ })
})

t.test('at a gate, Ctrl-C leaves it, another operator takes the question back, and nothing answers for a pipe', async (t) => {
  t.match(await chancery('rotate', 'mail-api', ...why), { exit: exitCodes.findings.value, stdout: /verified: /, stderr: /chancery rotations distribute mail-api --reason "…"\n {2}or: chancery rotations abort mail-api --reason/ })
  const first = atTerminal(env, ['rotate', 'mail-api'])
  await first.sees(/Going on with the rotation[^]*verified[^]*Mint a new value/)
  first.type(CTRL_C)
  t.match(await first.end(), { exit: exitCodes.findings.value, text: /Left as it is; the value in use works on\. Go on with: chancery rotate mail-api/ })

  const second = atTerminal(env, ['rotate', 'mail-api'])
  await second.sees(/Mint a new value/)
  t.match(await chancery('rotations', 'abort', 'mail-api', ...why), { exit: 0 })
  t.match(await second.end(), { exit: exitCodes.findings.value, text: /moved on: somebody else took a step[^]*aborted: mail-api has its old value/ })
})

t.test('the whole of it at one terminal, over a connection that breaks', async (t) => {
  await reports.bare(true)
  const terminal = atTerminal(env, ['rotate', 'mail-api'])
  await terminal.sees(/Why\?/)
  terminal.type(`It is due.${ENTER}`)
  await terminal.sees(/mail-api {2}verified[^]*✓ verify[^]*Mint a new value and give it to every consumer/)
  terminal.type(ENTER)
  await terminal.sees(/Why\?[^]*It is due\./)
  await proxy.vanish()
  terminal.type(ENTER)
  await terminal.sees(/Asking again/)
  await proxy.listen()
  await terminal.sees(/distributed[^]*✓ billing[^]*Have every consumer prove/)

  terminal.type(ENTER)
  await terminal.sees(/Why\?/)
  terminal.type(ENTER)
  const failed = await terminal.sees(/validation_failed[^]*What now\? Who is not required may be waived[^]*● Give the new value again/)
  t.match(failed, /Gate: closed\. reports gives no proof/)

  const steps = (await job()).steps
  t.same(steps, ['retry', 'validate', 'waive', 'abort'])
  terminal.type(`${DOWN}${DOWN}${ENTER}`)
  await terminal.sees(/Whose proof\?[^]*reports/)
  terminal.type(ENTER)
  await terminal.sees(/Ticket/)
  terminal.type(`4711${ENTER}`)
  await terminal.sees(/Why\?/)
  terminal.type(ENTER)
  await terminal.sees(/waived[^]*Gate: closed, and nobody stands in the way[^]*● Have every consumer prove/)
  terminal.type(ENTER)
  await terminal.sees(/Why\?/)
  terminal.type(ENTER)
  await terminal.sees(/mail-api {2}validated[^]*Gate: open[^]*● Revoke the old value/)
  terminal.type(ENTER)
  await terminal.sees(/Type the credential's name to confirm/)
  terminal.type(`mail${ENTER}`)
  await terminal.sees(/That is another word\. Type it letter by letter: mail-api/)
  terminal.type(`-api${ENTER}`)
  await terminal.sees(/Ticket[^]*4711/)
  terminal.type(ENTER)
  await terminal.sees(/Why\?/)
  terminal.type(ENTER)
  const { exit, text } = await terminal.end()
  t.equal(exit, 0, text)
  t.match(text, /revoking[^]*done: mail-api is rotated, and the vendor was seen refusing the old value/)
  t.equal((await vendor.tryToken(old)).status, 401)
  const { work } = await billing.state()
  t.match(work, { refused: 0, failed: 0 })
})

t.test('afterwards it can be read', async (t) => {
  t.match(await chancery('credentials', 'show', 'mail-api'), { stdout: /last rotated +2\d{3}-/ })
  t.match(await chancery('rotations', 'list', 'mail-api'), { exit: 0, stdout: /done +rotate +operator[^]*aborted[^]*aborted/ })
  t.match(await chancery('rotations', 'show', 'mail-api'), { exit: 0, stdout: /mail-api {2}done[^]*billing +yes +push +succeeded +proved[^]*reports +no +push +succeeded +waived/ })
  t.match(await chancery('rotations', 'transcript', 'mail-api'), { exit: 0, stdout: /rotation\.opened[^]*because: It is due\.[^]*mint: POST[^]*deliveries_recorded {2}→ {2}distributing: [^\n]*billing succeeded[^]*ticket 4711[^]*rotation\.done/ })
  const facts = values<{ fact: string, id: string }>((await chancery('rotations', 'watch', 'mail-api', '--json')).stdout)
  t.match(facts.at(0), { fact: 'rotation.opened' })
  t.match(facts.at(-1), { fact: 'rotation.done' })
  t.match(await chancery('rotations', 'watch', 'mail-api'), { exit: 0, stdout: /done: Done/ })
  t.match(await chancery('rotations', 'abort', 'mail-api', ...why), { exit: 1, stderr: /not_abortable|step_not_offered/ })
})

t.test('a step at a time, without waiting, watched until it is stopped', async (t) => {
  await reports.bare(false)
  t.match(await chancery('rotations', 'open', 'mail-api', ...why), { exit: 0, stdout: /^opened: rotation/, stderr: /next: chancery rotations verify mail-api/ })
  const watching = commandLine(env, ['rotations', 'watch', 'mail-api'], { onPrint: (stdout, stop) => { if (stdout.includes('verified: ')) stop() } })
  t.match(await chancery('rotations', 'verify', 'mail-api', '--no-wait', ...why), { exit: 0, stdout: /verify: mail-api is verif/ })
  t.match(await watching, { exit: 1, stdout: /verified: /, stderr: /Not waited for[^]*chancery rotate mail-api/ })
  for (const [step, state] of [['distribute', 'distributed'], ['validate', 'validated']] as const) {
    t.match(await chancery('rotations', step, 'mail-api', ...why, '--json'), { exit: 0, stdout: new RegExp(`"state":"${state}"`) })
  }
  t.match(await chancery('rotations', 'revoke', 'mail-api', ...why), { exit: exitCodes.usage.value, stderr: /--confirm mail-api/ })
  t.match(await chancery('rotations', 'revoke', 'mail-api', '--confirm', 'mail-аpi', '--ticket', '4711', ...why), { exit: 1, stderr: /confirmation_mismatch[^]*look alike/ })
  t.match(await chancery('rotations', 'abort', 'mail-api', ...why), { exit: 0, stdout: /aborted: / })
  t.match(await chancery('rotate', 'mail-api-admin', ...why), { exit: exitCodes.findings.value, stdout: /verified: / })
  t.match(await chancery('rotations', 'distribute', 'mail-api-admin', ...why), { exit: exitCodes.usage.value, stderr: /Make a token with the scope global at the vendor\. Then hand it over: --value-file <file>/ })
})

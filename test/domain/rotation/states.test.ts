// State × command: exactly what each step, each change of the manifest and each opening does in each state (issue: 3.3).
import t from 'tap'
import type { EventOf } from '../../../src/domain/catalogue.ts'
import { codes, Refusal } from '../../../src/domain/codes.ts'
import type { Subscriber } from '../../../src/domain/credential/manifest.ts'
import { abortTable } from '../../../src/domain/rotation/abort-table.ts'
import { due } from '../../../src/domain/rotation/due.ts'
import { jobStates, stepNames, type JobState, type StepName } from '../../../src/domain/rotation/job.ts'
import { adopt, open, putManifestOn } from '../../../src/domain/rotation/open.ts'
import { labelOf } from '../../../src/domain/rotation/orphans.ts'
import { abortStarted, askedInVain, gateClosed, mintSettled, mintStarted, minted, onJob, orphanFound, refusalProbed, revokeAnswered, revokeStarted } from '../../../src/domain/rotation/outcomes.ts'
import { deliveriesRecorded, deliveriesStarted, validationEnded, validationStarted } from '../../../src/domain/rotation/outcomes-consumers.ts'
import { takeStepOn, type StepCommand } from '../../../src/domain/rotation/steps.ts'
import { jobView } from '../../../src/domain/rotation/view.ts'
import { BEGIN, exchange, into, manifest, NAME, NEW, ROTATION, rules, subscriber, tell, usual, type Told } from './world.ts'

const N = '409 step_not_offered'
const ABORT = 'rotation.abort_requested'
const AT_ONCE = 'rotation.aborted'
const FORWARD = '409 not_abortable'

/** Rows: verify, distribute, retry, validate, waive (of who is not required), revoke, abort. */
const steps: Record<JobState, [string, string, string, string, string, string, string]> = {
  opened: ['rotation.verify_started', N, N, N, N, N, AT_ONCE],
  verifying: [N, N, N, N, N, N, AT_ONCE],
  verified: [N, 'rotation.distribute_requested', N, N, N, N, AT_ONCE],
  verify_failed: ['rotation.verify_started', N, N, N, N, N, AT_ONCE],
  minting: [N, N, N, N, N, N, ABORT],
  mint_failed: [N, 'rotation.distribute_requested', N, N, N, N, AT_ONCE],
  mint_outcome_unknown: [N, N, N, N, N, N, ABORT],
  distributing: [N, N, N, N, N, N, ABORT],
  distribute_partial: [N, N, 'rotation.retry_requested', N, N, N, ABORT],
  distributed: [N, N, N, 'rotation.validation_started', 'rotation.consumer_waived', N, ABORT],
  validating: [N, N, N, N, N, N, ABORT],
  validation_failed: [N, N, 'rotation.retry_requested', 'rotation.validation_started', 'rotation.consumer_waived', N, ABORT],
  validated: [N, N, N, 'rotation.validation_started', 'rotation.consumer_waived', 'rotation.revoke_requested', ABORT],
  confirming: [N, N, N, N, N, N, ABORT],
  revoking: [N, N, N, N, N, N, FORWARD],
  revoke_unconfirmed: [N, N, N, N, N, N, FORWARD],
  abort_checking: [N, N, N, N, N, N, N],
  aborting: [N, N, N, N, N, N, N],
  done: [N, N, N, N, N, N, FORWARD],
  aborted: [N, N, N, N, N, N, FORWARD]
}

const OPEN = '409 rotation_open'
const TICKET = '422 ticket_invalid'
/** What is due first; where a joiner brings the job; another vendor; a required consumer that leaves without a ticket; opening; adopting. */
const others: Record<JobState, [due: string | undefined, joiner: JobState, vendor: string, leaves: string, open: string]> = {
  opened: [undefined, 'opened', OPEN, TICKET, OPEN],
  verifying: ['verify', 'verifying', OPEN, TICKET, OPEN],
  verified: [undefined, 'verified', OPEN, TICKET, OPEN],
  verify_failed: [undefined, 'verify_failed', OPEN, TICKET, OPEN],
  minting: ['mint', 'minting', OPEN, TICKET, OPEN],
  mint_failed: [undefined, 'mint_failed', OPEN, TICKET, OPEN],
  mint_outcome_unknown: ['settle_mint', 'mint_outcome_unknown', OPEN, TICKET, OPEN],
  distributing: ['deliver', 'distributing', OPEN, TICKET, OPEN],
  distribute_partial: [undefined, 'distributing', OPEN, TICKET, OPEN],
  distributed: [undefined, 'distributing', OPEN, TICKET, OPEN],
  validating: ['probe', 'distributing', OPEN, TICKET, OPEN],
  validation_failed: [undefined, 'distributing', OPEN, TICKET, OPEN],
  validated: [undefined, 'distributing', OPEN, TICKET, OPEN],
  confirming: ['probe', 'distributing', OPEN, TICKET, OPEN],
  revoking: ['revoke', 'revoking', OPEN, TICKET, OPEN],
  revoke_unconfirmed: ['probe_refused', 'revoke_unconfirmed', OPEN, TICKET, OPEN],
  abort_checking: ['check_old', 'abort_checking', OPEN, TICKET, OPEN],
  aborting: ['deliver', 'aborting', OPEN, TICKET, OPEN],
  done: [undefined, 'done', 'put + credential.value_superseded', 'put', 'rotation.opened'],
  aborted: [undefined, 'aborted', 'put + credential.value_superseded', 'put', 'rotation.opened']
}

const outcomeOf = (decide: () => ReadonlyArray<EventOf<'credential'>>): string => {
  try {
    return decide().map(({ type }) => type === 'credential.manifest_put' ? 'put' : type).join(' + ')
  } catch (error) {
    if (error instanceof Refusal) return `${codes[error.code].status} ${error.code}`
    throw error
  }
}

const stepOf = (kind: StepName): StepCommand['step'] => kind === 'waive' ? { kind, consumer: 'two' } : kind === 'revoke' ? { kind, confirm: NAME } : { kind }

const ask = (told: Told, step: StepCommand['step'], of: Partial<StepCommand> = {}): string => outcomeOf(() =>
  takeStepOn(told.credential, { rotationId: ROTATION, transition: told.job.transition, step, ticket: 'open', at: told.now(), ...of }, rules))

const put = (told: Told, consumers: Subscriber[], { vendor = 'vendor.example', ticket }: { vendor?: string, ticket?: 'open' } = {}) =>
  putManifestOn(told.credential, { name: NAME, manifest: manifest(consumers, vendor), ticket, at: told.now(), graceMs: 1 })

t.test('every state × every step', async (t) => {
  for (const state of jobStates) {
    const told = into(state)
    t.equal(told.state, state)
    for (const [n, kind] of stepNames.entries()) {
      t.equal(ask(told, stepOf(kind)), steps[state][n], `${state}: ${kind}`)
      t.equal(ask(told, stepOf(kind), { transition: told.job.transition - 1 }), '412 precondition_failed', `${state}: ${kind}, as somebody saw it before`)
      t.equal(ask(told, stepOf(kind), { transition: undefined }), '428 precondition_required', `${state}: ${kind}, as nobody saw it`)
      t.equal(ask(told, stepOf(kind), { rotationId: NAME }), '404 subject_not_found', `${state}: ${kind}, of another job`)
    }
    const view = jobView(told.credential, ROTATION, told.now(), rules)
    t.strictSame(view?.steps, stepNames.filter((_, n) => !/^4/.test(steps[state][n] ?? '')), `${state}: offered is what is accepted`)
    t.equal(view?.abortMeans !== undefined, !/^4/.test(steps[state][6]), `${state}: what abort means`)
    t.equal(abortTable[state].kind, { [AT_ONCE]: 'at_once', [ABORT]: 'way_back', [FORWARD]: 'forward', [N]: 'under_way' }[steps[state][6]], `${state}: the table of aborts`)
  }
})

t.test('every state × what is due, manifest, opening, adopting', async (t) => {
  for (const state of jobStates) {
    const [first, joined, vendor, leaves, opened] = others[state]
    const told = into(state)
    // Long after: no pause is waited for any more.
    t.equal(due(told.credential, new Date(told.now().getTime() + 60_000), rules).actions[0]?.kind, first, `${state}: due`)
    t.equal(outcomeOf(() => put(told, usual(), { vendor: 'another.example' })), vendor, `${state}: another vendor`)
    t.equal(outcomeOf(() => put(told, usual().slice(1))), leaves, `${state}: a required consumer leaves`)
    t.equal(outcomeOf(() => put(told, [subscriber('one', { required: false }), ...usual().slice(1)])), leaves, `${state}: a required consumer becomes optional`)
    t.equal(outcomeOf(() => put(told, usual().slice(1), { ticket: 'open' })), 'put', `${state}: with a ticket it leaves`)
    t.equal(outcomeOf(() => open(told.credential, { rotationId: NAME, mode: 'rotate', trigger: 'operator', confirm: undefined, ticket: undefined, at: told.now() })), opened, `${state}: open`)
    t.equal(outcomeOf(() => adopt(told.credential, { valueId: ROTATION, fingerprint: 'x'.repeat(43), vendorTokenId: 'token-x' }, told.now(), 1)),
      opened === OPEN ? OPEN : 'credential.value_adopted + credential.value_superseded', `${state}: adopt`)
    told.facts(put(told, [...usual(), subscriber('three')]))
    t.equal(told.state, joined, `${state}: somebody joins`)
  }
})

t.test('the gate', async (t) => {
  const told = into('validated')
  for (const typed of ['Heroku-api', 'heroku-аpi', ' heroku-api', 'heroku‑api', 'heroku-api ', '']) t.equal(ask(told, { kind: 'revoke', confirm: typed }), '422 confirmation_mismatch', `typed ${JSON.stringify(typed)}`)
  t.equal(ask(told, { kind: 'revoke', confirm: NAME }, { ticket: undefined }), '422 ticket_invalid')
  t.equal(ask(told, { kind: 'revoke', confirm: NAME }, { at: new Date(told.now().getTime() + rules.proofMaxAgeMs + 10_000) }), '409 gate_closed', 'a proof that is too old')
  t.equal(ask(told, { kind: 'waive', consumer: 'one' }), '409 gate_closed', 'a required one is never waived')
  t.equal(ask(told, { kind: 'waive', consumer: 'nobody' }), '404 subject_not_found')
  t.equal(ask(told, { kind: 'waive', consumer: 'two' }, { ticket: undefined }), '422 ticket_invalid')
  const waived = into('validation_failed').step({ kind: 'waive', consumer: 'two' })
  t.equal(ask(waived, { kind: 'waive', consumer: 'two' }), N, 'nobody is left to be waived')
  const closed = jobView(into('validation_failed').credential, ROTATION, new Date(BEGIN), rules)?.gate
  t.strictSame(closed, { open: false, closedBy: [{ consumer: 'two', why: 'unproved' }] })
})

t.test('revoking begins on a complete round of proofs of its own, and of the manifest that holds', async (t) => {
  const begins = (told: Told): string => told.record(revokeStarted(1, rules.proofMaxAgeMs)).state
  t.equal(begins(into('confirming')), 'confirming', 'nobody has answered yet')
  t.equal(begins(into('confirming').prove(['two'])), 'confirming', 'the required one has not')
  t.equal(begins(into('confirming').prove(['one'])), 'confirming', 'the other one has not')
  t.equal(begins(into('confirming').prove(['two']).prove(['one'], 'unproved')), 'confirming', 'the required one did, and does no more')
  t.equal(begins(into('validated')), 'validated', 'nobody asked for it')
  const older = into('confirming').prove(['one', 'two'])
  older.facts(put(older, usual()))
  t.equal(begins(older), 'confirming', 'the manifest is another one since')
  t.equal(begins(into('confirming').prove(['one', 'two'])), 'revoking')
  const failing = into('confirming').prove(['two'])
  for (let tries = 0; tries < 3; tries++) failing.prove(['one'], 'unproved')
  t.equal(due(failing.credential, failing.now(), rules).actions[0]?.kind, 'end_validation')
  t.equal(failing.record(validationEnded(failing.job.rounds, 'revoke')).state, 'validation_failed')
  const waived = into('validated').step({ kind: 'waive', consumer: 'two' }).step({ kind: 'revoke', confirm: NAME }).record(validationStarted('revoke', 2)).prove(['one'])
  t.equal(begins(waived), 'revoking', 'who is waived is not waited for')
})

t.test('a manifest in an open job', async (t) => {
  const moved = into('validated')
  moved.facts(put(moved, [subscriber('one', { healthcheck: 'https://elsewhere.example/health' }), ...usual().slice(1)]))
  t.equal(moved.state, 'distributing', 'an address that changed voids what was delivered')
  t.match(moved.job.consumers.get('one'), { status: 'pending', provedAt: undefined, announced: false, mayHoldNew: true })
  t.ok(moved.job.consumers.get('two')?.provedAt, 'and of nobody else')
  const required = into('validation_failed').step({ kind: 'waive', consumer: 'two' })
  required.facts(put(required, [subscriber('one'), subscriber('two')]))
  t.equal(required.job.consumers.get('two')?.waived, undefined, 'who becomes required is waived no more')
  const vanished = into('distribute_partial')
  vanished.facts(put(vanished, usual().slice(1), { ticket: 'open' }))
  t.equal(due(vanished.credential, vanished.now(), rules).actions[0]?.kind, 'end_distribution', 'without who had vanished it goes on')
  const confirming = into('confirming').prove(['one', 'two'])
  confirming.facts(put(confirming, usual()))
  t.equal(due(confirming.credential, confirming.now(), rules).actions[0]?.kind, 'start_validation', 'proofs of an older manifest open nothing')
})

t.test('who leaves and comes back is remembered to hold the new value', async (t) => {
  const told = into('abort_checking')
  told.facts(put(told, usual().slice(1), { ticket: 'open' })).facts(put(told, usual()))
  told.record(abortStarted([]))
  t.strictSame(told.job.abort?.giveBack, ['two', 'one'].sort(), 'on the way back it is given the old one')
  const late = into('aborting')
  late.facts(put(late, usual().slice(1), { ticket: 'open' })).facts(put(late, usual()))
  t.match(due(late.credential, late.now(), rules).actions[0], { kind: 'start_deliveries', consumers: ['one'] }, 'also when it comes back later')
})

t.test('a vendor that moves', async (t) => {
  const told = into('verified')
  const before = told.job.transition
  const changed = { ...manifest(usual()), connection: { account: 'another' } }
  told.facts(putManifestOn(told.credential, { name: NAME, manifest: changed, ticket: undefined, at: told.now(), graceMs: 1 }))
  t.equal(told.state, 'opened', 'another connection, and stage 1 begins anew')
  t.equal(told.job.transition, before + 1)
  const ended = into('done')
  ended.facts(put(ended, usual(), { vendor: 'another.example' }))
  t.equal(ended.credential.value, undefined, 'a value is sent to no other address than it was handed over for')
  t.equal(outcomeOf(() => open(ended.credential, { rotationId: NAME, mode: 'rotate', trigger: 'operator', confirm: undefined, ticket: undefined, at: ended.now() })), '409 value_missing')
  t.equal(outcomeOf(() => adopt(ended.credential, { valueId: ROTATION, fingerprint: 'x'.repeat(43) }, ended.now(), 1)), '400 invalid_request', 'a token without the id that it is revoked by')
})

t.test('how a vendor\'s answers are read', async (t) => {
  const stuck = into('revoke_unconfirmed')
  const { vendor, ...rest } = manifest(usual())
  const mended = { ...rest, vendor: { ...vendor, refusedStatuses: [401, 403] } as typeof vendor }
  const facts = putManifestOn(stuck.credential, { name: NAME, manifest: mended, ticket: undefined, at: stuck.now(), graceMs: 1 })
  t.strictSame(facts.map(({ type }) => type), ['credential.manifest_put'], 'may be mended at any time: else nothing would ever be seen refused')
  const asked = { ...rest, vendor: { ...vendor, revoke: { method: 'DELETE', url: 'https://vendor.example/other', expect: [200] } } as typeof vendor }
  t.equal(outcomeOf(() => putManifestOn(stuck.credential, { name: NAME, manifest: asked, ticket: undefined, at: stuck.now(), graceMs: 1 })), '409 rotation_open', 'what is asked stays')
})

t.test('a gate that was closed after all had proved says what opens it', async (t) => {
  const told = (why: string, mode: 'rotate' | 'replace' = 'rotate') => {
    const closed = into('confirming', tell(mode)).record(gateClosed(why, []))
    return jobView(closed.credential, ROTATION, closed.now(), rules)
  }
  t.match(told('old_value_used'), { state: 'validation_failed', meaning: /was used after .* revoke it at the vendor by hand/ })
  t.match(told('new_value_refused')?.meaning, /refuses the new value\. Abort/)
  t.match(told('new_value_untried')?.meaning, /did not say whether it accepts the new value/)
  t.match(told('vendor_list_failed')?.meaning, /list could not be read/)
  for (const state of ['verified', 'distributed', 'validated'] as const) {
    const replacing = into(state, tell('replace'))
    t.notMatch(jobView(replacing.credential, ROTATION, replacing.now(), rules)?.meaning, /current value works|old one works on/, `${state}: nothing of a dead value is said to work`)
  }
})

t.test('what is looked at before an end', async (t) => {
  const settled = into('mint_outcome_unknown')
  settled.record(mintSettled(settled.job, [], 1))
  t.equal(settled.state, 'verified')
  t.equal(ask(settled, { kind: 'abort' }), ABORT, 'after an unknown minting the list, before an abort')
  t.equal(due(settled.step({ kind: 'abort' }).credential, settled.now(), rules).actions[0]?.kind, 'end_abort')
  const revoking = into('revoking')
  revoking.facts(put(revoking, [...usual(), subscriber('three')])).record(deliveriesStarted(revoking.job.newValue?.valueId ?? '', ['three']))
    .record(deliveriesRecorded([{ consumer: 'three', deliverySeq: 2, status: 'failed', tries: 1, exchange: exchange('failed', '503'), at: revoking.now().toISOString() }]))
    .record(revokeAnswered(1, 'revoked', []))
  for (const n of [0, 1, 2]) revoking.record(refusalProbed(n, true, []))
  const at = new Date(Date.parse(revoking.job.consumers.get('three')?.lastTryAt ?? '') + 500)
  t.ok(due(revoking.credential, at, rules).again, 'a joiner is served before the end')
  const stale = into('mint_outcome_unknown')
  const then = stale.job
  stale.record(mintSettled(stale.job, [], 1)).step({ kind: 'distribute' }).record(mintStarted(2, { valueId: NEW, label: 'label' }, []))
    .record(minted(2, { valueId: NEW, fingerprint: 'n'.repeat(43), vendorTokenId: 'token-new' }, []))
  t.strictSame(onJob(stale.credential, ROTATION, stale.now(), orphanFound(then, { tokenId: 'token-new', label: labelOf(ROTATION, 2) }, [])), [], 'an old look at the list makes no orphan of the new token')
})

t.test('an orphan that the vendor does not revoke is told', async (t) => {
  const told = into('mint_outcome_unknown')
  told.record(orphanFound(told.job, { tokenId: 'token-lost', label: labelOf(ROTATION, 1) }, []))
  const alarmAfter = (ms: number) => jobView(told.credential, ROTATION, new Date(told.now().getTime() + ms), rules)?.alarm
  t.notMatch(alarmAfter(360_000), /has not revoked/, 'nobody has asked the vendor yet')
  told.record(askedInVain(told.job, 'revoke_orphan', [exchange('failed')]))
  t.equal(alarmAfter(60_000), undefined)
  t.match(alarmAfter(360_000), /6 minutes .* token-lost, .* Revoke it by hand/)
})

t.test('a job in the mode replace', async (t) => {
  t.equal(ask(into('distributing', tell('replace')), { kind: 'abort' }), '409 old_credential_dead', 'nothing to give back to who may hold the new value')
  t.equal(ask(into('minting', tell('replace')), { kind: 'abort' }), ABORT)
  const ended = into('aborted')
  const replace = { rotationId: NAME, mode: 'replace' as const, trigger: 'operator' as const, at: ended.now() }
  t.equal(outcomeOf(() => open(ended.credential, { ...replace, confirm: 'heroku', ticket: 'open' })), '422 confirmation_mismatch')
  t.equal(outcomeOf(() => open(ended.credential, { ...replace, confirm: NAME, ticket: undefined })), '422 ticket_invalid')
  t.equal(outcomeOf(() => open(ended.credential, { ...replace, confirm: NAME, ticket: 'open' })), 'rotation.opened')
})

t.test('both ends', async (t) => {
  const done = into('done').credential
  t.match(done, { value: { vendorTokenId: 'token-new' }, lastCompletedAt: String })
  t.strictSame([...done.superseded.keys()], ['11111111-1111-5111-8111-111111111111'])
  const aborted = into('aborted').credential
  t.match(aborted, { value: { vendorTokenId: 'token-old' }, lastCompletedAt: undefined })
  t.strictSame([...aborted.superseded.keys()], ['22222222-2222-5222-8222-222222222222'])
})

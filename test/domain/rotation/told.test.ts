// What a job tells an operator beyond its state: why the vendor's answer will not do, which tokens nobody explains, what is worth retrying.
import t from 'tap'
import { putManifestOn } from '../../../src/domain/rotation/open.ts'
import { deliveriesStarted, validationEnded } from '../../../src/domain/rotation/outcomes-consumers.ts'
import { oldDead, verified } from '../../../src/domain/rotation/outcomes.ts'
import { jobView } from '../../../src/domain/rotation/view.ts'
import { exchange, into, manifest, NAME, NEW, ROTATION, rules, subscriber, tell, usual, type Told } from './world.ts'

const viewOf = (told: Told) => jobView(told.credential, ROTATION, told.now(), rules)

t.test('a made-up value that the vendor did not refuse', async (t) => {
  const told = (status: string, failure = 'no_refusal') =>
    viewOf(into('verifying').record(verified(1, [exchange('passed'), { ...exchange('failed', status), probe: 'refuses_random', failure }])))
  t.match(told('403'), { state: 'verify_failed', failure: { answer: { status: '403' } }, meaning: /^Nothing was touched: .*answered 403 .*put a manifest with 403 among its refused_statuses; then verify again/ })
  t.match(told('429')?.meaning, /answered 429 .*If that was a bad moment, wait/, 'a status that says nothing of the value is no refusal to be')
  t.match(told('53300')?.meaning, /answered 53300 .*look at authenticate/)
  t.match(told('200', 'random_accepted')?.meaning, /lets in a value that was made up at random.*authenticate/)
  t.match(viewOf(into('verify_failed'))?.meaning, /did not accept the probes/, 'every other probe speaks for itself')
  t.match(viewOf(into('verifying', tell('replace')).record(verified(1, [{ ...exchange('failed', '403'), probe: 'refuses_random', failure: 'no_refusal' }])))?.meaning, /refused_statuses/)
})

t.test('a connection that is the value itself', async (t) => {
  const view = viewOf(into('verifying').record(verified(1, [exchange('passed'), { ...exchange('failed'), probe: 'may_mint', failure: 'is_the_connection' }])))
  t.match(view, { state: 'verify_failed', meaning: /^Nothing was touched: the connection is what is to be rotated.*Put a manifest with another connection.*then verify again, or abort/ })
})

t.test('nothing is said to work that is dead, and each state that waits for something says what ends it', async (t) => {
  const told = into('abort_checking').record(oldDead([exchange('failed', '401')]))
  t.match(viewOf(told), { state: 'distributed', meaning: /^Every required consumer has the new value\. .*Abort was refused: the old value is dead, the way is forward\.$/ })
  told.step({ kind: 'validate' })
  for (const view of [viewOf(told), viewOf(told.prove(['one'], 'unproved').record(validationEnded(1, 'validate')))]) t.notMatch(view?.meaning, /works on|or abort/, view?.state ?? '')
  t.match(viewOf(into('aborting'))?.meaning, /waited for: mend it, or,.* put a manifest without it, with a ticket/)
  t.match(viewOf(into('revoke_unconfirmed'))?.meaning, /revoke it there by hand/)
  for (const state of ['done', 'aborted'] as const) {
    const ended = into(state)
    t.throws(() => ended.step({ kind: 'verify' }), /It has ended: open a new one/, state)
    t.throws(() => ended.step({ kind: 'abort' }), /The rotation has ended/, state)
  }
})

t.test('who is waived is retried no more', async (t) => {
  const told = into('validation_failed')
  t.ok(viewOf(told)?.steps.includes('retry'), 'as long as somebody is waited for')
  told.step({ kind: 'waive', consumer: 'two' })
  t.notOk(viewOf(told)?.steps.includes('retry'))
  const both = into('validating', tell('rotate', [...usual(), subscriber('three')])).prove(['one']).prove(['two', 'three'], 'unproved').record(validationEnded(1, 'validate'))
    .step({ kind: 'waive', consumer: 'two' }).step({ kind: 'retry' })
  t.equal(both.state, 'distributing')
  t.equal(both.job.consumers.get('three')?.status, 'pending', 'who is not waived is given the value again')
  t.equal(both.job.consumers.get('two')?.status, 'succeeded', 'nobody waits for the tries of one that is')
})

t.test('who pulls is given the same value again under a higher number: what it has acknowledged it neither fetches nor acknowledges again', async (t) => {
  const told = into('validating', tell('rotate', [subscriber('one'), subscriber('two', { delivery: { kind: 'pull' } })])).prove(['one', 'two'], 'unproved').record(validationEnded(1, 'validate'))
  const seq = (name: string): number => told.job.consumers.get(name)?.delivery?.seq ?? 0
  const before = [seq('one'), seq('two')] as const
  told.step({ kind: 'retry' }).record(deliveriesStarted(NEW, ['one', 'two']))
  t.equal(seq('one'), before[0], 'who is pushed to is asked again anyway')
  t.ok(seq('two') > before[1])
})

t.test('what was done about the ticket by which a manifest lets a required consumer go', async (t) => {
  const put = (told: Told, consumers: ReturnType<typeof usual>, ticket: 'open' | 'format' | undefined) =>
    putManifestOn(told.credential, { name: NAME, manifest: manifest(consumers), ticket, at: told.now(), graceMs: 1 })
  for (const ticket of ['open', 'format'] as const) {
    const told = into('distribute_partial')
    const facts = put(told, usual().slice(1), ticket)
    t.match(facts, [{ type: 'credential.manifest_put', data: { ticketCheck: ticket } }])
    t.equal(viewOf(told.facts(facts))?.ticketCheck, ticket)
  }
  t.notOk('ticketCheck' in (put(into('distribute_partial'), usual(), 'open')[0]?.data ?? {}), 'where none was needed, none was looked at')
  const asked = into('confirming')
  t.equal(viewOf(asked.facts(put(asked, usual(), undefined)))?.ticketCheck, 'format', 'a version without a ticket says nothing about the last one')
})

t.test('what a consumer answered before a retry is not shown after it', async (t) => {
  const told = into('validation_failed').step({ kind: 'retry' })
  t.match(viewOf(told)?.consumers.map(({ consumer, proofOutcome }) => [consumer, proofOutcome]), [['one', 'proved'], ['two', undefined]])
})

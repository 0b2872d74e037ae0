// Who joins while a rotation is on its way to one of its ends: back, or forward (ADR 0195).
import t from 'tap'
import { fetchOn } from '../../../src/domain/rotation/fetch.ts'
import { due } from '../../../src/domain/rotation/due.ts'
import { putManifestOn } from '../../../src/domain/rotation/open.ts'
import { aborted, abortStarted, done, newRevokeAnswered, newRevokeStarted, refusalProbed, revokeAnswered } from '../../../src/domain/rotation/outcomes.ts'
import { deliveriesStarted, validationStarted } from '../../../src/domain/rotation/outcomes-consumers.ts'
import { jobView } from '../../../src/domain/rotation/view.ts'
import { exchange, into, manifest, NAME, NEW, ROTATION, rules, subscriber, usual, type Told } from './world.ts'

const next = (told: Told) => due(told.credential, told.now(), rules).actions[0]
const view = (told: Told) => jobView(told.credential, ROTATION, told.now(), rules)
const put = (told: Told, consumers = usual()): Told =>
  told.facts(putManifestOn(told.credential, { name: NAME, manifest: manifest(consumers), ticket: 'open', at: told.now(), graceMs: 1 }))
const join = (told: Told, required = true): Told => put(told, [...usual(), subscriber('joiner', { required })])
const refusedThrice = (told: Told): Told => [0, 1, 2].reduce((on, n) => on.record(refusalProbed(n, true, [exchange('passed', '401')])), told)
const given = (told: Told, valueId: string): Told => told.record(deliveriesStarted(valueId, ['joiner']))
const revoked = (told: Told): Told => refusedThrice(told.record(revokeAnswered(1, 'revoked', [])))

t.test('on the way back the old value is the right one', async (t) => {
  const told = join(into('aborting').deliver('succeeded'))
  const old = told.job.oldValue.valueId
  t.match(next(told), { kind: 'start_deliveries', valueId: old, consumers: ['joiner'] })
  given(told, old).deliver('succeeded', ['joiner']).record(validationStarted('abort', 1)).prove(['one', 'two'])
  t.match(next(told), { kind: 'probe', valueId: old, subscribers: [{ consumer: 'joiner' }] }, 'it is asked like the others')
  t.equal(told.record(newRevokeStarted(1)).job.newRevoking, undefined, 'and waited for')
  t.match(next(told.prove(['joiner'])), { kind: 'revoke_new' })
  t.ok(told.record(newRevokeStarted(1)).job.newRevoking)
})

t.test('also of one that joined before the way back began, and was given nothing', async (t) => {
  const told = join(into('abort_checking')).record(abortStarted([exchange('passed')]))
  t.strictSame(told.job.abort?.giveBack, ['one', 'two', 'joiner'])
  t.equal(told.job.consumers.get('joiner')?.delivery?.valueId, told.job.oldValue.valueId)
})

t.test('of one that moved to another address without ever having been given anything', async (t) => {
  const told = into('abort_checking').record(abortStarted([exchange('passed')], true))
  put(told, [subscriber('one', { healthcheck: 'https://elsewhere.example/health' })])
  t.strictSame(told.job.abort?.giveBack, ['one'])
})

t.test('who joins once the new token is being revoked keeps the end back, and not the vendor', async (t) => {
  const told = into('aborting').deliver('succeeded').record(validationStarted('abort', 1)).prove(['one', 'two']).record(newRevokeStarted(1))
  join(told)
  given(told, told.job.oldValue.valueId).deliver('failed', ['joiner'])
  t.match(next(told), { kind: 'revoke_new', attempt: 2 }, 'the vendor, which has not answered, is told again meanwhile')
  refusedThrice(told.record(newRevokeAnswered(1, 'revoked', [])))
  t.equal(next(told), undefined, 'the end waits')
  t.equal(told.record(aborted(1, false, [])).state, 'aborting', 'also where somebody decides late')
  told.pass(300_000)
  t.match(next(told), { kind: 'deliver', deliveries: [{ subscriber: { consumer: 'joiner' } }] }, 'who is required is tried without end')
  t.match(view(told)?.alarm, /is not proved by joiner\./)
  t.match(next(told.deliver('succeeded', ['joiner'])), { kind: 'end_abort' })
  t.equal(told.record(aborted(1, false, [])).state, 'aborted')
})

t.test('the end does not wait for one that is not required', async (t) => {
  const told = into('aborting').deliver('succeeded').record(validationStarted('abort', 1)).prove(['one', 'two']).record(newRevokeStarted(1))
  refusedThrice(join(told, false).record(newRevokeAnswered(1, 'revoked', [])))
  given(told, told.job.oldValue.valueId).deliver('failed', ['joiner'])
  t.match(next(told), { kind: 'end_abort' }, 'after the usual tries')
})

t.test('who joins while the old token is being revoked and does not take the new value is told, also after the end', async (t) => {
  const told = given(join(into('revoking')), NEW).deliver('failed', ['joiner'])
  t.match(view(told)?.alarm, /^joiner: required, and did not take the new value, while the old one is being revoked\./)
  t.match(next(revoked(told)), { kind: 'finish' }, 'the vendor is not held up')
  told.record(done(1, []))
  t.match(view(told)?.alarm, /^joiner: .* it fetches the value in use with its own token, also when no rotation is open\. Or rotate once more\.$/)
  t.equal(view(told)?.meaning.includes('joiner'), false)

  told.facts(fetchOn(told.credential, 'joiner', told.now()))
  t.equal(told.credential.held.get('joiner')?.valueId, NEW, 'it can fetch the value in use outside a rotation')
  t.equal(view(told)?.alarm, undefined)
  t.match(view(told)?.meaning, /not asked to prove it.*: joiner\. Look whether it works\.$/)
})

t.test('nobody is told who is not required, or has left the manifest', async (t) => {
  t.equal(view(revoked(given(join(into('revoking'), false), NEW).deliver('failed', ['joiner'])).record(done(1, [])))?.alarm, undefined)
  const told = revoked(given(join(into('revoking')), NEW).deliver('failed', ['joiner'])).record(done(1, []))
  t.match(view(told)?.alarm, /^joiner/)
  t.equal(view(put(told))?.alarm, undefined)
})

t.test('who joins right before the end is given the new value first', async (t) => {
  const told = join(revoked(into('revoking')))
  t.equal(told.record(done(1, [])).state, 'revoking', 'decided too late')
  t.match(next(told), { kind: 'start_deliveries', valueId: NEW, consumers: ['joiner'] })
  t.equal(given(told, NEW).deliver('succeeded', ['joiner']).record(done(1, [])).state, 'done')
  t.match(view(told), { alarm: undefined, meaning: /^Done: .* Given the new value and not asked to prove it/ })
})

// The way back: who was given the old value has to prove it before the new token is revoked (ADR 0151).
import t from 'tap'
import { due } from '../../../src/domain/rotation/due.ts'
import { putManifestOn } from '../../../src/domain/rotation/open.ts'
import { newRevokeStarted } from '../../../src/domain/rotation/outcomes.ts'
import { deliveriesStarted, proofsRecorded, validationEnded, validationStarted } from '../../../src/domain/rotation/outcomes-consumers.ts'
import { PROBE_TRIES } from '../../../src/domain/rotation/rules.ts'
import { jobView } from '../../../src/domain/rotation/view.ts'
import { into, manifest, NAME, ROTATION, rules, subscriber, usual, type Told } from './world.ts'

const next = (told: Told) => {
  const { actions: [action], again } = due(told.credential, told.now(), rules)
  return action ?? again
}
/** A round in which `one`, who is required, answers so often and so. */
const round = (told: Told, answers: number): Told => {
  told.record(validationStarted('abort', told.job.rounds + 1)).prove(['two'])
  for (let n = 0; n < answers; n++) told.pass(10_000).prove(['one'], 'unproved')
  return told
}

t.test('a consumer that only says that it took the old value', async (t) => {
  const told = into('aborting').deliver('succeeded')
  const { job } = told
  t.match(next(told), { kind: 'start_validation', purpose: 'abort', round: 1, valueId: job.oldValue.valueId }, 'its word is not enough')
  t.equal(told.record(newRevokeStarted(1)).job.newRevoking, undefined, 'nor is it for who decides late')
  round(told, PROBE_TRIES)
  t.match(told.job.consumers.get('one')?.lastError, 'it does not use the old one')
  t.match(next(told), { kind: 'end_validation', purpose: 'abort', round: 1 })
  told.record(validationEnded(1, 'abort'))
  t.equal(told.state, 'aborting')
  t.match(next(told), { kind: 'start_deliveries', consumers: ['one'], valueId: job.oldValue.valueId }, 'it is given the old value once more, and only it')
  const seq = told.job.consumers.get('one')?.delivery?.seq
  told.record(deliveriesStarted(job.oldValue.valueId, ['one'])).deliver('succeeded', ['one'])
  t.equal(told.job.consumers.get('one')?.delivery?.seq, seq, 'under the same number')
  t.match(next(told), { kind: 'start_validation', round: 2 })
  told.record(validationStarted('abort', 2))
  t.match(next(told), { kind: 'probe', subscribers: [{ consumer: 'one' }] }, 'who has proved is not asked again')
  told.prove(['one'])
  t.match(next(told), { kind: 'revoke_new', attempt: 1 })
  t.ok(told.record(newRevokeStarted(1)).job.newRevoking)
})

t.test('rounds that fail come later and later, and the alarm names who fails', async (t) => {
  const told = into('aborting').deliver('succeeded')
  const pauses = [1, 2, 3, 4].map((number) => {
    round(told, PROBE_TRIES).record(validationEnded(number, 'abort')).record(deliveriesStarted(told.job.oldValue.valueId, ['one'])).deliver('succeeded', ['one'])
    const again = next(told)
    const pause = again instanceof Date ? again.getTime() - Date.parse(told.job.abort?.unprovedAt ?? '') : 0
    told.pass(pause)
    return pause
  })
  // A fact takes a second here, so the first pauses are over when they begin.
  t.strictSame(pauses.slice(2), [4_000, 8_000])
  told.pass(300_000)
  t.match(jobView(told.credential, ROTATION, told.now(), rules)?.alarm, /The old value is not proved by one\./)
})

t.test('who is not required is asked and not waited for', async (t) => {
  const told = into('aborting').deliver('succeeded').record(validationStarted('abort', 1)).prove(['one'])
  t.match(next(told), { kind: 'revoke_new' }, 'one is required and has proved; two has not answered')
  const vanished = into('aborting').deliver('succeeded').record(validationStarted('abort', 1)).prove(['two'])
  vanished.facts(putManifestOn(vanished.credential, { name: NAME, manifest: manifest([subscriber('one', { required: false }), ...usual().slice(1)]), ticket: 'open', at: vanished.now(), graceMs: 1 }))
  t.match(next(vanished), { kind: 'revoke_new' }, 'a manifest that makes it optional is the way on')
})

t.test('proofs of the new value are none of the old one', async (t) => {
  const told = into('validating').prove(['one', 'two'])
  const late = told.job.rounds
  told.step({ kind: 'abort' })
  t.equal(told.record(proofsRecorded(late, [])).state, 'abort_checking')
  const aborting = into('aborting')
  t.ok([...aborting.job.consumers.values()].every(({ provedAt, probe }) => provedAt === undefined && probe === undefined))
  aborting.deliver('succeeded').record(validationStarted('abort', 1))
  const before = aborting.job
  aborting.record(proofsRecorded(0, [{ consumer: 'one', outcome: 'proved', at: aborting.now().toISOString(), tries: 0 }]))
  t.equal(aborting.job.consumers.get('one')?.provedAt, before.consumers.get('one')?.provedAt, 'an answer to another round counts for nothing')
})

// What a job tells an operator beyond its state: why the vendor's answer will not do, which tokens nobody explains, what is worth retrying.
import t from 'tap'
import { verified } from '../../../src/domain/rotation/outcomes.ts'
import { jobView } from '../../../src/domain/rotation/view.ts'
import { exchange, into, ROTATION, rules, tell, type Told } from './world.ts'

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

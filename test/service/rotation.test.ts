// A whole rotation over HTTP, with the vendor and the consumers as processes of their own; and the way back after distribution.
import t, { type Test } from 'tap'
import { spawnConsumer } from '../support/credential-consumer.ts'
import { bearerOf, PATH, rotationWorld, type Job, type RotationWorld } from '../support/rotations.ts'
import { until } from '../support/until.ts'

t.setTimeout(180_000)
const NAME = 'mail-api'

const world = await rotationWorld(t)
const { vendor, service, request, step } = world

const consumers = await Promise.all((['billing', 'mailer', 'reports'] as const).map(async (name) => spawnConsumer(t, {
  name, credentials: [NAME], chancery: { url: service.url, token: await bearerOf(request, `consumer:${name}`) }, work: { url: `${vendor.url}/account` }, ...name === 'reports' && { pull: { pollMs: 1_000 } }
})))
const [billing, mailer, reports] = consumers as [typeof consumers[0], typeof consumers[0], typeof consumers[0]]
const named = [billing.subscriber(), mailer.subscriber(), reports.subscriber({ required: false })]

const accepts = async (value: string): Promise<number> => (await fetch(`${vendor.url}/account`, { headers: { authorization: `Bearer ${value}` } })).status
const everybodyWorks = async (t: Test, what: string): Promise<void> => {
  for (const consumer of consumers) t.equal(await consumer.work(), 200, `${consumer.name} works, ${what}`)
}
const leadsTo = (t: Test, { status, body }: { status: number, body: Job }, state: string): Job => {
  t.equal(status, 202, JSON.stringify(body).slice(0, 300))
  t.equal(body.state, state, body.state === state ? state : JSON.stringify(body).slice(0, 2000))
  return body
}
/** The pulls' time is their own: who asked for a wait may be told before they are through. */
const settled = async ({ job }: RotationWorld, from: Job, state: string): Promise<Job> => {
  await until(async () => (await job(NAME, from)).state === state, 60_000)
  return job(NAME, from)
}

t.test('a dead token is refused in stage 1, in the vendor\'s own words, and nothing was touched', async (t) => {
  const { tokenId } = await world.credential(NAME, named)
  await vendor.kill(tokenId)
  const { writes } = await vendor.look()
  const failed = leadsTo(t, await step(NAME, await world.open(NAME), 'verify'), 'verify_failed')
  t.match(failed, { failure: { probe: 'authenticate', answer: { status: '401', body: /unauthorized/ } }, meaning: /Nothing was touched/ })
  t.equal((await vendor.look()).writes, writes)
  leadsTo(t, await step(NAME, failed, 'abort'), 'aborted')
})

t.test('a rotation: one consumer fails and is retried, the gate, revoked, and the old token seen refused', async (t) => {
  const { value } = await world.credential(NAME, named)
  // They have fetched it by themselves by now, or do so now.
  for (const consumer of consumers) await until(async () => { await consumer.fetch(); return (await consumer.state()).holdings.every(({ value_id: id }) => id !== null) })
  await until(async () => (await Promise.all(consumers.map((consumer) => consumer.work()))).every((status) => status === 200))

  await mailer.faults({ refuse: 1000 })
  const job = leadsTo(t, await step(NAME, await world.open(NAME), 'verify'), 'verified')
  const asked = await step(NAME, job, 'distribute')
  t.equal(asked.status, 202)
  const partial = await settled(world, job, 'distribute_partial')
  t.match(partial.consumers.find(({ consumer }) => consumer === 'mailer'), { distribute_status: 'failed', attempts: 5 })
  t.match(await step(NAME, partial, 'revoke', { confirm: NAME, ticket: '4711' }), { status: 409, body: { code: 'step_not_offered', offered: ['retry', 'abort'] } })
  await everybodyWorks(t, 'some with the old one, some with the new one')
  const { writes } = await vendor.look()

  await mailer.faults({ refuse: 0 })
  const distributed = leadsTo(t, await step(NAME, partial, 'retry'), 'distributed')
  t.equal((await vendor.look()).writes, writes, 'nothing more was minted')
  await until(async () => (await world.job(NAME, job)).consumers.every(({ distribute_status: status }) => status === 'succeeded'), 30_000)

  await reports.faults({ bare: true })
  const unproved = leadsTo(t, await step(NAME, distributed, 'validate'), 'validation_failed')
  t.match(unproved.gate, { open: false, closed_by: [{ consumer: 'reports' }] })
  t.match(await step(NAME, unproved, 'revoke', { confirm: NAME, ticket: '4711' }), { status: 409, body: { code: /step_not_offered|gate_closed/ } })
  await reports.faults({ bare: false })
  const validated = leadsTo(t, await step(NAME, unproved, 'validate'), 'validated')
  t.ok(validated.gate.open)
  t.match(await step(NAME, validated, 'revoke', { confirm: 'mаil-api', ticket: '4711' }), { status: 422, body: { code: 'confirmation_mismatch' } }, 'a Cyrillic а only looks like one')
  t.equal(await accepts(value), 200, 'until then the old one works, and whoever uses it closes the gate')
  const closed = leadsTo(t, await step(NAME, validated, 'revoke', { confirm: NAME, ticket: '4711' }), 'validation_failed')
  t.match(closed.failure, { probe: 'list' })
  const again = leadsTo(t, await step(NAME, closed, 'validate'), 'validated')
  const revoked = await step(NAME, again, 'revoke', { confirm: NAME, ticket: '4711' })
  t.equal(revoked.status, 202)
  t.equal((await settled(world, job, 'done')).state, 'done')
  t.equal(await accepts(value), 401)
  await everybodyWorks(t, 'with the new one')
  const { body } = await request('GET', `${PATH}/${NAME}/rotations/${job.rotation_id}/transcript`)
  const told = body['items'] as Array<{ fact: string, exchanges: Array<{ answer: { status: string } | null }> }>
  t.same(told.at(-1)?.fact, 'rotation.done')
  t.notMatch(JSON.stringify(told), value)
  const probes = told.filter(({ fact }) => fact === 'rotation.refusals_probed').flatMap(({ exchanges }) => exchanges)
  t.equal(probes.filter(({ answer }) => answer?.status === '401').length, 3, 'three times in a row')
})

t.test('given up after distribution: everybody has the old one back, and the new one is revoked', async (t) => {
  const tokens = (await vendor.look()).tokens.length
  const verified = leadsTo(t, await step(NAME, await world.open(NAME), 'verify'), 'verified')
  const distributed = leadsTo(t, await step(NAME, verified, 'distribute'), 'distributed')
  await until(async () => (await world.job(NAME, distributed)).consumers.every(({ distribute_status: status }) => status === 'succeeded'), 30_000)
  t.equal((await vendor.look()).tokens.length, tokens + 1)
  const before = await Promise.all(consumers.map((consumer) => consumer.state()))
  const aborted = leadsTo(t, await step(NAME, distributed, 'abort'), 'aborted')
  const after = await Promise.all(consumers.map((consumer) => consumer.state()))
  for (const [at, { holdings }] of after.entries()) t.not(holdings[0]?.value_id, before[at]?.holdings[0]?.value_id)
  t.equal((await vendor.look()).tokens.length, tokens)
  await everybodyWorks(t, 'with the one before')
  t.match(await request('GET', `${PATH}/${NAME}`), { status: 200, body: { open_rotation: null, last_completed_at: String } })
  const { body: { items } } = await request('GET', `${PATH}/${NAME}/rotations?min_position=${String((await request('GET', `${PATH}/${NAME}`)).body['position'])}`)
  t.same((items as Job[]).map(({ state }) => state), ['aborted', 'done', 'aborted'])
  t.match(await step(NAME, distributed, 'abort'), { status: 412, body: { code: 'precondition_failed' } })
  t.match(await step(NAME, aborted, 'abort'), { status: 409, body: { code: 'not_abortable' } })
})

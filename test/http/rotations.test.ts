// Rotations at the door: every stable state × every step, what a step was decided on, waiting, repeating, and what is never shown.
import t, { type Test } from 'tap'
import { ownConsumer, PATH, rotationWorld, WHY, type Job } from '../support/rotations.ts'
import { noteCanary } from '../support/left-behind.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)
const world = await rotationWorld(t)
const { request, step, vendor } = world
const own = await ownConsumer(t, world, 'own', ['states', 'ended'])

const STEPS = ['verify', 'distribute', 'retry', 'validate', 'waive', 'revoke', 'abort'] as const
type Step = (typeof STEPS)[number]
const bodies = (name: string): Partial<Record<Step, object>> => ({ waive: { consumer: 'absent', ticket: '4711' }, revoke: { confirm: name, ticket: '4711' } })

/** Each state that waits, what it offers, and what everything else is answered. */
const table: Record<string, { offers: readonly Step[], abort?: string }> = {
  opened: { offers: ['verify', 'abort'] },
  verify_failed: { offers: ['verify', 'abort'] },
  verified: { offers: ['distribute', 'abort'] },
  mint_failed: { offers: ['distribute', 'abort'] },
  distribute_partial: { offers: ['retry', 'abort'] },
  distributed: { offers: ['retry', 'validate', 'waive', 'abort'] },
  validation_failed: { offers: ['retry', 'validate', 'waive', 'abort'] },
  validated: { offers: ['validate', 'revoke', 'abort'] },
  done: { offers: [], abort: 'not_abortable' },
  aborted: { offers: [], abort: 'not_abortable' }
}
const seen = new Set<string>()

/** Walks a row of the table: what is not offered moves nothing, nor does what was decided on another transition, or on none. */
const walk = async (t: Test, name: string, job: Job, state: string): Promise<Job> => {
  t.equal(job.state, state, job.state === state ? state : JSON.stringify(job).slice(0, 1500))
  seen.add(state)
  const row = table[state]
  t.same([...job.steps].sort(), [...row?.offers ?? []].sort(), `${state} offers`)
  for (const kind of STEPS) {
    const body = bodies(name)[kind]
    const [stale, without] = await Promise.all([
      step(name, { ...job, transition: job.transition + 1 }, kind, body), request('POST', `${PATH}/${name}/rotations/${job.rotation_id}/${kind}`, { ...WHY, ...body })
    ])
    t.match(stale, { status: 412, body: { code: 'precondition_failed', transition: job.transition } }, `${state} × ${kind}, stale`)
    t.match(without, { status: 428, body: { code: 'precondition_required' } }, `${state} × ${kind}, without If-Match`)
    if (row?.offers.includes(kind) === true) continue
    const code = kind === 'abort' ? row?.abort ?? 'step_not_offered' : 'step_not_offered'
    t.match(await step(name, job, kind, body), { status: 409, body: { code } }, `${state} × ${kind}`)
  }
  const now = await request('GET', `${PATH}/${name}/rotations/${job.rotation_id}`)
  t.match(now, { status: 200, body: { state, transition: job.transition } }, 'nothing moved')
  t.equal(now.headers.get('etag'), `"${job.transition}"`)
  return job
}

const taken = async (name: string, job: Job, kind: Step, body?: object): Promise<Job> => {
  const answer = await step(name, job, kind, body)
  if (answer.status !== 202) throw new Error(`${kind}: ${answer.status} ${answer.text}`)
  return answer.body
}

t.test('every stable state × every step', async (t) => {
  const name = 'states'
  await world.credential(name, [own.subscriber(), { consumer: 'absent', required: true, delivery: { kind: 'push', url: 'http://127.0.0.1:9/x' }, healthcheck: 'http://127.0.0.1:9/h', proof: { kind: 'possession' } }])
  let job = await walk(t, name, await world.open(name), 'opened')
  await vendor.fault({ call: 'authenticate', kind: 'no', times: 1 })
  job = await walk(t, name, await taken(name, job, 'verify'), 'verify_failed')
  job = await walk(t, name, await taken(name, job, 'verify'), 'verified')
  await vendor.fault({ call: 'mint', kind: 'no', times: 1 })
  job = await walk(t, name, await taken(name, job, 'distribute'), 'mint_failed')
  // It has registered no key: nothing can be sealed to it.
  job = await walk(t, name, await taken(name, job, 'distribute'), 'distribute_partial')
  // It is not waited for any more, with a ticket; that voids nothing of the other's.
  const optional = { consumer: 'absent', required: false, delivery: { kind: 'push', url: 'http://127.0.0.1:9/x' }, healthcheck: 'http://127.0.0.1:9/h', proof: { kind: 'possession' } }
  const put = (ticket: object) => request('PUT', `${PATH}/${name}`, { manifest: world.manifest([own.subscriber(), optional]), ...WHY, ...ticket })
  t.match(await put({}), { status: 422, body: { code: 'ticket_invalid' } })
  t.match(await put({ ticket: '4711' }), { status: 200, body: { ticket_check: 'format', open_rotation: { rotation_id: job.rotation_id } } })
  await until(async () => (await world.job(name, job)).state === 'distributed')
  job = await walk(t, name, await world.job(name, job), 'distributed')
  own.unhealthy = true
  job = await walk(t, name, await taken(name, job, 'validate'), 'validation_failed')
  own.unhealthy = false
  job = await taken(name, job, 'waive', { consumer: 'absent', ticket: '4711' })
  const { body: { principal_id: operator } } = await request('GET', '/api/v1/me')
  t.match(job, { operator_id: operator, consumers: [{ consumer: 'own', attempts: 1, waived: null }, { consumer: 'absent', waived: { operator_id: operator, ticket: '4711' } }] })
  t.match(await step(name, job, 'waive', { consumer: 'own', ticket: '4711' }), { status: 409, body: { code: /gate_closed|step_not_offered/ } }, 'never one that is required')
  job = await walk(t, name, await taken(name, job, 'validate'), 'validated')
  for (const [confirm, ticket, code] of [['statеs', '4711', 'confirmation_mismatch'], ['States', '4711', 'confirmation_mismatch'], [' states', '4711', 'confirmation_mismatch'], ['', '4711', 'confirmation_mismatch'], ['states', 'no such form', 'ticket_invalid'], ['states', undefined, 'ticket_invalid']] as const) {
    t.match(await step(name, job, 'revoke', { confirm, ...ticket !== undefined && { ticket } }), { status: 422, body: { code } }, `confirm ${JSON.stringify(confirm)}, ticket ${String(ticket)}`)
  }
  job = await taken(name, job, 'revoke', { confirm: name, ticket: '4711' })
  await until(async () => (await world.job(name, job)).state === 'done', 30_000)
  await walk(t, name, await world.job(name, job), 'done')
  const second = await world.open(name)
  await walk(t, name, await taken(name, second, 'abort'), 'aborted')
  t.match(await world.job(name, job), { state: 'done', rotation_id: job.rotation_id }, 'one that ended earlier is read from the stream')
  t.same([...seen].sort(), Object.keys(table).sort())
})

t.test('one open rotation; the same request again is one; two operators are one too many', async (t) => {
  const name = 'twice'
  await world.credential(name)
  const key = { 'idempotency-key': 'open-it' }
  const opened = await request('POST', `${PATH}/${name}/rotations`, WHY, key)
  t.equal(opened.status, 201)
  t.equal(opened.headers.get('location'), `${PATH}/${name}/rotations/${String(opened.body['rotation_id'])}`)
  t.match(await request('POST', `${PATH}/${name}/rotations`, WHY, key), { status: 201, body: { rotation_id: opened.body['rotation_id'] } })
  t.match(await request('POST', `${PATH}/${name}/rotations`, { reason: 'another' }, key), { status: 422, body: { code: 'idempotency_key_reused' } })
  t.match(await request('POST', `${PATH}/${name}/rotations`, WHY), { status: 409, body: { code: 'rotation_open', rotation_id: opened.body['rotation_id'] } })

  const job = opened.body as unknown as Job
  const both = await Promise.all([step(name, job, 'verify'), step(name, job, 'abort')])
  t.same(both.map(({ status }) => status).sort(), [202, 412])
  await taken(name, await world.job(name, job), 'abort').catch(() => {})
  const next = await world.open(name)
  const verified = await step(name, next, 'verify', {}, { 'idempotency-key': 'verify-it' })
  t.equal(verified.headers.get('preference-applied'), 'wait=30')
  t.equal(verified.headers.get('etag'), `"${verified.body.transition}"`)
  const again = await step(name, next, 'verify', {}, { 'idempotency-key': 'verify-it' })
  t.match(again, { status: 202, body: { state: 'verified', transition: verified.body.transition } }, 'a repeat is answered, though the job has moved')
  t.match(await step(name, verified.body, 'distribute', { value: 'pasted-where-it-is-minted' }), { status: 400, body: { code: 'invalid_request' } })
  await vendor.fault({ call: 'mint', kind: 'slow', ms: 1_500, times: 1 })
  const began = performance.now()
  const at = await step(name, verified.body, 'distribute', {}, { prefer: 'respond-async' })
  t.match(at, { status: 202, body: { state: 'minting' } })
  t.ok(performance.now() - began < 1_400, 'without a wait it is answered at once')
  t.equal(at.headers.get('preference-applied'), null)
  await until(async () => (await world.job(name, next)).state === 'distributed')
  t.match(await request('GET', `${PATH}/${name}/rotations/00000000-0000-4000-8000-000000000000`), { status: 404, body: { code: 'subject_not_found' } })
  t.match(await request('GET', `${PATH}/nobody/rotations`), { status: 404, body: { code: 'subject_not_found' } })
})

t.test('an abort that is refused says so: the old value is dead', async (t) => {
  const { tokenId } = await world.credential('ended', [own.subscriber()])
  const verified = await taken('ended', await world.open('ended'), 'verify')
  const distributed = await taken('ended', verified, 'distribute')
  t.equal(distributed.state, 'distributed')
  await vendor.kill(tokenId)
  t.match(await step('ended', distributed, 'abort', {}, { prefer: '' }), { status: 409, body: { code: 'old_credential_dead' } })
  t.match(await world.job('ended', distributed), { state: 'distributed' })
})

t.test('the inventory, and who is shown the owner; a value is never shown', async (t) => {
  const secret = `sk_${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url')}`
  noteCanary({ what: 'a value in a request that is refused', text: secret })
  const inDays = (days: number) => ({ expires_at: new Date(Date.now() + days * 86_400_000).toISOString() })
  await world.credential('inventory-a', [], {}, inDays(3))
  // The schedule opens what is due; this one it finds open.
  t.match(await world.open('inventory-a'), { state: 'opened' })
  await world.credential('inventory-b', [], { lifetime_days: 30 }, inDays(90))
  t.match(await request('POST', `${PATH}/nowhere/value`, { value: secret, ...WHY }), { status: 404 })
  for (const body of [{ value: secret }, { value: [secret], ...WHY }, { value: secret, expires_at: 'tomorrow', ...WHY }, { value: secret, more: 1, ...WHY }, { value: secret.repeat(300), ...WHY }]) {
    const { status, text } = await request('POST', `${PATH}/inventory-a/value`, body)
    t.equal(status, 400)
    t.notMatch(text, secret)
  }
  const wrong = await request('PUT', `${PATH}/inventory-a`, { manifest: { ...world.manifest([]), vendor: { kind: 'http', [secret]: secret }, owner: secret }, ...WHY })
  t.match(wrong, { status: 422, body: { code: 'manifest_invalid' } })
  t.notMatch(JSON.stringify((wrong.body['errors'] as Array<{ message: string }>).map(({ message }) => message)), secret)
  t.ok((wrong.body['errors'] as unknown[]).length > 5, 'all at once')
  const twice = world.manifest([own.subscriber(), own.subscriber()])
  t.match(await request('PUT', `${PATH}/inventory-a`, { manifest: twice, ...WHY }), { status: 422, body: { code: 'manifest_invalid', errors: [{ path: /^\/consumers\/1/ }] } })

  const { position } = (await request('GET', `${PATH}/inventory-b`)).body
  const list = async (query: string, headers = {}) => ((await request('GET', `${PATH}?${query}&min_position=${String(position)}`, undefined, headers)).body as { items: Array<Record<string, unknown>>, next_cursor: string | null })
  const due = await list('due=true')
  t.match(due.items, [{ credential: 'inventory-a', overdue: true, age_days: 0, owner_name: 'Canary Owner', vendor: 'http', open_rotation: { state: 'opened' } }])
  t.equal(due.items.length, 1)
  const names: unknown[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Awaited<ReturnType<typeof list>> = await list(`limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`)
    names.push(...page.items.map(({ credential }) => credential))
    cursor = page.next_cursor
  }
  t.same(names.slice(0, 2), ['inventory-a', 'inventory-b'], 'what is due first comes first')
  t.same([...names].sort(), (await list('limit=100')).items.map(({ credential }) => credential).sort(), 'pages are the whole')
  const reader = await world.bearer('rotations-read')
  t.match((await list('due=true', reader)).items, [{ owner_name: null }])
  t.match(await request('GET', `${PATH}/inventory-a`, undefined, reader), { status: 200, body: { manifest: { owner: { name: null, email: null } } } })
  const operator = await world.bearer('rotations-operator')
  t.match((await list('due=true', operator)).items, [{ owner_name: 'Canary Owner' }], 'who rotates knows whom to ask')
  const shown = (await request('GET', `${PATH}/inventory-b`, undefined, operator)).body
  t.match(shown, { manifest: { owner: { name: 'Canary Owner', email: 'canary.owner@example.org' } }, manifest_version: 1 })
  t.match(await request('PUT', `${PATH}/inventory-b`, { manifest: shown['manifest'], ...WHY }, operator), { status: 200, body: { manifest_version: 2 } }, 'what is shown can be put again')
  const { rotation_id: rotation } = (await request('GET', `${PATH}/inventory-a`)).body['open_rotation'] as { rotation_id: string }
  const reasons = async (headers: Record<string, string>) =>
    ((await request('GET', `${PATH}/inventory-a/rotations/${rotation}/transcript`, undefined, headers)).body['items'] as Array<{ reason: string | null }>).map(({ reason }) => reason)
  t.same([await reasons(operator), await reasons(reader)], [[WHY.reason], [null]])
  const metrics = (await request('GET', '/metrics')).text
  t.match(metrics, /chancery_credentials_due 0\n/)
  t.match(metrics, /chancery_rotations_open\{state="distributed"\} [1-9]/)
})

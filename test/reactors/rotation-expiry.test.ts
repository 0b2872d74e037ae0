// Expiring credentials: the job opens itself, is verified once, and waits; the owner hears of a failure, by one mail.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { rotationWorld, PATH, type Job } from '../support/rotations.ts'
import { testService } from '../support/service.ts'
import { until } from '../support/until.ts'

t.setTimeout(90_000)
const soon = { expires_at: new Date(Date.now() + 3 * 86_400_000).toISOString() }

t.test('two processes, one job; verified, and no further; a failure is mailed once', async (t) => {
  const world = await rotationWorld(t, { CHANCERY_API_PROCESSES: 'many' })
  const { request, service, vendor } = world
  // Beside it a second process of the same stores, with a schedule of its own.
  await testService(t, { beside: service, env: { CHANCERY_ROLES: 'reactor', CHANCERY_HTTP_PORT: '0' } })
  const facts = async (name: string) => (await request('GET', `/api/v1/audit/replay?stream=credential-${name}`)).text.trim().split('\n').map((line) => JSON.parse(line) as { type: string, data: Record<string, unknown>, metadata: { actor: object } })
  const jobs = async (name: string): Promise<Job[]> => ((await request('GET', `${PATH}/${name}/rotations`)).body as { items: Job[] }).items

  await world.credential('later', [], { lifetime_days: 400 })
  // Dead before anybody looks.
  await vendor.fault({ call: 'metadata', kind: 'no', times: 1_000 })
  await world.credential('dead', [], {}, soon)
  await until(async () => (await jobs('dead'))[0]?.state === 'verify_failed', 30_000)
  await vendor.heal()
  await world.credential('near', [], {}, soon)
  // Its connection is the very value that is to be rotated.
  t.equal((await request('PUT', `${PATH}/itself`, { manifest: world.manifest([]), reason: 'one token, two names' })).status, 200)
  t.equal((await request('POST', `${PATH}/itself/value`, { value: vendor.connection.token, vendor_token_id: vendor.connection.id, reason: 'one token, two names', ...soon })).status, 200)
  await until(async () => (await jobs('near'))[0]?.state === 'verified', 30_000)
  t.match(await jobs('near'), [{ trigger: 'expiry', operator_id: null }])
  // What stage 1 found out is not of this manifest: it begins anew, by itself.
  const { vendor: described, ...rest } = world.manifest([]) as { vendor: { metadata: { url: string } } }
  const asked = { ...described, metadata: { ...described.metadata, url: `${described.metadata.url}?again` } }
  t.match(await request('PUT', `${PATH}/near`, { manifest: { ...rest, vendor: asked }, reason: 'asked otherwise' }), { status: 200, body: { open_rotation: { state: 'opened' } } })
  await until(async () => (await facts('near')).filter(({ type }) => type === 'rotation.verified').length === 2, 30_000)
  await until(async () => (await facts('dead')).some(({ type }) => type === 'rotation.owner_mail_sent'), 30_000)

  await until(async () => (await facts('itself')).some(({ type }) => type === 'rotation.owner_mail_sent'), 30_000)

  const outbox = join(service.dataDir, 'outbox')
  const mails = readdirSync(outbox).map((file) => readFileSync(join(outbox, file), 'utf8')).filter((mail) => mail.includes('The rotation of dead could not begin'))
  t.equal(mails.length, 1)
  const itself = readdirSync(outbox).map((file) => readFileSync(join(outbox, file), 'utf8')).filter((mail) => mail.includes('The rotation of itself could not begin'))
  t.match(itself, [/is the same secret, under another name[\s\S]*Name another connection/])
  t.notMatch(mails[0], /same secret/)
  t.match(mails[0], /canary\.owner@example\.org[\s\S]*Nothing was changed[\s\S]*chancery rotate dead/)
  const types = (await facts('dead')).map(({ type }) => type)
  t.same(types, [
    'credential.manifest_put', 'credential.value_adopted', 'rotation.opened', 'rotation.verify_started', 'rotation.verify_failed',
    'rotation.owner_mail_requested', 'rotation.owner_mail_attempted', 'rotation.owner_mail_sent'
  ], 'each once')
  // As soon as the read model has come that far.
  await until(async () => !(await request('GET', '/api/v1/audit/open-intents')).text.includes('owner_mail'))

  const dead = (await jobs('dead'))[0] as Job
  const job = await world.job('dead', dead)
  t.match(await world.step('dead', job, 'abort'), { status: 202, body: { state: 'aborted' } })
  const marker = (await request('POST', `${PATH}/later/rotations`, { reason: 'to see time pass' })).body
  await until(async () => (await jobs('later'))[0]?.rotation_id === marker['rotation_id'])
  t.equal((await jobs('dead')).length, 1, 'who gave it up is not asked again at once')
  t.match(await jobs('near'), [{ state: 'verified' }], 'one job, and no further')
  t.same((await facts('near')).map(({ type }) => type).slice(2), ['rotation.opened', 'rotation.verify_started', 'rotation.verified', 'credential.manifest_put', 'rotation.verify_started', 'rotation.verified'])
  t.same((await jobs('later')).map(({ state }) => state), ['opened'], 'what is not due is not touched, nor what an operator opened')
})

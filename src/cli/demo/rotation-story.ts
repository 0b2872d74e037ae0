// A vendor's token in three stages: a dead one refused, one that is rotated though a consumer fails at first, and the old one refused at the end.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../client.ts'
import { Failure } from '../failures.ts'
import { rotationPath, type JobView, type TranscriptItem } from '../rotation-api.ts'
import { readSettings } from '../settings.ts'
import type { Surroundings } from '../terminal.ts'
import { findLocalStack } from './local-stack.ts'
import { createNarrator } from './narrator.ts'
import { adminManifest, manifest } from './rotation-manifest.ts'
import { startConsumer, startVendor, type DemoConsumer, type DemoVendor } from './rotation-processes.ts'
import { createRotationStage, type RotationStage } from './rotation-stage.ts'

interface Cast { credential: string, vendor: DemoVendor, consumers: DemoConsumer[], failing: DemoConsumer }

/** More often than a delivery is tried by itself. */
const REFUSALS = 5

/** Plays it once, with names that no earlier run used. Throws Failure when anything is not as it should be. */
export const playRotation = async (surroundings: Surroundings): Promise<void> => {
  const settings = readSettings(surroundings)
  const stage = createRotationStage(createClient(settings, surroundings.signal), createNarrator(surroundings), surroundings.signal)
  const began = performance.now()
  await stage.client.request('GET', '/health/live', { token: 'never' })
  const run = randomBytes(4).toString('hex')

  // Whatever happens: no process stays, and no token works.
  const ends: Array<() => Promise<unknown>> = []
  try {
    const cast = await gather(stage, { run, chanceryUrl: settings.url.origin, redis: await redisOf(stage, surroundings), ends })
    await refuseDead(stage, cast)
    const old = await adoptLiving(stage, cast)
    const distributed = await distribute(stage, cast)
    await revoke(stage, cast, distributed, old)
    await lookBack(stage, cast, distributed)
  } finally {
    for (const end of ends.reverse()) await end().catch(() => {})
  }
  stage.tell.act('The end')
  stage.tell.say(`That took ${((performance.now() - began) / 1000).toFixed(1)} s. Run it again: it uses fresh names.`)
}

/** The Redis that consumers hear by, where it is found; without it they look by themselves. */
const redisOf = async ({ client }: RotationStage, surroundings: Surroundings): Promise<{ url: string, stream: string } | undefined> => {
  try {
    const { redisUrl } = findLocalStack(readSettings(surroundings), surroundings)
    const { stream } = (await client.request<{ stream: string }>('GET', '/api/v1/operations/lifecycle')).body
    return { url: redisUrl, stream: stream.replace('user:lifecycle_events', 'credential:rotation_events') }
  } catch (error) {
    if (error instanceof Failure && error.exit === 'unavailable') return undefined
    throw error
  }
}

interface Gathering { run: string, chanceryUrl: string, redis: { url: string, stream: string } | undefined, ends: Array<() => Promise<unknown>> }

/** Act 1: the processes, and what Chancery is told of them. */
const gather = async (stage: RotationStage, { run, chanceryUrl, redis, ends }: Gathering): Promise<Cast> => {
  const { tell } = stage
  tell.act('A vendor and four consumers of its token start, each a process of its own')
  const vendor = await startVendor()
  ends.push(vendor.stop)
  tell.fact('the vendor', `${vendor.url}, process ${vendor.pid}`)
  const folder = await mkdtemp(join(tmpdir(), 'chancery-demo-'))
  ends.push(() => rm(folder, { recursive: true, force: true }))
  const credential = `demo-token-${run}`
  const roles = ['billing', 'mailer', 'shop', 'reports'] as const
  const consumers = await Promise.all(roles.map(async (role) => {
    const name = `demo-${role}-${run}`
    const { token, end } = await stage.admit(name)
    ends.push(end)
    const consumer = await startConsumer({ name, credential, pull: role === 'reports', chanceryUrl, token, dataDir: join(folder, role), vendorUrl: vendor.url, redis })
    ends.push(consumer.stop)
    return consumer
  }))
  for (const { name, pid } of consumers) tell.fact(name, `process ${pid}`)
  const failing = consumers[1]
  if (failing === undefined) throw new Failure('refused', 'There are no consumers.')

  // What mints and revokes is another credential of ours: the one that is rotated could not do it once it is dead.
  const admin = `demo-admin-${run}`
  await stage.put(admin, adminManifest(vendor))
  await stage.adopt(admin, { token: vendor.connectionToken, id: 'connection' }, 'the token that mints is in the vault')
  await stage.put(credential, manifest(vendor, admin, consumers))
  return { credential, vendor, consumers, failing }
}

/** Act 2: what once was reported as a half-done distribution is a plain answer here. */
const refuseDead = async (stage: RotationStage, { credential, vendor }: Cast): Promise<void> => {
  const { tell, expect } = stage
  tell.act('A token that is dead already: stage 1 says so in the vendor\'s own words')
  const dead = await vendor.makeToken('dead before its time')
  await stage.adopt(credential, dead, 'a value is in the vault')
  await vendor.killToken(dead.id)
  tell.did('at the vendor', 'the token is killed, and nobody is told')
  const writes = await vendor.writes()
  const job = await stage.step(await stage.open(credential), 'verify', 'verify_failed')
  const said = job.failure?.answer
  tell.fact('the vendor says', `${said?.status ?? 'nothing'} ${said?.body ?? ''}`)
  expect(said?.status === '401' && said.body?.includes('Invalid credentials provided.') === true, 'The vendor\'s own words are not to be seen.')
  expect(await vendor.writes() === writes, 'Something was changed at the vendor.')
  tell.fact('changes at the vendor', String(await vendor.writes() - writes))
  await stage.refused(job, 'distribute', 'step_not_offered')
  await stage.step(job, 'abort', 'aborted')
}

/** Act 3: the token that works, in use by all four. */
const adoptLiving = async (stage: RotationStage, { credential, vendor, consumers }: Cast): Promise<string> => {
  stage.tell.act('A token that works, and four consumers that work with it')
  const living = await vendor.makeToken('in use')
  await stage.adopt(credential, living, 'the value in use is in the vault')
  for (const consumer of consumers) await consumer.fetchNow()
  await stage.until('each consumer to use the token', async () => (await Promise.all(consumers.map((consumer) => consumer.state()))).every(({ work }) => work.accepted > 0))
  for (const consumer of consumers) stage.tell.fact(consumer.name, 'uses it: the vendor answers 200')
  return living.token
}

/** Act 4: stages 1 and 2; one consumer does not take it at first. */
const distribute = async (stage: RotationStage, { credential, vendor, consumers, failing }: Cast): Promise<JobView> => {
  const { tell, expect } = stage
  tell.act('Verify, mint, distribute; one consumer refuses at first')
  const writes = await vendor.writes()
  const verified = await stage.step(await stage.open(credential), 'verify', 'verified')
  expect(await vendor.writes() === writes, 'Verifying changed something at the vendor.')
  await failing.refuseNext(REFUSALS)
  tell.did(failing.name, `answers the next ${REFUSALS} deliveries 503`)
  tell.say('  Chancery tries it five times, with growing pauses: some fifteen seconds.')
  const partial = await stage.step(verified, 'distribute', 'distribute_partial')
  expect(await vendor.writes() === writes + 1, 'There should be one new token at the vendor.')
  await stage.refused(partial, 'revoke', 'step_not_offered', { confirm: credential, ticket: '4711' })
  await nobodyWasRefused(stage, consumers)
  const distributed = await stage.step(partial, 'retry', 'distributed')
  expect(await vendor.writes() === writes + 1, 'The retry minted again.')
  tell.fact('minted at the vendor', 'once')
  return distributed
}

/** Act 5: stage 3; the gate opens only when all have proved the new token. */
const revoke = async (stage: RotationStage, { credential, vendor, consumers }: Cast, distributed: JobView, old: string): Promise<void> => {
  const { tell, expect } = stage
  tell.act('Every consumer proves the new token; only then the old one can be revoked')
  const confirm = { confirm: credential, ticket: '4711' }
  tell.fact('gate', distributed.gate.open ? 'open' : `closed: ${distributed.gate.closed_by.length} have proved nothing yet`)
  await stage.refused(distributed, 'revoke', 'step_not_offered', confirm)
  const validated = await stage.step(distributed, 'validate', 'validated')
  expect(validated.gate.open, 'The gate should be open.')
  tell.fact('gate', 'open')
  // The name with a letter from another alphabet that looks the same.
  await stage.refused(validated, 'revoke', 'confirmation_mismatch', { ...confirm, confirm: credential.replace('e', '\u0435') })
  await stage.step(validated, 'revoke', 'done', confirm)
  const answer = await vendor.tryToken(old)
  tell.did('the old token at the vendor', `${answer.status} ${answer.body}`)
  expect(answer.status === 401, 'The vendor still takes the old token.')
  await nobodyWasRefused(stage, consumers)
}

/** Act 6: what is left to read. */
const lookBack = async ({ client, tell, expect }: RotationStage, { credential }: Cast, { rotation_id: id }: JobView): Promise<void> => {
  tell.act('The transcript replays it')
  const rows: string[][] = []
  for await (const { at, fact, state, exchanges } of client.pages<TranscriptItem>(rotationPath(credential, id, 'transcript'))) {
    rows.push([at.slice(11, 23), fact, state, exchanges.length === 0 ? '' : exchanges.map(({ probe, answer, failure }) => `${probe} ${answer?.status ?? failure ?? ''}`.trim()).join(', ')])
  }
  tell.rows(rows)
  expect(rows.some(([, fact]) => fact === 'rotation.done'), 'The transcript does not reach the end.')
}

/** Through all of it, no consumer's request to the vendor was turned away. */
const nobodyWasRefused = async ({ tell, expect }: RotationStage, consumers: readonly DemoConsumer[]): Promise<void> => {
  const works = await Promise.all(consumers.map(async (consumer) => (await consumer.state()).work))
  const sum = (of: 'accepted' | 'refused' | 'failed') => works.reduce((total, work) => total + work[of], 0)
  tell.fact('requests of consumers', `${sum('accepted')} accepted, ${sum('refused')} refused, ${sum('failed')} failed`)
  expect(sum('refused') + sum('failed') === 0, 'A consumer\'s request was turned away by the vendor.')
}

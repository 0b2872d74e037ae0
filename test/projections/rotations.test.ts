// Read model `rotations`: the state of an open job is the aggregate's own, in batches of any size, and a rebuild is byte for byte the same.
import { randomUUID } from 'node:crypto'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { rotationQueries } from '../../infra/postgres/queries/rotations.ts'
import { credentialAggregate, openJob } from '../../src/domain/credential/credential.ts'
import type { Credential, KnownCredential } from '../../src/domain/credential/state.ts'
import { restored, stored } from '../../src/domain/credential/stored.ts'
import type { EventOf, RecordedOf } from '../../src/domain/catalogue.ts'
import { Clear } from '../../src/domain/personal.ts'
import { registerRotationMetrics } from '../../src/http/rotation-metrics.ts'
import { rotations } from '../../src/projections/rotations.ts'
import type { RotationQueries } from '../../src/rotation-queries.ts'
import { until } from '../support/until.ts'
import { dressed, dump, engine, ground } from './support.ts'

t.setTimeout(60_000)
const at = '2026-07-01T12:00:00.000Z'

const history = (credential: string): Array<EventOf<'credential'>> => {
  const [oldValueId, valueId, rotationId, another] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
  const of = { credential, rotationId }
  const subject = `credential-${credential}`
  const manifest = (version: number, ...names: string[]): EventOf<'credential'> => ({
    type: 'credential.manifest_put', data: {
      credential, version, putAt: at, manifest: {
        vendor: { kind: 'chancery-token', principalId: oldValueId }, sensitivity: 'critical', owner: { name: new Clear('Ghöst', subject), email: new Clear('ghöst@example.org', subject) },
        lifetimeDays: 30, leadDays: 7,
        consumers: names.map((consumer) => ({ consumer, required: true, delivery: { kind: 'pull' }, healthcheck: 'https://example.com/h', proof: { kind: 'possession' } }))
      }
    }
  })
  return [
    manifest(1, 'a', 'b'),
    { type: 'credential.value_adopted', data: { credential, valueId: oldValueId, fingerprint: 'f'.repeat(43), adoptedAt: at } },
    { type: 'rotation.opened', data: { ...of, mode: 'rotate', trigger: 'operator', manifestVersion: 1, oldValueId, openedAt: at } },
    { type: 'rotation.verify_started', data: { ...of, attempt: 1, valueId: oldValueId, startedAt: at } },
    { type: 'rotation.verified', data: { ...of, attempt: 1, exchanges: [], verifiedAt: at } },
    { type: 'rotation.distribute_requested', data: { ...of, attempt: 1, requestedAt: at } },
    { type: 'rotation.mint_started', data: { ...of, attempt: 1, valueId, label: 'l', exchanges: [], startedAt: at } },
    { type: 'rotation.minted', data: { ...of, attempt: 1, valueId, fingerprint: 'g'.repeat(43), exchanges: [], mintedAt: at } },
    { type: 'rotation.deliveries_started', data: { ...of, attempt: 1, valueId, deliveries: [{ consumer: 'a', deliverySeq: 1 }, { consumer: 'b', deliverySeq: 2 }], startedAt: at } },
    { type: 'rotation.delivery_acknowledged', data: { ...of, consumer: 'a', deliverySeq: 1, acknowledgedAt: at } },
    { type: 'rotation.delivery_acknowledged', data: { ...of, consumer: 'b', deliverySeq: 2, acknowledgedAt: at } },
    { type: 'rotation.distributed', data: { ...of, attempt: 1, distributedAt: at } },
    // A joiner brings the job back: a state that no fact names.
    manifest(2, 'a', 'b', 'c'),
    { type: 'rotation.abort_requested', data: { ...of, from: 'distributing', requestedAt: at } },
    { type: 'rotation.abort_started', data: { ...of, consumers: ['a', 'b'], exchanges: [], startedAt: at } },
    { type: 'rotation.aborted', data: { ...of, abortedAt: at } },
    { type: 'rotation.opened', data: { credential, rotationId: another, mode: 'rotate', trigger: 'expiry', manifestVersion: 2, oldValueId, openedAt: at } }
  ]
}

t.test('row by row as the aggregate folds it, and the same when it is filled anew', async (t) => {
  const { postgres, log } = await ground(t)
  const running = await engine(t, { postgres, log }, [rotations])
  const queries = rotationQueries(postgres.database)
  let folded: Credential = credentialAggregate.initial
  const states: Array<string | undefined> = []
  let position = 0n
  for (const [at, fact] of history('slow').entries()) {
    const appended = await log.append('credential-slow', at === 0 ? 'no_stream' : BigInt(at - 1), [dressed(fact)])
    position = appended.position
    for (const event of appended.events) folded = credentialAggregate.evolve(folded, event as RecordedOf<'credential'>)
    t.equal(await running.positions.waitFor(['rotations'], position, 10_000), undefined)
    const [row] = await queries.inventory({}, 10)
    t.same([row?.openRotationId ?? undefined, row?.openState ?? undefined], [openJob(folded)?.rotationId, openJob(folded)?.state], fact.type)
    states.push(row?.openState ?? undefined)
  }
  t.same(states.slice(11, 14), ['distributed', 'distributing', 'abort_checking'], 'also where no fact names the state')
  t.match(await queries.rotationsOf('slow', {}, 10), [{ trigger: 'expiry', state: 'opened', endedAt: null }, { trigger: 'operator', state: 'aborted', endedAt: at }])
  t.match(await queries.inventory({}, 10), [{ sensitivity: 'critical', vendor: 'chancery-token', ownerName: { sealed: 'v1' }, dueAt: '2026-07-24T12:00:00.000Z', expiresAt: '2026-07-31T12:00:00.000Z' }])
  t.match(await queries.due(new Date('2026-07-25T00:00:00.000Z'), new Date('2026-06-01T00:00:00.000Z'), 10), [{ credential: 'slow' }], 'one that opened itself and was not verified yet')

  // All at once: one batch, where the other came fact by fact.
  const quick = await log.append('credential-quick', 'no_stream', history('quick').map((fact) => dressed(fact)))
  t.equal(await running.positions.waitFor(['rotations'], quick.position, 10_000), undefined)
  const live = await dump(postgres, [rotations])
  const { generation } = await running.operations.rebuild('rotations')
  await until(async () => (await running.operations.job('rotations', generation)).state === 'done')
  t.same(await dump(postgres, [rotations]), live)
  t.same(running.alarms, [])
  await figures(t, queries)
})

t.test('an ended rotation is shown as long as it left somebody without a value', async (t) => {
  const { postgres, log } = await ground(t)
  const running = await engine(t, { postgres, log }, [rotations])
  const queries = rotationQueries(postgres.database)
  const facts = history('left')
  const [before, joined] = [facts.slice(0, 12), facts[12]]
  const minted = before.find((fact) => fact.type === 'rotation.minted')
  const opened = before.find((fact) => fact.type === 'rotation.opened')
  if (joined === undefined || minted?.type !== 'rotation.minted' || opened?.type !== 'rotation.opened') throw new Error('there are facts')
  const { rotationId, valueId } = minted.data
  const of = { credential: 'left', rotationId }
  const ended = [
    ...before, { type: 'rotation.revoke_started' as const, data: { ...of, attempt: 1, startedAt: at } }, joined,
    { type: 'rotation.done' as const, data: { ...of, oldValueId: opened.data.oldValueId, newValueId: valueId, doneAt: at } }
  ]
  const done = await log.append('credential-left', 'no_stream', ended.map((fact) => dressed(fact)))
  t.equal(await running.positions.waitFor(['rotations'], done.position, 10_000), undefined)
  t.match(await queries.open(), [{ name: 'left', job: { rotationId, state: 'done' } }])
  t.match(await queries.inventory({}, 10), [{ openRotationId: null, openState: null }], 'it is not open')
  const fetched = await log.append('credential-left', BigInt(ended.length - 1), [dressed({ type: 'credential.value_fetched', data: { credential: 'left', consumer: 'c', valueId, deliverySeq: 3, fetchedAt: at } })])
  t.equal(await running.positions.waitFor(['rotations'], fetched.position, 10_000), undefined)
  t.same(await queries.open(), [], 'it has fetched the value in use')
})

/** One look for all figures of a scrape; where nothing can be read, nothing is said. */
const figures = async (t: Test, queries: RotationQueries): Promise<void> => {
  let looks = 0
  let away = false
  const answered = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (away) throw new Error('away')
    return ask()
  }
  const registry = new Registry()
  registerRotationMetrics(registry, {
    rotations: { open: () => answered(() => { looks++; return queries.open() }), dueCount: (by) => answered(() => queries.dueCount(by)) },
    clock: { now: () => new Date('2026-07-25T00:00:00.000Z') }, rules: { proofMaxAgeMs: 1, valueGraceMs: 1, alone: true }
  })
  const page = await registry.metrics()
  t.match(page, /chancery_rotations_open\{state="opened"\} 2\n[^]*chancery_credentials_due 0\n/)
  t.equal(looks, 1)
  away = true
  t.notMatch(await registry.metrics(), /^chancery_/m, 'nothing is not none')
}

t.test('a fact about one consumer costs nothing for the others', (t) => {
  const facts = history('many').slice(0, 11).map((fact) => dressed(fact) as RecordedOf<'credential'>)
  const fold = (from: Credential, fact: RecordedOf<'credential'>) => stored(credentialAggregate.evolve(from, fact) as KnownCredential)
  const consumers = (of: ReturnType<typeof stored>) => new Map((of.job as { consumers: Array<[string, object]> }).consumers)
  const before = facts.slice(0, -1).reduce<ReturnType<typeof stored> | undefined>((so, fact) => fold(so === undefined ? credentialAggregate.initial : restored(so), fact), undefined)
  if (before === undefined) throw new Error('there are facts')
  const after = fold(restored(before), facts.at(-1) as RecordedOf<'credential'>)
  t.match(consumers(after).get('b'), { status: 'succeeded' })
  t.equal(consumers(after).get('a'), consumers(before).get('a'), 'the very same object: with hundreds, a fact would hold the process up for milliseconds')
  t.end()
})

// The projector engine on real stores: batches, checkpoints, waiting, two instances, poison, forks.
import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import t from 'tap'
import { connectPostgres } from '../../infra/postgres/index.ts'
import { auditQueries } from '../../infra/postgres/queries/audit.ts'
import { audit } from '../../src/projections/audit.ts'
import { testers } from '../../src/projections/testers.ts'
import { tokens } from '../../src/projections/tokens.ts'
import { users } from '../../src/projections/users.ts'
import { testEventStore } from '../support/eventstore.ts'
import { until } from '../support/until.ts'
import { appendLives, appendRefusals, counted, counting, dressed, dump, engine, ground, life, patientLog, refused } from './support.ts'

const random = (below: number): number => Math.floor(Math.random() * below)

t.test('follows the log: one event when idle, many when behind; every event of ours moves every checkpoint', async (t) => {
  const base = await ground(t)
  const before = await appendRefusals(base.log, 300)
  const behind = await engine(t, base, [counting()])
  t.equal(await behind.positions.waitFor(['counts'], before, 10_000), undefined)
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, before), 'each event once')

  const running = await engine(t, base, [users, testers, tokens])
  const started = performance.now()
  for (let i = 0; i < 10; i++) {
    const position = await appendRefusals(base.log, 1)
    t.equal(await running.positions.waitFor(['users', 'testers', 'tokens'], position, 10_000), undefined, 'an event that changes no row moves the checkpoint')
  }
  t.comment(`an event is in three read models ${((performance.now() - started) / 10).toFixed(1)} ms after it was sent`)
  t.ok(running.batches.includes(1), 'one event when idle')

  const held = await base.postgres.pool.connect()
  await held.query("begin; select 1 from projection_generation where name = 'counts' for update")
  const last = await appendRefusals(base.log, 200)
  await behind.positions.waitFor(['counts'], last, 100).then((lagging) => t.match(lagging, [{ name: 'counts', reason: 'behind', lagMs: Number }], 'says who lags, and by how much'))
  await held.query('commit')
  held.release()
  t.equal(await behind.positions.waitFor(['counts'], last, 10_000), undefined)
  t.ok(Math.max(...behind.batches) > 50, `many at once when behind (${Math.max(...behind.batches)})`)
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, last))
  const list = await running.operations.list()
  t.match(list.map(({ state, position, lagMs }) => ({ state, position, lagMs })), list.map(() => ({ state: 'serving', position: last, lagMs: 0 })))
  t.same([...running.alarms, ...behind.alarms], [])
})

t.test('what follows closely is gathered, unless somebody waits for it', async (t) => {
  const base = await ground(t)
  const long = 60_000
  const running = await engine(t, base, [counting(), users], { settings: { gather: { rows: long, checkpoint: long } } })
  const first = await appendRefusals(base.log, 1)
  t.equal(await running.positions.waitFor(['counts', 'users'], first, 10_000), undefined, 'after a pause at once')
  const before = running.batches.length
  for (let i = 0; i < 6; i++) await appendRefusals(base.log, 1)
  const { rows } = await base.postgres.database.query<{ position: bigint }>("select distinct position from projection_generation where state = 'serving'")
  t.same(rows, [{ position: first }], 'held back for the window')
  const last = await appendRefusals(base.log, 1)
  t.equal(await running.positions.waitFor(['counts', 'users'], last, 10_000), undefined, 'but never for somebody who waits')
  t.ok(running.batches.length - before <= 6, `${running.batches.length - before} batches for 2 × 7 events`)
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, last))
})

t.test('of two instances one works and one stands by, and takes over', async (t) => {
  const base = await ground(t)
  const other = await connectPostgres({ url: base.url })
  t.teardown(() => other.close())
  const first = await engine(t, base, [counting()])
  await first.positions.waitFor(['counts'], await appendRefusals(base.log, 10), 10_000)
  const second = await engine(t, { ...base, postgres: other }, [counting()])
  for (let i = 0; i < 20; i++) await appendRefusals(base.log, 5)
  const position = await appendRefusals(base.log, 1)
  t.same(await Promise.all([first, second].map(({ positions }) => positions.waitFor(['counts'], position, 10_000))), [undefined, undefined])
  const share = [first, second].map(({ batches }) => batches.reduce((sum, events) => sum + events, 0))
  t.equal((share[0] ?? 0) + (share[1] ?? 0), 111, 'together they applied each event once')
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, position))

  const doing = async () => (await Promise.all([first, second].map(({ operations }) => operations.list()))).map((list) => list[0]?.here)
  t.same((await doing()).toSorted(), ['stands_by', 'works'])
  const [works, standsBy] = (await doing())[0] === 'works' ? [first, second] : [second, first]
  await works.close()
  const after = await appendRefusals(base.log, 20)
  t.equal(await standsBy.positions.waitFor(['counts'], after, 10_000), undefined, 'the other took over')
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, after))
})

t.test('a handler that throws stops its projector only, at the event, with an alarm that holds no data', async (t) => {
  const base = await ground(t)
  const poison = randomUUID()
  const failing = counting('failing', { fold: (event) => { if (event.stream === `refusal-${poison}`) throw new TypeError('ghöst@example.org') } })
  const running = await engine(t, base, [failing, counting()])
  const good = await appendRefusals(base.log, 7)
  const { position: bad } = await base.log.append(`refusal-${poison}`, 'no_stream', [dressed(refused(poison))])
  const last = await appendRefusals(base.log, 7)
  t.equal(await running.positions.waitFor(['counts'], last, 10_000), undefined, 'the others go on')
  await until(() => running.alarms.length > 0)
  t.match(running.alarms, [{ projection: 'failing', reason: 'handler_failed', position: String(bad), stream: `refusal-${poison}`, type: 'access.refused', revision: '0' }])
  t.notMatch(JSON.stringify(running.alarms), /ghöst/)
  t.match((await running.operations.list())[0], { state: 'stopped', here: 'stopped', position: good, alarm: { position: String(bad) } })
  t.same((await dump(base.postgres, [failing]))['failing'], await counted(base.log, good), 'everything before it is there')
  t.match(await running.positions.waitFor(['failing', 'counts'], last, 50), [{ name: 'failing', readTo: good }])
  await running.close()

  const mended = await engine(t, base, [counting('failing'), counting()])
  t.equal(await mended.positions.waitFor(['failing', 'counts'], last, 10_000), undefined, 'goes on where it stopped once it is mended')
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(base.log, last))
  t.same((await dump(base.postgres, [failing]))['failing'], await counted(base.log, last))
})

t.test('an event that no schema fits stops those whom it concerns; the others go past it', async (t) => {
  const store = await testEventStore(t)
  const base = await ground(t)
  const log = await patientLog(t, store.url)
  const client = EventStoreDBClient.connectionString(store.url)
  t.teardown(() => client.dispose())
  const running = await engine(t, { ...base, log }, [users, audit, testers, tokens])
  const good = await appendRefusals(log, 1)
  await client.appendToStream(`user-${randomUUID()}`, jsonEvent({ type: 'user.created', data: { secret: 'ghöst' } }))
  const last = await appendRefusals(log, 3)
  t.equal(await running.positions.waitFor(['testers', 'tokens'], last, 10_000), undefined)
  await until(() => running.alarms.length >= 2)
  t.same(running.alarms.map(({ projection, reason }) => `${projection} ${reason}`).toSorted(), ['audit unreadable_event', 'users unreadable_event'])
  t.notMatch(JSON.stringify(running.alarms), /ghöst/)
  t.match(await running.positions.waitFor(['users', 'audit', 'testers'], last, 50), [{ name: 'users', readTo: good }, { name: 'audit', readTo: good }])

  const job = await running.operations.rebuild('users')
  await until(async () => (await running.operations.job('users', job.generation)).state !== 'running')
  t.match(await running.operations.job('users', job.generation), { state: 'failed', alarm: { reason: 'unreadable_event' } }, 'a rebuild meets it too')
  const passing = await running.operations.rebuild('testers')
  await until(async () => (await running.operations.job('testers', passing.generation)).state === 'done')
})

t.test('another log under the same read models is refused with a hint, until they are rebuilt from it', async (t) => {
  const base = await ground(t)
  const before = await engine(t, base, [counting(), testers])
  await before.positions.waitFor(['counts', 'testers'], await appendRefusals(base.log, 30), 10_000)
  await before.close()
  const kept = await dump(base.postgres, [counting()])

  const log = await patientLog(t, (await testEventStore(t)).url)
  await appendRefusals(log, 3)
  const after = await engine(t, { ...base, log }, [counting(), testers])
  await until(() => after.alarms.length === 2)
  t.match(after.alarms[0], { reason: 'log_forked', hint: /rebuild/ })
  const last = await appendRefusals(log, 60)
  t.match(await after.positions.waitFor(['counts'], last, 50), [{ name: 'counts' }])
  t.same(await dump(base.postgres, [counting()]), kept, 'nothing was written over it')

  await after.operations.rebuild('counts')
  t.equal(await after.positions.waitFor(['counts'], last, 10_000), undefined, 'rebuilt from the log that is there')
  const more = await appendRefusals(log, 5)
  t.equal(await after.positions.waitFor(['counts'], more, 10_000), undefined, 'and it follows again')
  t.same((await dump(base.postgres, [counting()]))['counts'], await counted(log, more))
  t.match(await after.operations.list(), [{ name: 'counts', state: 'serving', generation: 2 }, { name: 'testers', state: 'stopped' }])
})

t.test('what the auditor finds: every event once, by any of its columns, and the intents without an outcome', async (t) => {
  const base = await ground(t)
  const running = await engine(t, base, [audit])
  const last = await appendLives(base.log, Array.from({ length: 8 }, () => life(random)))
  t.equal(await running.positions.waitFor(['audit'], last, 10_000), undefined)
  const index = auditQueries(base.postgres.database)
  const inLog: Array<Record<string, unknown>> = []
  const open = new Map<string, string>()
  for await (const { position, id, stream, revision, type, created, metadata, data } of base.log.readAll()) {
    inLog.push({
      position, eventId: id, stream, revision, type, occurredAt: metadata.occurredAt, created: created.toISOString(),
      actorType: metadata.actor.type, actorId: metadata.actor.id, commandId: metadata.commandId
    })
    const { mailId, resetId, challengeId, final } = data as Record<string, string | boolean>
    if (type === 'mail.requested') open.set(`${mailId}`, type)
    if (type === 'mail.sent' || (type === 'mail.failed' && final === true)) open.delete(`${mailId}`)
    if (type === 'console.beta.ghost_reset.initiated') open.set(`${resetId}`, type)
    if (type.endsWith('ghost_reset.refused') || type.endsWith('ghost_reset.completed')) open.delete(`${resetId}`)
    if (type === 'user.enrolment.challenge_used') open.set(`${challengeId}`, type)
    if (type === 'user.enrolment.verification_failed') open.delete(`${challengeId}`)
  }
  t.strictSame(await index.search({}, { limit: 10_000 }), inLog)
  t.strictSame(await index.search({}, { limit: 10_000, direction: 'backwards' }), inLog.toReversed())
  const some = inLog[Math.floor(inLog.length / 2)] ?? {}
  const { stream, type, created, commandId, actorId } = some as Record<string, string>
  for (const [filter, matches] of [
    [{ stream }, (event: typeof some) => event['stream'] === stream],
    [{ type }, (event: typeof some) => event['type'] === type],
    [{ commandId }, (event: typeof some) => event['commandId'] === commandId],
    [{ actorId }, () => true],
    [{ from: created }, (event: typeof some) => `${event['created'] as string}` >= `${created}`],
    [{ to: created, type }, (event: typeof some) => `${event['created'] as string}` < `${created}` && event['type'] === type]
  ] as const) {
    t.strictSame(await index.search(filter as Record<string, string>, { limit: 10_000 }), inLog.filter(matches), JSON.stringify(filter))
  }
  const paged = []
  for (let after: bigint | undefined; ;) {
    const page = await index.search({}, { limit: 7, ...(after !== undefined && { after }) })
    paged.push(...page)
    after = page.at(-1)?.position
    if (page.length < 7) break
  }
  t.strictSame(paged, inLog)
  const intents = await index.openIntents({ limit: 1000 })
  t.same(intents.map(({ intentId }) => intentId).toSorted(), [...open.keys()].toSorted())
  t.same(intents.map(({ position }) => position), intents.map(({ position }) => position).toSorted((a, b) => a < b ? -1 : 1))
  t.ok(intents.every(({ intent, intentId }) => open.get(intentId) === intent))

  const [principalId, tokenId] = [randomUUID(), randomUUID()]
  const at = '2026-07-01T12:00:00.000Z'
  const withdrawn = (tokenId: string) => dressed({ type: 'superadmin.token_withdrawn', data: { principalId, tokenId, withdrawnAt: at } })
  await base.log.append(`principal-${principalId}`, 'no_stream', [dressed({ type: 'principal.token_revoked', data: { principalId, tokenId, revokedAt: at } })])
  const unfinished = randomUUID()
  const { position } = await base.log.append('roster-superadmin', 'no_stream', [withdrawn(tokenId), withdrawn(unfinished)])
  t.equal(await running.positions.waitFor(['audit'], position, 10_000), undefined)
  t.match(await index.openIntents({ limit: 10, intent: 'superadmin.token_withdrawn' }), { length: 1, 0: { intentId: unfinished, position } }, 'an outcome in another stream may come first')
  t.equal((await base.postgres.database.query(`select 1 from pg_indexes where tablename = 'audit_events_v${audit.version}_g1'`)).count, 6, 'its indexes were made')
})

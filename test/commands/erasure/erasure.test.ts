// Erasure on real parts: when it begins, what stops it, who does it, and a vault that comes back older.
import t from 'tap'
import { openVault } from '../../../infra/vault/index.ts'
import { DUE } from '../../../infra/postgres/queries/erasures.ts'
import { applyPurges } from '../../../src/commands/erasure/apply-purges.ts'
import { deleteTester } from '../../../src/commands/erasure/delete-tester.ts'
import { eraseTester } from '../../../src/commands/erasure/erase-tester.ts'
import { eraseUser } from '../../../src/commands/erasure/erase.ts'
import { holdsOn, liftHoldOn, placeHoldOn } from '../../../src/commands/erasure/legal-holds.ts'
import { isErased } from '../../../src/domain/account/account.ts'
import type { LogEvent } from '../../../src/domain/catalogue.ts'
import { Clear } from '../../../src/domain/personal.ts'
import { testerAggregate } from '../../../src/domain/tester/tester.ts'
import type { KeyDestroyer } from '../../../src/ports.ts'
import { runErasures } from '../../../src/reactors/erasure/schedule.ts'
import { COOLING, DAY, email, erasureGround } from '../../support/erasure.ts'
import { until } from '../../support/until.ts'

const ground = await erasureGround(t)
const { account, accountState, aggregates, caughtUp, clock, holdDeps, ids, index, log, look, opened, pass, pool, scheduleDeps, vault } = ground
const ending = ['user.erasure_started', 'account.purged']

t.test('an account is erased when the cooling period is over, and not a millisecond earlier', async (t) => {
  const { userId, subject } = await account()
  const living = await account({ live: true })
  pass(COOLING - 1)
  await look()
  t.strictSame(await ground.typesOf(subject), ['user.registered', 'user.deleted'])
  t.match(await opened(userId), { status: 'open', text: email })
  pass(1)
  await look()
  t.strictSame((await ground.typesOf(subject)).slice(2), ending)
  t.strictSame(await opened(userId), { status: 'erased' })
  t.ok(isErased((await accountState(userId)).account.life.stage))
  t.match((await ground.streamOf(subject)).at(-1), { metadata: { actor: { type: 'system', id: 'erasure' } } })
  await t.rejects(vault.seal('x', { subject, stream: subject, eventId: ids.next(), field: 'data.x' }), { code: 'conflict' })
  await look()
  t.equal((await ground.typesOf(subject)).length, 4, 'once')
  t.match(await opened(living.userId), { status: 'open' }, 'nobody else is touched')
  t.strictSame(await index.due(clock.at, 10), [])
})

t.test('a legal hold stops it', async (t) => {
  const [lifted, ended, both] = [await account(), await account(), await account({ live: true })]
  const hold = (userId: string, untilAt?: Date, matter = 'case-7') => placeHoldOn(holdDeps, { kind: 'user', id: userId },
    { matter, ...untilAt !== undefined && { until: untilAt.toISOString() } }, { ...ground.context(), reason: new Clear('canary reason of a hold', `user-${userId}`), reasonCode: 'litigation' })
  const days = (n: number) => new Date(clock.at.getTime() + n * DAY)
  const first = await hold(lifted.userId)
  await hold(ended.userId, days(40))
  await hold(both.userId, days(20))
  await ground.state(both.subject, [{ type: 'user.deleted', data: { userId: both.userId, deletedAt: clock.at.toISOString(), purgeAfter: days(30).toISOString() } }])

  await t.rejects(hold(lifted.userId, clock.at), { code: 'invalid_request' }, 'an end that has come')
  await t.rejects(hold(ids.next()), { code: 'subject_not_found' })
  await t.rejects(liftHoldOn(holdDeps, { kind: 'user', id: lifted.userId }, { holdId: ids.next() }, ground.context()), { code: 'subject_not_found' })

  pass(COOLING)
  await look()
  t.notOk((await ground.typesOf(lifted.subject)).includes('account.purged'), 'held')
  t.notOk((await ground.typesOf(ended.subject)).includes('account.purged'), 'held, for ten more days')
  t.ok((await ground.typesOf(both.subject)).includes('account.purged'), 'this hold ended before the cooling period')

  const lifting = ground.context()
  await liftHoldOn(holdDeps, { kind: 'user', id: lifted.userId }, { holdId: first.holdId }, lifting)
  t.equal((await liftHoldOn(holdDeps, { kind: 'user', id: lifted.userId }, { holdId: first.holdId }, lifting)).position, (await ground.streamOf(lifted.subject)).at(-1)?.position, 'the same command again gets the first answer')
  await t.rejects(liftHoldOn(holdDeps, { kind: 'user', id: lifted.userId }, { holdId: first.holdId }, ground.context()), { code: 'subject_not_found' }, 'lifted once')
  t.match((await holdsOn(holdDeps, { kind: 'user', id: lifted.userId }, clock.at)), {
    life: { stage: 'deleted' }, holds: [{ matter: 'case-7', inForce: false, placed: { reasonCode: 'litigation' }, lifted: { at: clock.at.toISOString() } }]
  })
  pass(10 * DAY - 1)
  await look()
  t.ok((await ground.typesOf(lifted.subject)).includes('account.purged'), 'lifted: it goes on')
  t.notOk((await ground.typesOf(ended.subject)).includes('account.purged'))
  pass(1)
  await look()
  t.ok((await ground.typesOf(ended.subject)).includes('account.purged'), 'its end came, by the clock alone')
  await t.rejects(hold(lifted.userId), { code: 'conflict', fields: { stage: 'purged' } }, 'too late')
  await t.rejects(liftHoldOn(holdDeps, { kind: 'user', id: ended.userId }, { holdId: ids.next() }, ground.context()), { code: 'conflict' })
  t.match(await holdsOn(holdDeps, { kind: 'user', id: lifted.userId }, clock.at), { life: { stage: 'purged' }, holds: [{ matter: 'case-7' }] }, 'the history stays')
})

t.test('the stream decides, whatever the read model believes', async (t) => {
  const [early, held] = [await account(), await account()]
  const who = await ground.invited()
  await deleteTester({ aggregates, purgeAfterMs: 0 }, { testerId: who.testerId }, ground.context())
  for (const to of [{ kind: 'user', id: held.userId }, { kind: 'tester', id: who.testerId }] as const) {
    await placeHoldOn(holdDeps, to, { matter: 'case-8' }, ground.context())
  }
  t.equal(await eraseUser(scheduleDeps(), early.userId), false, 'too early')
  pass(COOLING)
  t.equal(await eraseUser(scheduleDeps(), held.userId), false, 'held')
  t.equal(await eraseTester(scheduleDeps(), who.testerId), false, 'held')
  t.equal(await eraseUser(scheduleDeps(), ids.next()), false, 'nobody')
  for (const { subject } of [early, held]) t.equal((await ground.typesOf(subject)).includes('user.erasure_started'), false)
  t.equal(await eraseUser(scheduleDeps(), early.userId), true)
})

t.test('several processes do it once, and one that fails comes back', async (t) => {
  const accounts = await Promise.all(Array.from({ length: 12 }, () => account()))
  pass(COOLING)
  await caughtUp()
  // Every first attempt of every process, and some more.
  let failing = 40
  const gone = new Set<string>()
  const unsteady: KeyDestroyer = {
    destroy: async (subject) => {
      if (failing-- > 0) throw new Error('canary: the vault is away')
      const before = await ground.typesOf(subject)
      t.equal(before[2], 'user.erasure_started', 'the intent stands before the key goes')
      if (!gone.has(subject)) t.equal(before.length, 3, 'and the outcome does not')
      await vault.destroy(subject)
      gone.add(subject)
    },
    destroyAll: (subjects) => vault.destroyAll(subjects)
  }
  const lines: string[] = []
  const spoken = { warn: (fields: object, message: string) => { lines.push(JSON.stringify([fields, message])) }, error: () => {} }
  const schedules = Array.from({ length: 3 }, () => runErasures({ ...scheduleDeps(unsteady), aggregates: ground.aProcess().aggregates, log: spoken }))
  await until(async () => (await index.due(clock.at, 100)).length === 0)
  for (const schedule of schedules) await schedule.stop()
  for (const { subject } of accounts) t.strictSame((await ground.typesOf(subject)).slice(2), ending)
  t.equal(lines.length, 40)
  t.notMatch(lines.join(), /canary/, 'foreign words are not logged')
})

t.test('a database whose clock disagrees erases nothing', async (t) => {
  const { subject } = await account()
  const before = clock.at
  clock.at = new Date(Date.now() + 1000 * DAY)
  const ahead = new Date(Date.now() + 30 * DAY)
  const later = ids.next()
  await ground.state(`user-${later}`, [
    { type: 'user.registered', data: { userId: later, email: new Clear(email, `user-${later}`), addressHash: 'b'.repeat(64), registeredAt: before.toISOString() } },
    { type: 'user.deleted', data: { userId: later, deletedAt: before.toISOString(), purgeAfter: ahead.toISOString() } }
  ])
  await look()
  t.notOk((await ground.typesOf(`user-${later}`)).includes('user.erasure_started'))
  t.ok((await ground.typesOf(subject)).includes('account.purged'), 'what both clocks call due is')
  clock.at = before
})

t.test('what waits costs nothing', async (t) => {
  const { rows: [{ name } = { name: '' }] } = await pool.query<{ name: string }>("select unnest(tables) as name from projection_generation where name = 'erasures' and state = 'serving'")
  await pool.query(`insert into ${name} (subject, purge_after, holds, due_at, started, user_ids)
    select 'user-waiting-' || i, now() + interval '1 day', '{}', now() + interval '1 day', false, '[]' from generate_series(1, 20000) as i`)
  await pool.query(`analyze ${name}`)
  const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain (analyze, buffers) ${DUE.replace('$1', 'now()').replace('$2', "'-infinity'").replace('$3', "''").replace('$4', '200')}`)
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
  t.ok(Number(/shared hit=(\d+)/.exec(plan)?.[1]) < 50, plan)
  t.notMatch(plan, /Rows Removed/)
  await pool.query(`delete from ${name} where subject like 'user-waiting-%'`)
})

t.test('an older vault brings nobody back', async (t) => {
  const [early, late] = [await account(), await account()]
  const who = await ground.invited()
  await ground.state(who.tester, [{ type: 'tester.deleted', data: { testerId: who.testerId, deletedAt: clock.at.toISOString(), purgeAfter: clock.at.toISOString() } }])
  const living = await account({ live: true })
  const schema = `"${ground.schemas.vault}"`
  await pool.query(`create table vault_backup as table ${schema}.subject_key`)
  pass(COOLING)
  await look()

  const restore = async () => {
    await pool.query(`truncate ${schema}.subject_key`)
    await pool.query(`insert into ${schema}.subject_key select * from vault_backup where subject <> $1`, [late.subject])
    return openVault(ground.sealing)
  }
  const sealedOf = async (userId: string) => (await accountState(userId)).email
  const { value: first } = await log.readAll({ limit: 1 })[Symbol.asyncIterator]().next() as { value: LogEvent }
  const firstFact = { position: first.position, eventId: first.id }
  const ways: Array<[string, Partial<typeof index>]> = [
    ['the read model knows', {}],
    ['the read model is not there', { known: async () => undefined, purged: async () => { throw new Error('not to be asked') } }],
    ['the read model is of another log', { known: async () => ({ position: (await log.last())?.position ?? 0n, eventId: ids.next() }), purged: async () => { throw new Error('not to be asked') } }],
    ['the read model is far behind', { known: async () => firstFact, purged: async () => [] }]
  ]
  for (const [name, other] of ways) {
    const older = await restore()
    t.match(await older.open(await sealedOf(early.userId), early.subject), { status: 'open', text: email }, 'the key is back')
    await t.rejects(older.open(await sealedOf(late.userId), late.subject), { code: 'key_missing' }, 'and one is lost')
    t.ok(await applyPurges({ events: log, erasures: { ...index, ...other }, keys: older }) >= 3, name)
    const fresh = await openVault(ground.sealing)
    for (const { userId, subject } of [early, late]) t.strictSame(await fresh.open(await sealedOf(userId), subject), { status: 'erased' })
    const { state } = await aggregates.current(testerAggregate, who.testerId)
    t.strictSame(state.status === 'present' && await fresh.open(state.email, who.tester), { status: 'erased' })
    const { rows } = await pool.query(`select wrapped from ${schema}.subject_key where subject = $1`, [who.user])
    t.strictSame(rows, [{ wrapped: null }], 'and those of its accounts')
    t.match(await fresh.open(await sealedOf(living.userId), living.subject), { status: 'open' })
    t.equal(await applyPurges({ events: log, erasures: { ...index, ...other }, keys: fresh }), 0, 'again, there is nothing to do')
  }
})

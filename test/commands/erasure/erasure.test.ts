// Erasure on real parts: when it begins, what stops it, who does it, what it leaves, and a vault that comes back older.
import t from 'tap'
import { erasureQueries } from '../../../infra/postgres/queries/erasures.ts'
import { testerQueries } from '../../../infra/postgres/queries/testers.ts'
import { openVault } from '../../../infra/vault/index.ts'
import { applyPurges } from '../../../src/commands/erasure/apply-purges.ts'
import { deleteTester } from '../../../src/commands/erasure/delete-tester.ts'
import { holdsOn, liftHoldOn, placeHoldOn } from '../../../src/commands/erasure/legal-holds.ts'
import { ghostDelete } from '../../../src/commands/accounts/ghost-delete.ts'
import { ghostReset } from '../../../src/commands/testers/ghost-reset.ts'
import { importTesters } from '../../../src/commands/testers/import.ts'
import { inviteTester } from '../../../src/commands/testers/invite.ts'
import { resendLink } from '../../../src/commands/testers/resend.ts'
import type { LogEvent } from '../../../src/domain/catalogue.ts'
import { Clear } from '../../../src/domain/personal.ts'
import { isErased } from '../../../src/domain/account/erasure.ts'
import { testerAggregate } from '../../../src/domain/tester/tester.ts'
import { userAggregate } from '../../../src/domain/user/user.ts'
import type { EventStore, KeyDestroyer } from '../../../src/ports.ts'
import { startProjections } from '../../../src/projections/engine.ts'
import { erasures } from '../../../src/projections/erasures.ts'
import { runErasures, type ScheduleOptions } from '../../../src/reactors/erasure/schedule.ts'
import { facts, ghostGround, GRACE } from '../../support/ghosts.ts'
import { until } from '../../support/until.ts'

const DAY = 86_400_000
const COOLING = 30 * DAY

/** Stands between the program and the log. */
const trouble: { around?: (log: EventStore) => EventStore } = {}
const ground = await ghostGround(t, { around: (log) => ({ ...log, append: (...args) => (trouble.around?.(log) ?? log).append(...args) }) })
const { aggregates, clock, ids, log, vault, database, pool } = ground
// The database's clock has to agree that something is due, so the test's own stays behind it.
clock.at = new Date(Date.now() - 400 * DAY)
const pass = (ms: number) => { clock.at = new Date(clock.at.getTime() + ms) }

const quiet = { info: () => {}, warn: () => {}, error: () => {} }
const projections = await startProjections({ database, log, projectors: [erasures], logger: quiet })
t.teardown(() => projections.close())
const index = erasureQueries(database)
const caughtUp = async () => {
  await ground.caughtUp()
  const behind = await projections.positions.waitFor(['erasures'], (await log.last())?.position ?? 0n, 10_000)
  if (behind !== undefined) throw new Error('the read model does not catch up')
}

const forgotten: string[] = []
const deps = (keys: KeyDestroyer = vault): ScheduleOptions =>
  ({ aggregates, clock, ids, keys, erasures: index, log: quiet, forgetMail: async (mailId) => { forgotten.push(mailId) }, everyMs: 5 })

/** Runs the schedule until it has looked twice at what is there now. */
const look = async (options = deps()): Promise<void> => {
  await caughtUp()
  let looks = 0
  const schedule = runErasures({ ...options, erasures: { due: async (...args) => { const due = await index.due(...args); looks++; return due } } })
  await until(() => looks >= 2)
  await schedule.stop()
  await caughtUp()
}

const holdDeps = { aggregates, events: log, ids }
const email = 'canary.person@example.com'

/** An account with something sealed in it; deleted now, unless it is to live. */
const account = async ({ live = false } = {}) => {
  const userId = ids.next()
  const subject = `user-${userId}`
  await ground.state(subject, [{
    type: 'user.registered', data: { userId, email: new Clear(email, subject), addressHash: 'a'.repeat(64), registeredAt: clock.at.toISOString() }
  }])
  if (!live) await ground.state(subject, [{ type: 'user.deleted', data: { userId, deletedAt: clock.at.toISOString(), purgeAfter: new Date(clock.at.getTime() + COOLING).toISOString() } }])
  return { userId, subject }
}
const accountState = async (userId: string) => {
  const { state } = await aggregates.current(userAggregate, userId)
  if (state.status !== 'present') throw new Error('no account')
  return state
}
const opened = async (userId: string) => vault.open((await accountState(userId)).email, `user-${userId}`)
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
  t.ok(isErased((await accountState(userId)).account))
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
  await t.rejects(hold(lifted.userId), { code: 'conflict' }, 'too late')
  await t.rejects(liftHoldOn(holdDeps, { kind: 'user', id: ended.userId }, { holdId: ids.next() }, ground.context()), { code: 'conflict' })
  t.match(await holdsOn(holdDeps, { kind: 'user', id: lifted.userId }, clock.at), { life: { stage: 'purged' }, holds: [{ matter: 'case-7' }] }, 'the history stays')
})

t.test('several processes do it once, and one that fails comes back', async (t) => {
  const accounts = await Promise.all(Array.from({ length: 12 }, () => account()))
  pass(COOLING)
  await caughtUp()
  let failing = 5
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
  const schedules = Array.from({ length: 3 }, () => runErasures({ ...deps(unsteady), aggregates: ground.aProcess().aggregates, log: spoken }))
  await until(async () => (await index.due(clock.at, 100)).length === 0)
  for (const schedule of schedules) await schedule.stop()
  for (const { subject } of accounts) t.strictSame((await ground.typesOf(subject)).slice(2), ending)
  t.equal(lines.length, 5)
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

t.test('a tester leaves: links, mails, lists, and the accounts that were never more', async (t) => {
  const who = await ground.invited()
  const address = async (testerId: string) => {
    const { state } = await aggregates.current(testerAggregate, testerId)
    if (state.status !== 'present') throw new Error('no tester')
    const found = await vault.open(state.email, `tester-${testerId}`)
    return found.status === 'open' ? found.text : ''
  }
  const written = await address(who.testerId)
  // A link whose account a reset ended, and a fresh one whose ceremony left a shell without a credential.
  await ground.state(who.tester, [facts.opened(who, clock.at)])
  await ground.state(who.user, [facts.created(who, clock.at)])
  pass(GRACE)
  await ground.caughtUp()
  const reset = await ghostReset(ground.deps, { testerId: who.testerId }, ground.context())
  const second = { ...who, tokenId: reset.freshTokenId, userId: reset.freshUserId, user: `user-${reset.freshUserId}` }
  await ground.state(who.tester, [facts.opened(second, clock.at)])
  await ground.state(second.user, [facts.created(second, clock.at)])
  const healthy = await ground.invited()
  await ground.state(healthy.user, [facts.created(healthy, clock.at), facts.passkey(healthy, clock.at)])

  const remove = (testerId: string, context = ground.context()) => deleteTester({ aggregates, purgeAfterMs: COOLING }, { testerId }, context)
  const context = ground.context()
  const first = await remove(who.testerId, context)
  await remove(healthy.testerId)
  t.equal(Date.parse(first.purgeAfter) - Date.parse(first.deletedAt), COOLING)
  t.strictSame((await ground.typesOf(who.tester)).slice(-2), ['walkthrough_token.revoked', 'tester.deleted'])
  t.strictSame(await remove(who.testerId, context), first, 'the same command again gets the first answer')
  await ground.caughtUp()
  const own = testerQueries(database)
  const attempts: Record<string, () => Promise<unknown>> = {
    'a second deletion': () => remove(who.testerId),
    resend: () => resendLink(ground.deps, { testerId: who.testerId }, ground.context()),
    'ghost reset': () => ghostReset(ground.deps, { testerId: who.testerId }, ground.context())
  }
  for (const [name, attempt] of Object.entries(attempts)) await t.rejects(attempt(), { code: 'subject_not_found' }, name)
  t.equal((await own.one(who.testerId)).row, undefined)
  t.notOk((await own.page({}, 1000)).rows.some(({ testerId }) => testerId === who.testerId))
  await t.rejects(inviteTester(ground.deps, { email: written }, ground.context()), { code: 'tester_exists' }, 'the address stays reserved')
  const imported = importTesters({ aggregates, ids, keys: ground.keys, testers: own, log, positions: ground.positions }, [{ email: written, invited_at: '2025-01-01T00:00:00Z' }], ground.context())
  await t.rejects(imported, { code: 'import_invalid', fields: { errors: [{ column: 'email', message: /was deleted/ }] } })

  const hold = await placeHoldOn(holdDeps, { kind: 'tester', id: who.testerId }, { matter: 'case-9' }, ground.context())
  pass(COOLING)
  await look()
  t.notOk((await ground.typesOf(who.tester)).includes('tester.erasure_started'), 'held')
  await liftHoldOn(holdDeps, { kind: 'tester', id: who.testerId }, { holdId: hold.holdId }, ground.context())
  await look()
  await look()
  t.strictSame((await ground.typesOf(who.tester)).slice(-2), ['tester.erasure_started', 'tester.purged'])
  t.strictSame((await ground.typesOf(second.user)).slice(-4), ['user.deleted', 'user.lifecycle.deleted', ...ending], 'the shell was deleted as an account')
  t.equal((await ground.typesOf(healthy.tester)).at(-1), 'tester.purged')
  t.equal((await ground.typesOf(healthy.user)).at(-1), 'user.passkey_registered', 'an account with a credential is the person\'s own')
  for (const stream of [who.tester, who.user, second.user]) {
    for (const { metadata: { reason, ip }, data } of await ground.streamOf(stream)) {
      for (const sealed of [reason, ip, 'email' in data ? data.email : undefined]) {
        if (sealed !== undefined) t.strictSame(await vault.open(sealed, sealed.subject), { status: 'erased' })
      }
    }
  }
  const { state } = await aggregates.current(testerAggregate, who.testerId)
  if (state.status !== 'present') throw new Error('no tester')
  for (const { mailId } of state.mails) t.ok(forgotten.includes(mailId), 'its mail is removed')
  await t.rejects(inviteTester(ground.deps, { email: written }, ground.context()), { code: 'tester_exists' }, 'still reserved')
  await t.rejects(placeHoldOn(holdDeps, { kind: 'tester', id: who.testerId }, { matter: 'case-9' }, ground.context()), { code: 'conflict' })
  const unopened = await ground.invited()
  await remove(unopened.testerId)
  pass(COOLING)
  await look()
  await t.rejects(ghostDelete(ground.accountsDeps, {
    testerId: unopened.testerId, userId: unopened.userId, resetId: ids.next(), linkOpenedAt: clock.at.toISOString(), initiatedAt: clock.at.toISOString(),
    reason: 'x', requestId: 'r', actor: { type: 'system', id: 'test' }
  }), { code: 'mid_enrollment' })
  pass(GRACE)
  await t.rejects(ghostDelete(ground.accountsDeps, {
    testerId: unopened.testerId, userId: unopened.userId, resetId: ids.next(), linkOpenedAt: new Date(0).toISOString(), initiatedAt: clock.at.toISOString(),
    reason: 'x', requestId: 'r', actor: { type: 'system', id: 'test' }
  }), { code: 'conflict' }, 'free text about an erased person is refused with a code')
})

t.test('a tester with a reset under way is not deleted', async (t) => {
  const who = await ground.invited()
  await ground.state(who.tester, [facts.opened(who, clock.at)])
  pass(GRACE)
  await ground.caughtUp()
  let planted = true
  trouble.around = (log) => ({
    ...log,
    append: async (stream, expected, events) => {
      if (planted && events.some(({ type }) => type === 'account.ghost_reset')) throw new Error('planted')
      return log.append(stream, expected, events)
    }
  })
  await t.rejects(ghostReset(ground.deps, { testerId: who.testerId }, ground.context()), /planted/)
  planted = false
  const remove = () => deleteTester({ aggregates, purgeAfterMs: COOLING }, { testerId: who.testerId }, ground.context())
  await t.rejects(remove(), { code: 'conflict', fields: { next: 'ghost-reset' } })
  await ghostReset(ground.deps, { testerId: who.testerId }, ground.context())
  t.equal((await remove()).testerId, who.testerId)
  delete trouble.around
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
    t.match(await fresh.open(await sealedOf(living.userId), living.subject), { status: 'open' })
    t.equal(await applyPurges({ events: log, erasures: { ...index, ...other }, keys: fresh }), 0, 'again, there is nothing to do')
  }
})

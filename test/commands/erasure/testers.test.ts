// A tester leaves: deletion, what it takes along, and the erasure after it.
import t from 'tap'
import { testerQueries } from '../../../infra/postgres/queries/testers.ts'
import { ghostDelete } from '../../../src/commands/accounts/ghost-delete.ts'
import { applyPurges } from '../../../src/commands/erasure/apply-purges.ts'
import { deleteTester } from '../../../src/commands/erasure/delete-tester.ts'
import { eraseTester } from '../../../src/commands/erasure/erase-tester.ts'
import { liftHoldOn, placeHoldOn } from '../../../src/commands/erasure/legal-holds.ts'
import { ghostReset } from '../../../src/commands/testers/ghost-reset.ts'
import { importTesters } from '../../../src/commands/testers/import.ts'
import { inviteTester } from '../../../src/commands/testers/invite.ts'
import { resendLink } from '../../../src/commands/testers/resend.ts'
import { ensureByEmail, resolveByEmail } from '../../../src/commands/users/by-email.ts'
import { testerAggregate } from '../../../src/domain/tester/tester.ts'
import type { EventStore } from '../../../src/ports.ts'
import { COOLING, erasureGround } from '../../support/erasure.ts'
import { facts, GRACE } from '../../support/ghosts.ts'

/** Stands between the program and the log. */
const trouble: { around?: (log: EventStore) => EventStore } = {}
const ground = await erasureGround(t, { around: (log) => ({ ...log, append: (...args) => (trouble.around?.(log) ?? log).append(...args) }) })
const { aggregates, clock, forgotten, holdDeps, ids, log, look, pass, vault, database } = ground
const ending = ['user.erasure_started', 'account.purged']

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
  t.match((await ground.streamOf(unopened.user)).map(({ data }) => data), [{ state: 'ghost_no_users_row', rule: 'tester_erased' }], 'closed before its key went')
  const late = (userId: string, linkOpenedAt: Date) => ghostDelete(ground.accountsDeps, {
    testerId: unopened.testerId, userId, resetId: ids.next(), linkOpenedAt: linkOpenedAt.toISOString(), initiatedAt: clock.at.toISOString(),
    reason: 'x', requestId: 'r', actor: { type: 'system', id: 'test' }
  })
  t.match(await late(unopened.userId, clock.at), { replayed: true, state: 'ghost_no_users_row' })
  const nobody = ids.next()
  await vault.destroy(`user-${nobody}`)
  await t.rejects(late(nobody, new Date(0)), { code: 'conflict' }, 'free text about an erased person is refused with a code')
})

t.test('a hold that comes while the erasure begins keeps the tester and what the links made', async (t) => {
  const [who, other] = [await ground.invited(), await ground.invited()]
  for (const one of [who, other]) {
    await ground.state(one.user, [facts.created(one, clock.at)])
    await deleteTester({ aggregates, purgeAfterMs: 0 }, { testerId: one.testerId }, ground.context())
  }
  const hold = (testerId: string) => placeHoldOn(holdDeps, { kind: 'tester', id: testerId }, { matter: 'case-9' }, ground.context())
  const racing = (act: () => Promise<unknown>, category: string): typeof aggregates => {
    let done = false
    return {
      ...aggregates, execute: async (execution) => {
        if (!done && execution.aggregate.category === category) { done = true; await act() }
        return aggregates.execute(execution)
      }
    }
  }
  t.equal(await eraseTester({ ...ground.scheduleDeps(), aggregates: racing(() => hold(who.testerId), 'tester') }, who.testerId), false)
  t.strictSame(await ground.typesOf(who.user), ['user.created'], 'nothing was done to the account')
  t.equal((await ground.typesOf(who.tester)).at(-1), 'tester.legal_hold_placed')
  const late = racing(() => t.rejects(hold(other.testerId), { code: 'conflict', fields: { stage: 'erasing' } }, 'too late: the intent stands'), 'user')
  t.equal(await eraseTester({ ...ground.scheduleDeps(), aggregates: late }, other.testerId), true)
  t.strictSame(await ground.typesOf(other.user), ['user.created', 'user.deleted', 'user.lifecycle.deleted'])
  const intent = (await ground.streamOf(other.tester)).find(({ type }) => type === 'tester.erasure_started')
  t.match(intent?.data, { userIds: [other.userId] }, 'the intent names the account')
})

t.test('an erasure that stopped after its intent goes on, with the accounts too', async (t) => {
  const who = await ground.invited()
  await ground.state(who.user, [facts.created(who, clock.at)])
  await deleteTester({ aggregates, purgeAfterMs: 0 }, { testerId: who.testerId }, ground.context())
  const dying: typeof aggregates = {
    ...aggregates, execute: async (execution) => {
      if (execution.aggregate.category === 'user') throw new Error('planted')
      return aggregates.execute(execution)
    }
  }
  await t.rejects(eraseTester({ ...ground.scheduleDeps(), aggregates: dying }, who.testerId), /planted/)
  t.equal((await ground.typesOf(who.tester)).at(-1), 'tester.erasure_started')
  await look()
  await look()
  t.equal((await ground.typesOf(who.tester)).at(-1), 'tester.purged')
  t.strictSame(await ground.typesOf(who.user), ['user.created', 'user.deleted', 'user.lifecycle.deleted', ...ending])
})

t.test('an address that was claimed for an account that was never made is free afterwards', async (t) => {
  const users = { aggregates, ids, keys: ground.keys }
  const claimed = async () => {
    const who = await ground.invited()
    const { state } = await aggregates.current(testerAggregate, who.testerId)
    if (state.status !== 'present') throw new Error('no tester')
    const found = await vault.open(state.email, who.tester)
    const email = found.status === 'open' ? found.text : ''
    await ground.state(`email-${state.addressHash}`, [{ type: 'email.claimed', data: { userId: who.userId, ruleVersion: 1, claimedAt: clock.at.toISOString() } }])
    await deleteTester({ aggregates, purgeAfterMs: 0 }, { testerId: who.testerId }, ground.context())
    const ensure = () => ensureByEmail(users, { email }, ground.context())
    const living = async (userId: string) => {
      const { account: { life }, email: sealed } = await ground.accountState(userId)
      t.equal(life.stage, 'live')
      t.match(await vault.open(sealed, `user-${userId}`), { status: 'open', text: email }, 'and it can be read')
    }
    const purged = async () => (await ground.streamOf(who.tester)).find(({ type }) => type === 'tester.purged')?.data
    return { ...who, email, ensure, living, purged, emailStream: `email-${state.addressHash}` }
  }

  const alone = await claimed()
  t.equal(await eraseTester(ground.scheduleDeps(), alone.testerId), true)
  t.match(await alone.purged(), { userIds: [alone.userId] })
  t.match((await ground.streamOf(alone.emailStream)).at(-1), { type: 'email.released', data: { cause: 'tester_erased' } })
  t.strictSame(await resolveByEmail(users, alone.email, clock.at), { outcome: 'creatable' })
  const made = await alone.ensure()
  if (made.outcome !== 'created') throw new Error(made.outcome)
  t.not(made.userId, alone.userId)
  await alone.living(made.userId)

  // Made by whoever completed the claim, before the stream could be closed: it is theirs, and its key stays.
  const faster = await claimed()
  let first = true
  const racing: typeof aggregates = {
    ...aggregates, execute: async (execution) => {
      if (first && execution.aggregate.category === 'user') { first = false; t.match(await faster.ensure(), { outcome: 'created', userId: faster.userId }) }
      return aggregates.execute(execution)
    }
  }
  t.equal(await eraseTester({ ...ground.scheduleDeps(), aggregates: racing }, faster.testerId), true)
  t.strictSame(await faster.purged(), { ...await faster.purged(), userIds: [] })
  await faster.living(faster.userId)
  t.match(await resolveByEmail(users, faster.email, clock.at), { outcome: 'existing', userId: faster.userId })
  await ground.caughtUp()
  await applyPurges({ events: log, erasures: ground.index, keys: vault })
  await applyPurges({ events: log, erasures: { known: async () => undefined, purged: async () => [] }, keys: vault })
  await faster.living(faster.userId)

  // Asked for while the keys are going: it finds the account ended, and gets one of its own.
  const later = await claimed()
  const meanwhile = ground.scheduleDeps({
    ...vault, destroyAll: async (subjects) => { t.match(await later.ensure(), { outcome: 'created' }); return vault.destroyAll(subjects) }
  })
  t.equal(await eraseTester(meanwhile, later.testerId), true)
  const standing = await resolveByEmail(users, later.email, clock.at)
  if (standing.outcome !== 'existing') throw new Error(standing.outcome)
  t.not(standing.userId, later.userId)
  await later.living(standing.userId)
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

t.test('a mail on its way is waited for', async (t) => {
  const who = await ground.invited()
  const mailId = ids.next()
  const at = clock.at.toISOString()
  await ground.state(who.tester, [
    { type: 'mail.requested', data: { testerId: who.testerId, mailId, kind: 'invitation', tokenId: who.tokenId, requestedAt: at } },
    { type: 'mail.attempted', data: { testerId: who.testerId, mailId, attempt: 1, attemptedAt: at } }
  ])
  await deleteTester({ aggregates, purgeAfterMs: 0 }, { testerId: who.testerId }, ground.context())
  await look()
  t.equal((await ground.typesOf(who.tester)).at(-1), 'tester.deleted', 'it would be written into the outbox afterwards')
  await ground.state(who.tester, [{ type: 'mail.sent', data: { testerId: who.testerId, mailId, attempt: 1, sentAt: at } }])
  await look()
  t.equal((await ground.typesOf(who.tester)).at(-1), 'tester.purged')
  t.ok(forgotten.includes(mailId))
})

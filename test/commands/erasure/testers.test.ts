// A tester leaves: deletion, what it takes along, and the erasure after it.
import t from 'tap'
import { testerQueries } from '../../../infra/postgres/queries/testers.ts'
import { ghostDelete } from '../../../src/commands/accounts/ghost-delete.ts'
import { deleteTester } from '../../../src/commands/erasure/delete-tester.ts'
import { liftHoldOn, placeHoldOn } from '../../../src/commands/erasure/legal-holds.ts'
import { ghostReset } from '../../../src/commands/testers/ghost-reset.ts'
import { importTesters } from '../../../src/commands/testers/import.ts'
import { inviteTester } from '../../../src/commands/testers/invite.ts'
import { resendLink } from '../../../src/commands/testers/resend.ts'
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

// The deletion within a reset: what it is judged on, what it frees, and what the console says when it fails.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { accountsOverHttp } from '../../../infra/accounts/http.ts'
import { ghostReset } from '../../../src/commands/testers/ghost-reset.ts'
import { testerAggregate } from '../../../src/domain/tester/tester.ts'
import { LogOutcomeUnknown, LogUnavailable } from '../../../src/log-errors.ts'
import type { EventStore } from '../../../src/ports.ts'
import { facts, GRACE, ghostGround, type TestTester } from '../../support/ghosts.ts'

/** Planted troubles; each strikes once. */
const planted: { fault?: string, beforeDelete?: () => Promise<unknown> } = {}

const ground = await ghostGround(t, {
  around: (log: EventStore) => ({
    ...log,
    append: async (stream, expected, events) => {
      if (!events.some(({ type }) => type === planted.fault)) return log.append(stream, expected, events)
      delete planted.fault
      throw new LogUnavailable('planted')
    }
  }),
  gateway: (inner) => ({
    ...inner,
    ghostDelete: async (request) => {
      const { beforeDelete } = planted
      delete planted.beforeDelete
      await beforeDelete?.()
      return inner.ghostDelete(request)
    }
  })
})

/** A tester whose link was opened long enough ago, the hash of the address, and a claim of it by the account-to-be. */
const aGhost = async (): Promise<TestTester & { claim: string }> => {
  const who = await ground.invited()
  const { state } = await ground.aggregates.current(testerAggregate, who.testerId)
  const claim = `email-${state.status === 'present' ? state.addressHash : ''}`
  await ground.state(who.tester, [facts.opened(who, ground.clock.at)])
  await ground.state(claim, [{ type: 'email.claimed', data: { userId: who.userId, ruleVersion: 1, claimedAt: ground.clock.at.toISOString() } }])
  ground.clock.at = new Date(ground.clock.at.getTime() + GRACE)
  await ground.caughtUp()
  return { ...who, claim }
}
const reset = ({ testerId }: TestTester, context = ground.context()) => ghostReset(ground.deps, { testerId }, context)

t.test('an address that was claimed for an account that was never made is free afterwards', async (t) => {
  const who = await aGhost()
  t.equal((await reset(who)).state, 'ghost_no_users_row')
  t.strictSame(await ground.typesOf(who.claim), ['email.claimed', 'email.released'])

  const [liar, other] = [await aGhost(), await aGhost()]
  await ground.accounts.ghostDelete({
    testerId: liar.testerId, userId: liar.userId, addressHash: other.claim.replace('email-', ''), linkOpenedAt: new Date(0).toISOString(),
    resetId: ground.ids.next(), initiatedAt: ground.clock.at.toISOString(), requestId: 'r', actor: { type: 'system', id: 'test' }
  })
  t.strictSame(await ground.typesOf(other.claim), ['email.claimed'], 'the address of another account stays held')
})

t.test('the state in the answer is that of the deletion, for whoever asks', async (t) => {
  const who = await aGhost()
  const context = { ...ground.context(), fingerprint: 'a' }
  // Long ago by its own time, so a ghost as much as before: but one with a row.
  planted.beforeDelete = () => ground.state(who.user, [facts.created(who, new Date(ground.clock.at.getTime() - 2 * GRACE), who.claim.replace('email-', ''))])
  const answer = await reset(who, context)
  t.match(answer, { state: 'ghost_empty_shell', rule: 'account_without_credential_after_grace' })
  t.match((await ground.streamOf(who.user)).at(-1), { type: 'account.ghost_reset', data: { state: 'ghost_empty_shell' } })
  t.strictSame(await reset(who, context), answer, 'the first answer again')
  t.strictSame(await reset(who), answer, 'and to one who joins')
})

t.test('each failed append is told as what it is', async (t) => {
  const deletion = ({ testerId, userId }: TestTester) => ground.accounts.ghostDelete({
    testerId, userId, linkOpenedAt: new Date(0).toISOString(), resetId: ground.ids.derive('reset', userId),
    initiatedAt: ground.clock.at.toISOString(), requestId: 'r', actor: { type: 'system', id: 'test' }
  })
  for (const [fault, sentence] of [['account.ghost_reset', /no account was deleted/], ['email.released', /^The account was deleted; its address is not free yet/]] as const) {
    const [asked, console] = [await aGhost(), await aGhost()]
    for (const who of [asked, console]) {
      await ground.state(who.user, [facts.created(who, new Date(ground.clock.at.getTime() - 2 * GRACE), who.claim.replace('email-', ''))])
    }
    await ground.caughtUp()
    planted.fault = fault
    await t.rejects(deletion(asked), { code: 'account_audit_failed', message: sentence })
    planted.fault = fault
    await t.rejects(reset(console), { code: 'audit_unavailable', message: sentence }, 'the console has a code of its own')
    t.equal((await ground.typesOf(console.user)).includes('account.ghost_reset'), fault === 'email.released', 'and the sentence is true')
    t.equal((await reset(console)).state, 'ghost_empty_shell', 'asked again, it goes on')
    t.equal((await ground.typesOf(console.claim)).at(-1), 'email.released')
  }
})

t.test('nothing is judged while the accounts stand still', async (t) => {
  const who = await aGhost()
  const tables = await ground.pool.query<{ name: string }>("select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname like '%chancery' and tablename like 'users%'")
  const holder = await ground.pool.connect()
  await holder.query('begin')
  for (const { name } of tables.rows) await holder.query(`lock table ${name} in exclusive mode`)
  try {
    await ground.state(who.user, [facts.created(who, ground.clock.at), facts.passkey(who, ground.clock.at)])
    await t.rejects(reset(who), { code: 'projection_behind' })
    t.notOk((await ground.typesOf(who.tester)).includes('console.beta.ghost_reset.initiated'), 'nothing was begun')
  } finally {
    await holder.query('rollback')
    holder.release()
  }
  await ground.caughtUp()
  await t.rejects(reset(who), { code: 'account_healthy' }, 'what stood in the log all the time')
})

t.test('what the other service says of its own call stays with it', async (t) => {
  let code = ''
  const server = createServer((_, response) => {
    response.writeHead(503, { 'content-type': 'application/problem+json' })
    response.end(JSON.stringify({ type: 'x', title: 'x', status: 503, detail: 'Send it with this Idempotency-Key; nothing was done.', code, trace_id: 'x', idempotency_key: 'theirs', lag: 7 }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => new Promise((resolve) => { server.close(resolve) }))
  const accounts = accountsOverHttp({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'x' })
  const answer = async (as: string): Promise<unknown> => {
    code = as
    return accounts.ghostCheck([{ testerId: ground.ids.next(), userId: ground.ids.next(), linkOpenedAt: new Date(0).toISOString() }]).catch((error: unknown) => error)
  }
  t.ok(await answer('outcome_unknown') instanceof LogOutcomeUnknown, 'our own door names our own key')
  t.match(await answer('audit_unavailable'), { code: 'audit_unavailable', message: /^The accounts side did not reach/, fields: {} })
  t.strictSame((await answer('projection_behind') as { fields: object }).fields, { lag: 7 })
})

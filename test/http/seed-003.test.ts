// The seven decisions of seed 003, each by its name, over HTTP. What Redis makes of decision 6 is tested with the publisher.
import t from 'tap'
import { accountsGround, WHY } from '../support/accounts.ts'

t.test('seed 003', async (t) => {
  const ground = await accountsGround(t, { env: { CHANCERY_ROLES: 'api,projector' } })
  const { as, account, ensure, resolve, sanction, block, lift, remove, rename, self, eligibility, factsOf, typesOf } = ground
  const admin = as('admin')

  await t.test('decision 1: a dedicated stream, narrow: only two kinds of events, with exactly the named fields', async (t) => {
    const userId = await account('one@example.com')
    await rename(userId, 'Decision-1')
    await sanction(userId, { code: 'login_block', reason: 'a long story about Karl' })
    await as('admin')('POST', `/api/v1/admin/users/${userId}/sanctions`, { ...WHY, code: 'permanent_block', public_note: 'of Karl' }, { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` })
    await as('admin-service')('POST', `/api/v1/internal/users/${userId}/delete`, { reason_code: 'gdpr_request', reason: 'Karl asked', actor: { type: 'person', id: 'operator-7' } })
    const lifecycle = (await factsOf(`user-${userId}`)).filter(({ type }) => type.startsWith('user.lifecycle.'))
    t.strictSame(lifecycle.map(({ type, data, metadata }) => ({ type, data: { ...data, occurredAtMs: 0 }, at: Date.parse(metadata.occurredAt) - (data as { occurredAtMs: number }).occurredAtMs })), [
      {
        type: 'user.lifecycle.permanent_blocked',
        data: { userId, occurredAtMs: 0, source: await ground.idOf('admin'), actorType: 'principal', actorId: await ground.idOf('admin'), reasonCode: 'test_case', traceId: 'a'.repeat(32) },
        at: 0
      },
      {
        type: 'user.lifecycle.deleted',
        data: { userId, occurredAtMs: 0, source: await ground.idOf('admin-service'), actorType: 'person', actorId: 'operator-7', reasonCode: 'gdpr_request' },
        at: 0
      }
    ], 'nothing personal, and nothing of profile, settings or other sanctions')
  })

  await t.test('decision 2: a soft delete preserves the record: last e-mail, user name and tariff can be resolved', async (t) => {
    const userId = await account('Two.Karl@example.com')
    await rename(userId, 'Two-Karl')
    await admin('POST', `/api/v1/admin/users/${userId}/tariff`, { ...WHY, code: 'gold' })
    const before = await typesOf(userId)
    t.equal((await remove(userId)).status, 200)
    const outside = [
      await self(userId), await rename(userId, 'Other'), await as('gateway-service')('GET', `/api/v1/self/${userId}/history`), await eligibility(userId),
      await admin('GET', `/api/v1/admin/users/${userId}`), await admin('GET', `/api/v1/admin/users/${userId}/sanctions`), await admin('GET', `/api/v1/admin/users/${userId}/limits`),
      await admin('GET', `/api/v1/admin/users/${userId}/timeline`)
    ]
    for (const { status, body } of outside) t.strictSame([status, body['code']], [404, 'subject_not_found'])
    const opened = await as('support')('GET', `/api/v1/admin/users/${userId}?include_deleted=true&reason=complaint`)
    t.match(opened, { status: 200, body: { user_id: userId, email: 'Two.Karl@example.com', user_name: 'Two-Karl', tariff: { code: 'gold' } } })
    t.type(opened.body['deleted_at'], 'string')
    t.strictSame(await typesOf(userId), [...before, 'user.deleted', 'user.lifecycle.deleted', 'user.record_opened'], 'and that it was looked at is a fact')
    t.strictSame((await rename(await account(), 'TWO-KARL')).body['code'], 'user_name_taken', 'the user name stays')
  })

  await t.test('decision 3: a second delete answers 404, not 200, and emits nothing', async (t) => {
    const userId = await account()
    const key = { 'idempotency-key': 'delete-three' }
    const first = await remove(userId, key)
    t.match(first, { status: 200, body: { user_id: userId } })
    const facts = await typesOf(userId)
    const second = await remove(userId)
    t.strictSame([second.status, second.body['code']], [404, 'subject_not_found'])
    const repeated = await remove(userId, key)
    t.strictSame([repeated.status, repeated.body], [200, first.body], 'the same Idempotency-Key gets the first answer')
    t.strictSame(await typesOf(userId), facts)
    t.strictSame(facts.filter((type) => type === 'user.lifecycle.deleted').length, 1)
    const never = await remove('00000000-0000-4000-8000-000000000000')
    t.strictSame([never.status, never.body['code']], [404, 'subject_not_found'], 'as for one that never was')
  })

  await t.test('decision 4: the address of a deleted account answers blocked, never existing, never anew', async (t) => {
    const userId = await account('Four@Example.com')
    await remove(userId)
    for (const spelling of ['four@example.com', ' FOUR@EXAMPLE.COM ']) {
      t.strictSame((await resolve(spelling)).body, { outcome: 'blocked', reason_code: 'account_deleted' })
      const ensured = await ensure(spelling)
      t.match(ensured, { status: 200, body: { outcome: 'blocked', reason_code: 'account_deleted' } })
      t.notOk('user_id' in ensured.body, 'no id, old or new')
    }
    const hash = (await factsOf(`user-${userId}`)).flatMap((event) => event.type === 'user.registered' ? [event.data.addressHash] : [])[0] ?? ''
    t.strictSame((await factsOf(`email-${hash}`)).map(({ type }) => type), ['email.claimed'], 'and the address was never freed')
  })

  await t.test('decision 5: removing a permanent block restores, and emits no lifecycle event', async (t) => {
    const userId = await account('five@example.com')
    const { body: { sanction_id: sanctionId } } = await block(userId)
    t.match(await self(userId), { status: 409, body: { code: 'conflict', reason: 'permanent_block', reason_code: 'test_case' } })
    t.match((await resolve('five@example.com')).body, { outcome: 'blocked', reason_code: 'permanent_block' })
    t.match(await admin('GET', `/api/v1/admin/users/${userId}`), { status: 200, body: { user_id: userId } }, 'operators still see the record')
    t.match(await eligibility(userId), { status: 200, body: { eligibility: { can_login: { allowed: false, because: { sanction_id: sanctionId } }, can_join_game: { allowed: false } } } })
    const before = await typesOf(userId)
    t.equal((await lift(userId, String(sanctionId))).status, 200)
    t.strictSame((await typesOf(userId)).slice(before.length), ['user.sanction_removed'])
    t.equal((await self(userId)).status, 200)
    t.match((await resolve('five@example.com')).body, { outcome: 'existing', user_id: userId })
    await block(userId)
    t.equal((await typesOf(userId)).filter((type) => type === 'user.lifecycle.permanent_blocked').length, 2, 'exactly one for each time it was applied')
  })

  await t.test('decision 6: publishing follows the commit: with no publisher at all, deletes succeed and the event is in the log', async (t) => {
    const userId = await account()
    const { status, body } = await remove(userId)
    t.equal(status, 200)
    const facts = await factsOf(`user-${userId}`)
    const last = facts.at(-1)
    t.strictSame([last?.type, String(last?.position), facts.at(-2)?.type], ['user.lifecycle.deleted', body['position'], 'user.deleted'], 'in one append with the deletion itself')
    t.equal(facts.at(-2)?.metadata.commandId, last?.metadata.commandId)
  })

  await t.test('decision 7: the admin list leaves deleted accounts out by default', async (t) => {
    const [kept, gone] = [await account(), await account()]
    const { body: { position } } = await remove(gone)
    const ids = async (query = '') => {
      const { body } = await admin('GET', `/api/v1/admin/users?min_position=${String(position)}&limit=1000${query}`)
      return (body['items'] as Array<{ user_id: string }>).map((item) => item.user_id)
    }
    const listed = await ids()
    t.ok(listed.includes(kept) && !listed.includes(gone))
    t.ok((await ids('&include_deleted=true&reason=audit')).includes(gone), 'and shows them to whoever asks for them, with a reason')
  })
})

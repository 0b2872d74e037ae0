// Accounts on two real processes: both at once, and one killed between two appends of a command; whoever comes next goes on.
import t from 'tap'
import { accountsOn, callersOf, logOf, WHY } from '../support/accounts.ts'
import { spawnService, testService, type SpawnedService } from '../support/service.ts'

t.setTimeout(120_000)

t.test('two processes, and one that dies', async (t) => {
  const staying = await testService(t, { env: { CHANCERY_ROLES: 'api', CHANCERY_API_PROCESSES: 'many' } })
  const ground = accountsOn(staying, await logOf(t, staying))
  const { account, rename, self, resolve, ensure, sanction, remove, typesOf, factsOf } = ground
  const gateway = ground.as('gateway-service')

  /** A process that dies right after its next append of this type. */
  const dying = (type: string): Promise<SpawnedService> => spawnService(t, { beside: staying, env: { CHANCERY_FAILPOINT: `append.after:${type}:kill` } })
  const userId = await account('crash@example.com')
  let service = await dying('user_name.claimed')
  const elsewhere = () => {
    const as = callersOf(service).as
    return {
      ensure: (email: string) => as('auth-service')('POST', '/api/v1/auth/ensure-by-email', { email }),
      sanction: (id: string) => as('admin')('POST', `/api/v1/admin/users/${id}/sanctions`, { ...WHY, code: 'permanent_block' }),
      remove: (id: string) => as('admin-service')('POST', `/api/v1/internal/users/${id}/delete`, WHY)
    }
  }

  await t.test('100 parallel ensures of one address over two processes: one account', async (t) => {
    const there = elsewhere()
    await there.ensure('warm@example.com')
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => n % 2 === 0 ? ensure('hundred@example.com') : there.ensure('hundred@example.com')))
    const [first] = answers
    t.strictSame([...new Set(answers.map(({ status, body }) => `${status} ${String(body['user_id'] ?? body['detail'])}`))], [`200 ${String(first?.body['user_id'])}`], '100 equal answers')
    t.strictSame(answers.filter(({ body }) => body['outcome'] === 'created').length, 1)
    t.strictSame(await typesOf(String(answers[0]?.body['user_id'])), ['user.registered'])
  })

  await t.test('blocks and deletions of one account over two processes: one of each', async (t) => {
    const there = elsewhere()
    const id = await account()
    await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => n % 2 === 0 ? sanction(id, { code: 'permanent_block' }) : there.sanction(id)), remove(id), there.remove(id)
    ])
    const types = await typesOf(id)
    const count = (type: string) => types.filter((one) => one === type).length
    t.equal(count('user.deleted') + count('user.lifecycle.deleted'), 2)
    t.ok(count('user.sanction_applied') <= 1 && count('user.lifecycle.permanent_blocked') === count('user.sanction_applied'))
    t.equal(types.at(-1), 'user.lifecycle.deleted')
  })

  const killedBy = async (name: string, key: string): Promise<void> => {
    const as = callersOf(service).as
    // The same principal in both processes: a command id belongs to a principal and a key.
    const authorization = await ground.tokenOf('gateway-service')
    await t.rejects(as('support')('PATCH', `/api/v1/self/${userId}`, { profile: { user_name: name } }, { 'idempotency-key': key, authorization }), `dies with ${name}`)
    t.equal(await service.exit, 'SIGKILL')
  }
  const again = (name: string, key: string) => gateway('PATCH', `/api/v1/self/${userId}`, { profile: { user_name: name } }, { 'idempotency-key': key })

  await t.test('killed between the claim of a name and its profile', async (t) => {
    await killedBy('Claimed', 'first')
    t.strictSame(await typesOf(userId), ['user.registered'], 'the profile does not have it')
    t.match(await again('Claimed', 'first'), { status: 200, body: { changed: true } }, 'the same request again completes it')
    t.match((await self(userId)).body, { profile: { user_name: 'Claimed' } })

    service = await dying('user_name.claimed')
    await killedBy('Wanted', 'second')
    const other = await account()
    t.match(await rename(other, 'Wanted'), { status: 200, body: { changed: true } }, 'and whoever wants the name does not wait for it')
    t.equal((await typesOf(userId)).at(-1), 'user.user_name_claim_voided')
    t.match(await again('Wanted', 'second'), { status: 409, body: { code: 'user_name_taken' } })
    t.match((await self(userId)).body, { profile: { user_name: 'Claimed' } })
  })

  await t.test('killed between the claim of an address and its account', async (t) => {
    service = await dying('email.claimed')
    await t.rejects(elsewhere().ensure('halfway@example.com'))
    t.equal(await service.exit, 'SIGKILL')
    t.strictSame((await resolve('halfway@example.com')).body, { outcome: 'creatable' })
    const { body } = await ensure('halfway@example.com')
    t.match(body, { outcome: 'created' })
    const [made] = await factsOf(`user-${String(body['user_id'])}`)
    const claims = made?.type === 'user.registered' ? await factsOf(`email-${made.data.addressHash}`) : []
    t.strictSame(claims.map(({ type, data }) => [type, (data as { userId: string }).userId]), [['email.claimed', body['user_id']]], 'completed under the id of the claim, not taken over')
  })
})

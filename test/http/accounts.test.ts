// The account surfaces in their details: what each shows and to whom, histories and pages, limits, tariff, preconditions.
import t from 'tap'
import { accountsGround, WHY } from '../support/accounts.ts'

const soon = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString()

t.test('accounts', async (t) => {
  const ground = await accountsGround(t)
  const { as, account, sanction, lift, self, rename, ensure, eligibility, factsOf, typesOf } = ground
  const admin = as('admin')
  const gateway = as('gateway-service')

  await t.test('what operators wrote for each other is not shown to the person, and everything to operators', async (t) => {
    const userId = await account('shown@example.com')
    const secrets = { reason: 'canary reason', internal_note: 'canary internal', evidence: 'canary evidence', ticket: 'CANARY-1' }
    const { body: { sanction_id: id } } = await sanction(userId, { code: 'profile_update_block', public_note: 'please stop', expires_at: soon(60), ...secrets })
    const { body: { sanction_id: game } } = await sanction(userId, { code: 'game_join_block', scope: 'game:3' })
    await admin('POST', `/api/v1/admin/users/${userId}/sanctions/${String(game)}/remove`, { reason_code: 'appeal', reason: 'canary appeal' })
    await admin('POST', `/api/v1/admin/users/${userId}/limits`, { ...WHY, code: 'max_owned_private_games', value: 9, reason: 'canary limit' })
    await admin('POST', `/api/v1/admin/users/${userId}/limits/max_owned_private_games/remove`, WHY)
    await admin('POST', `/api/v1/admin/users/${userId}/tariff`, { ...WHY, code: 'gold', until: soon(600) })

    t.match(await rename(userId, 'Blocked-Now'), { status: 409, body: { code: 'conflict', reason: 'profile_update_block', sanction_id: id, public_note: 'please stop' } })
    const own = await self(userId)
    t.match(own, { status: 200, body: { email: 'shown@example.com', tariff: { code: 'gold' }, sanctions: [{ sanction_id: id, public_note: 'please stop', reason_code: 'test_case' }] } })
    t.match(own.body['eligibility'], { can_update_profile: { allowed: false, because: { sanction_id: id } }, can_login: { allowed: true } })
    const history = await gateway('GET', `/api/v1/self/${userId}/history`)
    t.match(history.body['items'], [
      { type: 'user.tariff_set', by: 'service', tariff: { code: 'gold' } }, { type: 'user.limit_removed', limit: { value: null } }, { type: 'user.limit_set', limit: { value: 9 } },
      { type: 'user.sanction_removed', sanction_id: game }, { type: 'user.sanction_applied', sanction: { scope: 'game:3' } }, { type: 'user.sanction_applied', sanction: { public_note: 'please stop' } }, { type: 'user.registered' }
    ])
    for (const { text } of [own, history]) {
      t.notMatch(text, /canary/i)
      t.notOk(text.includes(await ground.idOf('admin')), 'nor who it was')
    }

    const { body: { items } } = await as('support')('GET', `/api/v1/admin/users/${userId}/sanctions`)
    const by = { actor: { type: 'principal', id: await ground.idOf('admin') } }
    t.match(items, [
      { sanction_id: id, state: 'active', internal_note: 'canary internal', evidence: 'canary evidence', public_note: 'please stop', applied: { ...by, reason: 'canary reason', reason_code: 'test_case', ticket: 'CANARY-1' }, removed: null },
      { sanction_id: game, state: 'removed', removed: { ...by, reason: 'canary appeal', reason_code: 'appeal' } }
    ])
    const limits = await as('support')('GET', `/api/v1/admin/users/${userId}/limits`)
    t.match(limits.body['history'], [{ code: 'max_owned_private_games', value: 9, set: { reason: 'canary limit' }, ended: by }])
    t.match((limits.body['in_force'] as Array<{ code: string }>).find(({ code }) => code === 'max_owned_private_games'), { value: 3, own: false })
    const facts = JSON.stringify(await factsOf(`user-${userId}`), (_, value: unknown) => typeof value === 'bigint' ? String(value) : value)
    t.notMatch(facts, /canary (reason|internal|evidence|appeal|limit)|please stop|shown@/, 'in the log all of it is sealed')
    t.match(facts, 'CANARY-1', 'but for the ticket, which stays readable')
  })

  await t.test('a history in pages is the whole history', async (t) => {
    const userId = await account()
    for (const language of ['de', 'fr', 'es', 'it', 'pl']) await gateway('PATCH', `/api/v1/self/${userId}`, { settings: { preferred_language: language } })
    const { body: whole } = await gateway('GET', `/api/v1/self/${userId}/history`)
    const paged: unknown[] = []
    let cursor: string | null = null
    do {
      const { body } = await gateway('GET', `/api/v1/self/${userId}/history?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`)
      paged.push(...body['items'] as unknown[])
      cursor = body['next_cursor'] as string | null
    } while (cursor !== null)
    t.strictSame(paged, whole['items'])
    t.equal(paged.length, 6)
    t.match(paged[0], { type: 'user.settings_updated', by: 'you', changed: ['preferred_language'] })
    t.equal((await gateway('GET', `/api/v1/self/${userId}/history?cursor=x`)).body['code'], 'invalid_request')
  })

  await t.test('who acted: the person, by way of the gateway; the operator, by way of the admin service', async (t) => {
    const userId = await account()
    await gateway('PATCH', `/api/v1/self/${userId}`, { settings: { time_zone: 'Europe/Vienna' } })
    const last = (await factsOf(`user-${userId}`)).at(-1)
    t.match(last?.metadata, { actor: { type: 'person', id: userId }, source: await ground.idOf('gateway-service') })
  })

  await t.test('what is so already is no fact, and what is not named stays', async (t) => {
    const { body: { user_id: id } } = await as('auth-service')('POST', '/api/v1/auth/ensure-by-email', { email: 'prefs@example.com', preferred_language: 'de-AT', time_zone: 'Europe/Vienna' })
    const userId = String(id)
    const patch = async (body: object) => (await gateway('PATCH', `/api/v1/self/${userId}`, body)).body['changed']
    t.equal(await patch({ profile: { user_name: 'Stays', display_name: 'Stays Too' } }), true)
    t.equal(await patch({ profile: { user_name: 'Stays', display_name: 'Stays Too' }, settings: { preferred_language: 'de-AT' } }), false)
    t.equal(await patch({ profile: { user_name: 'STAYS' } }), true, 'another spelling is a change, and needs no claim')
    t.equal(await patch({ profile: { display_name: null } }), true)
    t.equal(await patch({ profile: { display_name: null } }), false)
    t.match((await self(userId)).body, { profile: { user_name: 'STAYS', display_name: null }, settings: { preferred_language: 'de-AT', time_zone: 'Europe/Vienna' } })
    t.equal((await typesOf(userId)).length, 4)
    await admin('POST', `/api/v1/admin/users/${userId}/limits`, { ...WHY, code: 'max_owned_private_games', value: 4 })
    t.equal((await admin('POST', `/api/v1/admin/users/${userId}/limits`, { ...WHY, code: 'max_owned_private_games', value: 4 })).status, 200)
    await admin('POST', `/api/v1/admin/users/${userId}/tariff`, { ...WHY, code: 'gold' })
    t.equal((await admin('POST', `/api/v1/admin/users/${userId}/tariff`, { ...WHY, code: 'gold' })).status, 200)
    t.equal((await typesOf(userId)).length, 6)
  })

  await t.test('refused: what no catalogue, calendar or rule has', async (t) => {
    const userId = await account()
    const at = `/api/v1/admin/users/${userId}`
    const cases: Array<[string, Promise<{ status: number, body: Record<string, unknown> }>, string]> = [
      ['a sanction there is not', sanction(userId, { code: 'no_fun' }), '400 invalid_request'],
      ['no reason code', admin('POST', `${at}/sanctions`, { code: 'login_block' }), '400 invalid_request'],
      ['a login block of one game', sanction(userId, { code: 'login_block', scope: 'game:1' }), '422 sanction_invalid'],
      ['a scope there is not', sanction(userId, { code: 'game_join_block', scope: 'room:1' }), '400 invalid_request'],
      ['an end before the beginning', sanction(userId, { code: 'login_block', starts_at: soon(5), expires_at: soon(4) }), '422 sanction_invalid'],
      ['a beginning in the past', sanction(userId, { code: 'login_block', starts_at: soon(-5) }), '422 sanction_invalid'],
      ['a permanent block that ends', sanction(userId, { code: 'permanent_block', expires_at: soon(5) }), '422 sanction_invalid'],
      ['a permanent block that begins later', sanction(userId, { code: 'permanent_block', starts_at: soon(5) }), '422 sanction_invalid'],
      ['a day there is not', sanction(userId, { code: 'login_block', expires_at: '2027-02-30T00:00:00Z' }), '400 invalid_request'],
      ['a limit there is not', admin('POST', `${at}/limits`, { ...WHY, code: 'max_fun', value: 1 }), '400 invalid_request'],
      ['a limit below nothing', admin('POST', `${at}/limits`, { ...WHY, code: 'max_owned_private_games', value: -1 }), '400 invalid_request'],
      ['a limit that was not set', admin('POST', `${at}/limits/max_owned_private_games/remove`, WHY), '404 subject_not_found'],
      ['a tariff to come', admin('POST', `${at}/tariff`, { ...WHY, code: 'gold', since: soon(5) }), '400 invalid_request'],
      ['a tariff that ends before it began', admin('POST', `${at}/tariff`, { ...WHY, code: 'gold', until: soon(-5) }), '400 invalid_request'],
      ['a user name too short', rename(userId, 'ab'), '400 invalid_request'],
      ['a user name with a space', rename(userId, 'a b c'), '400 invalid_request'],
      ['a display name with a line break', gateway('PATCH', `/api/v1/self/${userId}`, { profile: { display_name: 'a\nb' } }), '400 invalid_request'],
      ['a time zone there is not', gateway('PATCH', `/api/v1/self/${userId}`, { settings: { time_zone: 'Europe/Atlantis' } }), '400 invalid_request'],
      ['a wish for nothing', gateway('PATCH', `/api/v1/self/${userId}`, { profile: {} }), '400 invalid_request'],
      ['no address', ensure('not an address'), '400 invalid_request'],
      ['what is not the person\'s to change', gateway('PATCH', `/api/v1/self/${userId}`, { email: 'x@example.com' }), '400 invalid_request']
    ]
    for (const [name, asked, expected] of cases) {
      const { status, body } = await asked
      t.equal(`${status} ${String(body['code'])}`, expected, name)
    }
    t.strictSame(await typesOf(userId), ['user.registered'])
  })

  await t.test('sanctions of one code and scope: one at a time, another after it, and a clock that ends them', async (t) => {
    const userId = await account()
    const later = await sanction(userId, { code: 'game_join_block', starts_at: soon(60), expires_at: soon(120) })
    t.equal(later.status, 201)
    t.match(await sanction(userId, { code: 'game_join_block' }), { status: 409, body: { code: 'conflict', sanction_id: later.body['sanction_id'], sanction_code: 'game_join_block' } }, 'it would count at the same time')
    t.equal((await sanction(userId, { code: 'game_join_block', expires_at: soon(60) })).status, 409, 'if only just: soon(60) is a little later now')
    t.equal((await sanction(userId, { code: 'game_join_block', expires_at: soon(30) })).status, 201)
    t.equal((await sanction(userId, { code: 'game_join_block', scope: 'game:1' })).status, 201, 'another scope')
    t.equal((await sanction(userId, { code: 'private_game_create_block' })).status, 201, 'another code')
    const listed = async () => ((await admin('GET', `/api/v1/admin/users/${userId}/sanctions`)).body['items'] as Array<{ state: string }>).map(({ state }) => state)
    t.strictSame(await listed(), ['scheduled', 'active', 'active', 'active'])
    t.equal((await lift(userId, String(later.body['sanction_id']))).status, 200, 'one that is still to begin can be removed')

    const brief = await sanction(userId, { code: 'login_block', expires_at: new Date(Date.now() + 400).toISOString() })
    const loginIs = async () => (await eligibility(userId)).body['eligibility'] as Record<string, { allowed: boolean }>
    t.equal((await loginIs())['can_login']?.allowed, false)
    while (Date.now() < Date.parse(String(brief.body['expires_at']))) await loginIs()
    const facts = await typesOf(userId)
    t.equal((await loginIs())['can_login']?.allowed, true, 'over by the clock')
    t.strictSame(await typesOf(userId), facts, 'with no fact')
    t.match(await lift(userId, String(brief.body['sanction_id'])), { status: 409, body: { code: 'conflict' } }, 'what ran out cannot be removed')
    t.equal((await sanction(userId, { code: 'login_block' })).status, 201, 'and may be applied again')
  })

  await t.test('legal holds: who placed and lifted them and why; once the record is deleted the words are opened no more', async (t) => {
    const invited = await as('console-users-write')('POST', '/api/v1/console/beta/testers', { email: 'held@example.com' })
    const testers = '/api/v1/console/beta/testers'
    const userId = await account('held@example.com')
    const testerId = String(invited.body['tester_id'])
    const records = [
      { path: `/api/v1/admin/users/${userId}/legal-holds`, remove: () => ground.remove(userId) },
      { path: `${testers}/${testerId}/legal-holds`, remove: () => as('console-users-write')('POST', `${testers}/${testerId}/delete`, { reason: 'left' }) }
    ]
    for (const { path, remove } of records) {
      const { body: { hold_id: id } } = await admin('POST', path, { ...WHY, reason: 'canary of a hold', ticket: 'T-1', matter: 'case-1' })
      t.match(await admin('POST', `${path}/${String(id)}/lift`, { reason: 'canary of its end' }), { status: 400 }, 'a word too')
      t.match(await admin('POST', `${path}/${String(id)}/lift`, WHY), { status: 400 }, 'and a text')
      t.equal((await admin('POST', `${path}/${String(id)}/lift`, { reason_code: 'over', reason: 'canary of its end' })).status, 200)
      const act = { actor: { type: 'principal', id: await ground.idOf('admin') }, source: null }
      const shown = (placed: string | null, lifted: string | null) => [{
        hold_id: id, matter: 'case-1', until: null, in_force: false,
        placed: { ...act, at: /Z$/, reason_code: 'test_case', ticket: 'T-1', reason: placed },
        lifted: { ...act, at: /Z$/, reason_code: 'over', ticket: null, reason: lifted }
      }]
      t.match((await admin('GET', path)).body, { stage: 'live', items: shown('canary of a hold', 'canary of its end') })
      t.equal((await remove()).status, 200)
      const gone = await admin('GET', path)
      t.match(gone.body, { stage: 'deleted', items: shown(null, null) })
      t.notMatch(gone.text, /canary/)
    }
  })

  await t.test('If-Match: a race is the caller\'s to settle', async (t) => {
    const userId = await account()
    const { headers } = await self(userId)
    const etag = { 'if-match': headers.get('etag') ?? '' }
    t.equal((await rename(userId, 'Matched', etag)).status, 200)
    t.equal((await rename(userId, 'Unmatched', etag)).body['code'], 'precondition_failed')
    t.equal((await sanction(userId, { code: 'login_block' }, etag)).body['code'], 'precondition_failed')
    t.equal((await ground.remove(userId, etag)).body['code'], 'precondition_failed')
    t.strictSame(await typesOf(userId), ['user.registered', 'user.profile_updated'])
    t.equal((await rename(await account(), 'Unmatched')).status, 200, 'a refused wish holds no name')
  })
})

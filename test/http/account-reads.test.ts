// What admins and downstream services read: pages by filters, the past, deleted records, the snapshot and the digest.
import { createHash } from 'node:crypto'
import t from 'tap'
import { testService, type Answer } from '../support/service.ts'
import { until } from '../support/until.ts'
import { actor, facts, items, replay, text, USERS, withRole, type Item } from './account-actor.ts'

const LIFECYCLE = '/api/v1/lobby/lifecycle'

t.test('the admin list: pages and every filter', async (t) => {
  const service = await testService(t)
  const { ok, get, ensure, named, sanction, remove, delete: drop, found } = actor(service)
  const ids: string[] = []
  for (let i = 0; i < 5; i++) ids.push(await ensure(`Person.${i}@Example.org`))
  const [a = '', b = '', c = '', d = '', e = ''] = ids
  const newest = ids.toReversed()

  t.strictSame(await found(''), newest, 'the newest first')
  t.strictSame(await found('direction=forwards'), ids)
  for (const direction of ['backwards', 'forwards']) {
    const seen: unknown[] = []
    let cursor = ''
    do {
      const page = await ok('GET', `${USERS}?direction=${direction}&limit=2${cursor}`)
      seen.push(...items(page).map((item) => item['user_id']))
      cursor = page.body['next_cursor'] === null ? '' : `&cursor=${text(page, 'next_cursor')}`
    } while (cursor !== '')
    t.strictSame(seen, direction === 'backwards' ? newest : ids, `in pages, ${direction}`)
  }

  await named(a, 'Grace.Hopper')
  t.strictSame(await found('email=%20person.1%40EXAMPLE.org'), [b], 'the exact address, however it is written')
  t.strictSame(await found('user_name=GRACE.hopper'), [a], 'the exact user name, however it is written')
  t.strictSame(await found('email=nobody%40example.org'), [])
  t.match(items(await ok('GET', `${USERS}?user_name=grace.hopper`))[0], { email: 'Person.0@Example.org', user_name: 'Grace.Hopper', erased: false, deleted_at: null })

  const soon = new Date(Date.now() + 700).toISOString()
  await sanction(a, 'login_block')
  await sanction(b, 'login_block', { expires_at: soon })
  await sanction(c, 'login_block', { starts_at: new Date(Date.now() + 3_600_000).toISOString() })
  const lifted = await sanction(d, 'login_block')
  await remove(d, lifted)
  await sanction(e, 'game_join_block', { scope: 'game:7' })
  await sanction(e, 'game_join_block', { scope: 'game:8' })
  t.ok((await found('sanction=login_block')).includes(a))
  await until(async () => (await found('sanction=login_block')).length === 1)
  t.strictSame(await found('sanction=login_block'), [a], 'not the one that ran out by the clock, nor the one to come, nor the one that was removed')
  t.strictSame(await found('sanction=game_join_block'), [e], 'once, though two of them stand')
  t.strictSame(items(await ok('GET', `${USERS}?email=person.2@example.org`)).map((item) => (item['sanctions'] as Item[]).map(({ code, state }) => [code, state])), [[['login_block', 'scheduled']]])

  await ok('POST', `${USERS}/${a}/limits`, { code: 'max_registered_race_names', value: 5, reason_code: 'gift' })
  await ok('POST', `${USERS}/${b}/limits`, { code: 'max_registered_race_names', value: 7, reason_code: 'gift' })
  await ok('POST', `${USERS}/${c}/limits`, { code: 'max_registered_race_names', value: 5, reason_code: 'gift' })
  await ok('POST', `${USERS}/${c}/limits/max_registered_race_names/remove`, { reason_code: 'gift' })
  t.strictSame((await found('limit_code=max_registered_race_names')).toSorted(), [a, b].toSorted())
  t.strictSame(await found('limit_code=max_registered_race_names&limit_value=7'), [b])
  t.strictSame(await found('limit_code=max_owned_private_games'), [], 'a default is not set')
  t.match(items(await ok('GET', `${USERS}?limit_code=max_registered_race_names&limit_value=5`))[0], { user_id: a, limits: { max_registered_race_names: 5 } })
  await ok('POST', `${USERS}/${d}/tariff`, { code: 'gold', reason_code: 'gift' })
  t.strictSame(await found('tariff=gold'), [d])
  t.strictSame(await found('tariff=gold&sanction=login_block'), [], 'filters join')
  t.strictSame(await found('sanction=login_block&limit_code=max_registered_race_names&limit_value=5'), [a])
  const created = String(items(await ok('GET', `${USERS}?email=person.2@example.org`))[0]?.['created_at'])
  t.strictSame(await found(`created_from=${created}&direction=forwards`), [c, d, e])
  t.strictSame(await found(`created_to=${created}&direction=forwards`), [a, b])
  for (const query of ['limit_value=5', 'sanction=unheard_of', 'cursor=x', 'created_from=2026-02-30T00:00:00Z', 'reason=x', 'include_deleted=true', 'user_name=x', 'nothing=1']) {
    t.match(await get(`${USERS}?${query}`), { status: 400, body: { code: 'invalid_request' } }, query)
  }
  t.match(await get(`${USERS}?direction=sideways`), { body: { detail: /^The query does not have/, errors: [{ path: '/querystring/direction', message: /^must be one of: \w+, \w+$/ }] } }, 'the words there are, each once')

  await drop(b)
  t.notOk((await found('')).includes(b), 'deleted ones are left out')
  t.strictSame(await found('email=person.1@example.org'), [])
  const opening = 'include_deleted=true&reason=ticket%20of%20a%20person'
  t.match(await get(`${USERS}?${opening}`, await withRole(service, 'lobby-service')), { status: 403 })
  const before = (await facts(service, b)).length
  const support = await withRole(service, 'support')
  t.match(items(await get(`${USERS}?email=person.1@example.org&${opening}`, support)), [{ user_id: b, email: 'Person.1@Example.org', limits: { max_registered_race_names: 7 } }])
  const added = (await facts(service, b)).slice(before)
  t.match(added, [{ type: 'user.record_opened', metadata: { reason: { sealed: 'v1', subject: `user-${b}` } } }], 'what was shown was recorded')
  t.equal((await found(opening)).length, 5, 'the others are there as well')
  t.strictSame((await facts(service, a)).filter(({ type }) => type === 'user.record_opened'), [], 'and nothing was recorded of those that live')
})

t.test('one account: now, then, deleted, erased', async (t) => {
  const service = await testService(t)
  const { ok, get, ensure, named, sanction, remove, delete: drop, position } = actor(service)
  const before = position()
  const id = await ensure('ada@example.org')
  const other = await ensure('other@example.org')
  const path = `${USERS}/${id}`
  t.match((await get(path)).body, {
    user_id: id, email: 'ada@example.org', user_name: null, tester_id: null, stage: 'live', erased: false, sanctions: [], tariff: null, legal_holds: 0,
    eligibility: { can_login: { allowed: true } }, limits: { max_registered_race_names: { value: 1, set_at: null } }
  })
  await named(id, 'ada')
  const block = await sanction(id, 'permanent_block', { public_note: 'n' })
  const blockedAt = position()
  const blocked = await get(path)
  t.match(blocked.body, { sanctions: [{ sanction_id: block, code: 'permanent_block', state: 'active' }], user_name: 'ada', position: blockedAt, as_of: { position: blockedAt } }, 'a permanent block hides nothing from admins')
  t.match((blocked.body['eligibility'] as Item)['can_login'], { allowed: false, because: { sanction_id: block, code: 'permanent_block', revision: /^\d+$/ } })
  await remove(id, block)
  const lapsed = new Date(Date.now() + 300).toISOString()
  await sanction(id, 'login_block', { expires_at: lapsed })
  await ok('POST', `${path}/tariff`, { code: 'gold', reason_code: 'gift' })
  const history = await facts(service, id)
  const at = (type: string, nth = 0) => history.filter((fact) => fact.type === type)[nth] ?? { position: '', created: '' }

  await t.test('as of', async (t) => {
    const asked = async (asOf: string) => (await get(`${path}?as_of=${asOf}`)).body
    t.match(await asked(blockedAt), { as_of: { position: blockedAt }, sanctions: [{ code: 'permanent_block', state: 'active' }], tariff: null, stage: 'live' }, 'a position of the append, its last fact')
    const first = at('user.registered')
    t.match(await asked(first.position), { as_of: { position: first.position, at: first.created }, user_name: null, sanctions: [], revision: '0' })
    t.match(await asked(first.created), { as_of: { position: first.position, at: first.created }, user_name: null }, 'the time of its append includes it')
    const justBefore = new Date(Date.parse(first.created) - 1).toISOString()
    t.match(await asked(justBefore), { status: 404, code: 'subject_not_found' })
    if (before !== '0') t.match(await asked(before), { status: 404 })
    t.match(await asked((await facts(service, other))[0]?.position ?? ''), { as_of: { position: first.position } }, 'somebody else\'s position: the last fact before it')
    t.match(await asked('1'), { status: 400, code: 'invalid_request' }, 'a position that there is not')
    t.match(await asked(new Date(Date.now() + 60_000).toISOString()), { status: 400, code: 'invalid_request' }, 'the future is not known')
    t.match(await asked('2026-02-30T00:00:00Z'), { status: 400 })
    const applied = at('user.sanction_applied', 1)
    t.match((await asked(applied.position))['sanctions'], [{ code: 'login_block', state: 'active' }], 'judged by the clock of then')
    await until(() => Date.now() > Date.parse(lapsed))
    t.match((await asked(applied.position))['sanctions'], [{ code: 'login_block', state: 'active' }], 'and the same answer later')
    t.strictSame((await get(path)).body['sanctions'], [], 'now it has run out')
    for (const moment of [blockedAt, applied.position, applied.created]) {
      const lobby = await get(`/api/v1/lobby/users/${id}/eligibility?as_of=${moment}`)
      t.strictSame(lobby.body['eligibility'], (await asked(moment))['eligibility'], `the lobby is told the same as of ${moment}`)
    }
  })

  await t.test('the timeline', async (t) => {
    const types = history.map(({ type }) => type)
    const listed = (answer: Answer) => items(answer).map(({ type }) => type)
    t.strictSame(listed(await get(`${path}/timeline?direction=forwards`)), types)
    t.strictSame(listed(await get(`${path}/timeline`)), types.toReversed(), 'the newest first')
    const blockAt = types.indexOf('user.lifecycle.permanent_blocked')
    t.strictSame(listed(await get(`${path}/timeline?as_of=${blockedAt}`)), types.slice(0, blockAt + 1).toReversed())
    for (const [direction, expected] of [['forwards', types.slice(0, blockAt + 1)], ['backwards', types.slice(0, blockAt + 1).toReversed()]] as const) {
      const seen: unknown[] = []
      let cursor = ''
      do {
        const page = await get(`${path}/timeline?as_of=${blockedAt}&direction=${direction}&limit=2${cursor}`)
        seen.push(...listed(page))
        cursor = page.body['next_cursor'] === null ? '' : `&cursor=${text(page, 'next_cursor')}`
      } while (cursor !== '')
      t.strictSame(seen, expected, `in pages, ${direction}`)
    }
    t.match(items(await get(`${path}/timeline?as_of=${blockedAt}`))[1], { type: 'user.sanction_applied', reason_code: 'abuse', actor: { type: 'principal' }, position: /^\d+$/ })
    t.notMatch((await get(`${path}/timeline`)).text, /ada@|"ada"/, 'no personal data')
  })

  await t.test('deleted', async (t) => {
    await drop(id)
    const support = await withRole(service, 'support')
    const reason = 'include_deleted=true&reason=she%20asked&ticket=T-1'
    for (const tail of ['', '/timeline', `?as_of=${blockedAt}`, `/timeline?as_of=${blockedAt}`]) {
      t.match(await get(path + tail, support), { status: 404, body: { code: 'subject_not_found' } }, `GET …${tail}, also of a moment before`)
      const start = tail.includes('?') ? '&' : '?'
      t.match(await get(`${path}${tail}${start}include_deleted=true`, support), { status: 400, body: { code: 'invalid_request' } }, 'a reason is needed')
      const known = (await facts(service, id)).length
      t.equal((await get(`${path}${tail}${start}${reason}`, support)).status, 200)
      t.match((await facts(service, id)).slice(known), [{ type: 'user.record_opened', metadata: { ticket: 'T-1', reason: { sealed: 'v1' } } }], 'each look is recorded')
    }
    t.match((await get(`${path}?${reason}`, support)).body, { email: 'ada@example.org', user_name: 'ada', tariff: { code: 'gold' }, stage: 'deleted', erased: false })
    const may = async (query: string) => Object.values((await get(`${path}?${query}${reason}`, support)).body['eligibility'] as Record<string, { allowed: boolean, because?: object }>)
    t.ok((await may('')).every(({ allowed, because }) => !allowed && because === undefined), 'nothing is allowed to a deleted account, by no sanction')
    t.match(await may(`as_of=${blockedAt}&`), [{ allowed: false, because: { code: 'permanent_block' } }], 'then it was the block')
    t.match((await get(`${path}?as_of=${blockedAt}&${reason}`, support)).body, { tariff: null, stage: 'deleted', deleted_at: null, sanctions: [{ code: 'permanent_block' }] })
    t.equal((await fetch(`${service.url}${path}?${reason}`, { method: 'HEAD', headers: support })).status, 405, 'nothing is opened for a HEAD')
    t.match(await get(`${path}?${reason}`, await withRole(service, 'auditor')), { status: 403 })
    const known = (await facts(service, other)).length
    t.equal((await get(`${USERS}/${other}?${reason}`, support)).status, 200)
    t.equal((await facts(service, other)).length, known, 'a live account needs no fact')
  })
})

t.test('erased: the record stands, the person is gone', async (t) => {
  const service = await testService(t, { env: { CHANCERY_PURGE_AFTER_DAYS: '0' } })
  const { get, ensure, delete: drop } = actor(service)
  const id = await ensure('gone@example.org')
  await drop(id)
  await until(async () => (await facts(service, id)).some(({ type }) => type === 'account.purged'), 20_000)
  const reason = 'include_deleted=true&reason=audit'
  const known = (await facts(service, id)).length
  t.match((await get(`${USERS}/${id}?${reason}`)).body, { email: null, user_name: null, erased: true, stage: 'purged', purged_at: /^2/ })
  const position = (await facts(service, id)).at(-1)?.position ?? ''
  t.match(items(await get(`${USERS}?email=gone@example.org&${reason}&min_position=${position}`, {})), [{ user_id: id, email: null, erased: true }])
  t.match((await get(`${USERS}/${id}?as_of=${(await facts(service, id))[0]?.position}&${reason}`)).body, { email: null, erased: true }, 'nor as of a moment when it was readable')
  t.equal((await facts(service, id)).length, known, 'nothing is opened, so nothing is recorded')
  t.match(await get(`${USERS}/${id}`), { status: 404 })
})

t.test('the snapshot and the digest of the lifecycle', async (t) => {
  const service = await testService(t)
  const { ok, get, ensure, sanction, remove, delete: drop, position } = actor(service)
  const [a, b, c, d] = [await ensure('a@example.org'), await ensure('b@example.org'), await ensure('c@example.org'), await ensure('d@example.org')]
  const empty = await ok('GET', `${LIFECYCLE}/snapshot`)
  t.match(empty.body, { items: [], next_cursor: null, as_of: /^\d+$/ })
  t.match((await ok('GET', `${LIFECYCLE}/digest?from=0&to=${position()}`)).body, { count: 0, hash: '0'.repeat(64) }, 'nothing yet: h₀')

  const block = await sanction(a, 'permanent_block')
  const first = position()
  await drop(b)
  await remove(a, block)
  const lifted = position()
  await sanction(c, 'login_block')
  await sanction(c, 'permanent_block')
  await drop(c)
  const second = position()
  await sanction(a, 'permanent_block')
  await ensure('e@example.org')
  const shown = async (query: string) => items(await ok('GET', `${LIFECYCLE}/snapshot?${query}`)).map((item) => [item['user_id'], String(item['event_type']).split('.').at(-1), item['lifted']])
  const now = [[b, 'deleted', false], [c, 'deleted', false], [a, 'permanent_blocked', false]]
  t.strictSame(await shown(''), now, 'each user\'s last entry, oldest first')
  t.strictSame(await shown(`as_of=${first}`), [[a, 'permanent_blocked', false]])
  t.strictSame(await shown(`as_of=${lifted}`), [[a, 'permanent_blocked', true], [b, 'deleted', false]], 'a lifted block is listed as such')
  t.strictSame(await shown(`as_of=${second}`), [[a, 'permanent_blocked', true], [b, 'deleted', false], [c, 'deleted', false]])
  const page = await ok('GET', `${LIFECYCLE}/snapshot?limit=1`)
  await drop(d)
  const rest = await shown(`limit=2&cursor=${text(page, 'next_cursor')}`)
  t.strictSame([...items(page).map(({ user_id: id }) => id), ...rest.map(([id]) => id)], now.map(([id]) => id), 'pages are of one moment, whatever happens meanwhile')
  t.match(await get(`${LIFECYCLE}/snapshot?as_of=${first}&cursor=${text(page, 'next_cursor')}`), { status: 400 })
  t.match(await get(`${LIFECYCLE}/snapshot?as_of=9000000000000000000`), { status: 503, body: { code: 'projection_behind' } })

  // The same from the log, as a consumer in another language would do it.
  const entries = (await replay(service)).filter(({ type }) => type.startsWith('user.lifecycle.'))
  t.equal(entries.length, 6)
  const digest = (from: bigint, to: bigint) => {
    let previous = '0'
    let hash: Buffer = Buffer.alloc(32)
    let count = 0
    for (const { id, type, position: at, data } of entries) {
      const fields: Record<string, unknown> = {
        actor_id: data['actorId'], actor_type: data['actorType'], entry_id: `${at}-${at}`, event_id: id, event_type: type, occurred_at_ms: String(data['occurredAtMs']),
        previous_position: previous, reason_code: data['reasonCode'], schema_version: '1', source: data['source'], stream: 'user:lifecycle_events', user_id: data['userId']
      }
      previous = at
      if (BigInt(at) <= from || BigInt(at) > to) continue
      hash = createHash('sha256').update(Buffer.concat([hash, Buffer.from(JSON.stringify(fields))])).digest()
      count++
    }
    return { count, hash: hash.toString('hex'), from: String(from), to: String(to) }
  }
  const places = [0n, ...entries.map((entry) => BigInt(entry.position)), BigInt(position())]
  for (const [i, from] of places.entries()) {
    for (const to of places.slice(i)) {
      t.match((await ok('GET', `${LIFECYCLE}/digest?from=${from}&to=${to}`)).body, digest(from, to), `(${from}, ${to}]`)
    }
  }
  t.match(await get(`${LIFECYCLE}/digest?from=5&to=4`), { status: 400 })
  t.match(await get(`${LIFECYCLE}/digest?from=0&to=9000000000000000000`), { status: 503, body: { code: 'projection_behind' } })

  await service.stop()
  const later = await testService(t, { beside: service, env: { CHANCERY_LIFECYCLE_RETENTION_DAYS: '0.000000001' } })
  const last = entries.at(-1)?.position ?? ''
  t.match(await later.request('GET', `${LIFECYCLE}/digest?from=0&to=${last}`), {
    status: 410, body: { code: 'position_trimmed', snapshot: `${LIFECYCLE}/snapshot`, trimmed_to: last }
  })
  t.match(await later.request('GET', `${LIFECYCLE}/digest?from=${last}&to=${last}`), { status: 200, body: { count: 0 } })
  t.match(await later.request('GET', `${LIFECYCLE}/snapshot`), { status: 200 }, 'the snapshot answers as ever')
})

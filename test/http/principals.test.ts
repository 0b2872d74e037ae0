// Principals, roles and tokens over HTTP, on the whole service: what was taken away is refused on the next request.
import t, { type Test } from 'tap'
import { testService, type TestService } from '../support/service.ts'

const PATH = '/api/v1/principals'
type Body = Record<string, unknown>

/** A principal with these roles and one token, made over the API. */
const makeCaller = async (service: TestService, roles: string[]) => {
  const made = await service.request('POST', PATH, { name: 'Ada Canary', kind: 'operator', roles: roles.filter((role) => role !== 'superadmin') })
  const id = made.body['principal_id'] as string
  if (roles.includes('superadmin')) await service.request('PUT', `${PATH}/${id}/roles/superadmin`, {})
  const issued = await service.request('POST', `${PATH}/${id}/tokens`, {})
  const token = issued.body['token'] as string
  return { id, token, tokenId: issued.body['token_id'] as string, bearer: { authorization: `Bearer ${token}` } }
}

const problem = (t: Test, answer: { status: number, body: Body }, status: number, code: string, message?: string) =>
  t.match(answer, { status, body: { status, code } }, message ?? code)

t.test('one service', async (t) => {
  const service = await testService(t)
  const request: TestService['request'] = (...call) => service.request(...call)

  await t.test('a principal and what it holds', async (t) => {
    const made = await request('POST', PATH, { name: 'Grace', kind: 'service', roles: ['accounts-service', 'operator'] })
    t.match(made, { status: 201, body: { position: /^\d+$/, revision: '2' } })
    t.equal(made.headers.get('etag'), '"2"')
    const url = `${PATH}/${String(made.body['principal_id'])}`
    t.match((await request('GET', url)).body, { kind: 'service', name: 'Grace', roles: ['accounts-service', 'operator'], usable_tokens: 0, revision: '2' })

    t.equal((await request('PUT', `${url}/roles/auditor`, {})).status, 200)
    const again = await request('PUT', `${url}/roles/auditor`, {})
    t.match(again, { status: 200, body: { revision: '3' } }, 'granting it again changes nothing')
    problem(t, await request('PUT', `${url}/roles/auditor`, {}, { 'if-match': '"2"' }), 412, 'precondition_failed')
    problem(t, await request('DELETE', `${url}/roles/superadmin`), 404, 'subject_not_found', 'a role that is not held')
    problem(t, await request('PUT', `${url}/roles/superadmin`, {}, { 'if-match': '"2"' }), 412, 'precondition_failed', 'the roster heeds If-Match as well')
    t.equal((await request('DELETE', `${url}/roles/operator`, undefined, { 'if-match': '"3"' })).status, 200)
    problem(t, await request('DELETE', `${url}/roles/operator`), 404, 'subject_not_found')
    problem(t, await request('PUT', `${url}/roles/emperor`, {}), 400, 'invalid_request')
    problem(t, await request('POST', PATH, { name: 'Grace', kind: 'service', roles: ['superadmin'] }), 400, 'invalid_request', 'superadmin is granted by itself')

    const position = (await request('GET', url)).headers.get('chancery-position') ?? ''
    const listed = (await request('GET', `${PATH}?min_position=${position}`)).body['items'] as Body[]
    t.match(listed.find((item) => item['principal_id'] === made.body['principal_id']), { name: 'Grace', kind: 'service', roles: ['accounts-service', 'auditor'] })
    const pages: Body[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Body = (await request('GET', `${PATH}?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`)).body
      pages.push(...page['items'] as Body[])
      cursor = page['next_cursor'] as string | null
    }
    t.strictSame(pages, listed, 'page by page it is the same list')
    const { bearer } = await makeCaller(service, ['auditor'])
    t.match((await request('GET', url, undefined, bearer)).body, { kind: 'service', name: null }, 'an auditor sees no names')
    const unnamed = (await request('GET', `${PATH}?min_position=${position}`, undefined, bearer)).body['items'] as Body[]
    t.ok(unnamed.length >= listed.length && unnamed.every(({ name }) => name === null), 'in the list neither')

    for (const unknown of ['', '/tokens']) problem(t, await request('GET', `${PATH}/00000000-0000-4000-8000-000000000000${unknown}`), 404, 'subject_not_found')
    problem(t, await request('POST', `${PATH}/00000000-0000-4000-8000-000000000000/tokens`, {}), 404, 'subject_not_found')
    problem(t, await request('PUT', `${PATH}/00000000-0000-4000-8000-000000000000/roles/superadmin`, {}), 404, 'subject_not_found')
  })

  await t.test('a token is shown once', async (t) => {
    const { id } = await makeCaller(service, ['auditor'])
    const make = (key: string, body: Body) => request('POST', `${PATH}/${id}/tokens`, body, { 'idempotency-key': key })
    const first = await make('make-1', { label: 'laptop', expires_at: '2099-01-01T00:00:00Z' })
    t.match(first, { status: 201, body: { token: /^chy_[0-9a-f-]{36}\.[0-9a-f-]{36}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/, expires_at: '2099-01-01T00:00:00.000Z' } })
    const again = await make('make-1', { expires_at: '2099-01-01T00:00:00Z', label: 'laptop' })
    const { token: _, ...rest } = first.body
    t.strictSame(again.body, { ...rest, token_withheld: true }, 'the same answer without the token')
    problem(t, await make('make-1', { label: 'phone' }), 422, 'idempotency_key_reused')
    problem(t, await make('make-2', { expires_at: '2020-01-01T00:00:00Z' }), 400, 'invalid_request', 'an expiry in the past')
    problem(t, await make('make-3', { expires_at: '2099-02-30T00:00:00Z' }), 400, 'invalid_request', 'no such day')
    problem(t, await request('POST', `${PATH}/${id}/tokens`, {}, { 'if-match': '"0"' }), 412, 'precondition_failed')
    problem(t, await request('DELETE', `${PATH}/${id}/tokens/${String(first.body['token_id'])}`, undefined, { 'if-match': '"0"' }), 412, 'precondition_failed')
    const list = await request('GET', `${PATH}/${id}/tokens`)
    t.match(list.body, { items: [{ usable: true }, { label: 'laptop', expires_at: '2099-01-01T00:00:00.000Z', usable: true }] })
    t.notMatch(list.text, /chy_|sha256/, 'never shown again')
  })

  await t.test('a token that was touched is refused', async (t) => {
    const { token, bearer } = await makeCaller(service, ['auditor'])
    const other = await makeCaller(service, ['operator'])
    t.equal((await request('GET', '/api/v1/me', undefined, bearer)).status, 200)
    const [head = '', secret = '', sum = ''] = token.split(/_(?=[0-9A-Za-z]+(?:_|$))/).slice(-3)
    t.equal(`${head}_${secret}_${sum}`, token)
    const [otherHead = '', otherSecret = '', otherSum = ''] = other.token.split(/_(?=[0-9A-Za-z]+(?:_|$))/).slice(-3)
    const mutations = [
      '', 'x', token.slice(0, -1), token.slice(1), `${token}x`, `${token}_`, token.toUpperCase(), token.replace('chy_', 'CHY_'), encodeURIComponent(token).replace('_', '%5F'),
      Buffer.from(token).toString('base64'), Buffer.from(token).toString('base64url'), Buffer.from(token).toString('hex'),
      `${head}_${otherSecret}_${sum}`, `${head}_${otherSecret}_${otherSum}`, `${otherHead}_${secret}_${sum}`, `${head}_${secret}_${otherSum}`,
      `${head.split('.')[0]}.${otherHead.split('.')[1]}_${secret}_${sum}`, `${head}_${secret}`, `${head}__${sum}`, `${head}_${secret}_${sum}_${sum}`,
      ...Array.from({ length: token.length }, (_, at) => `${token.slice(0, at)}${token[at] === '1' ? '2' : '1'}${token.slice(at + 1)}`),
      ...Array.from({ length: token.length }, (_, at) => token.slice(0, at) + token.slice(at + 1)),
      ...Array.from({ length: secret.length - 1 }, (_, at) => `${head}_${secret.slice(0, at)}${secret[at + 1] ?? ''}${secret[at] ?? ''}${secret.slice(at + 2)}_${sum}`)
    ].filter((mutation) => mutation !== token)
    const answers = await Promise.all(mutations.map((mutation) => request('GET', '/api/v1/me', undefined, { authorization: `Bearer ${mutation}` })))
    t.strictSame(answers.filter(({ status }) => status !== 401).map((_, at) => mutations[at]), [], `${mutations.length} mutations`)
    t.equal(new Set(answers.map(({ body }) => `${String(body['code'])} ${String(body['detail'])}`)).size, 1, 'and all look alike')
    for (const scheme of [`Basic ${token}`, token, `Bearer ${token} ${token}`, `Bearer, ${token}`]) {
      problem(t, await request('GET', '/api/v1/me', undefined, { authorization: scheme }), 401, 'unauthenticated', scheme.slice(0, 12))
    }
    const none = await request('GET', '/api/v1/me', undefined, { authorization: '' })
    problem(t, none, 401, 'unauthenticated')
    t.match(none.headers.get('www-authenticate'), /^Bearer/)
  })

  await t.test('the last superadmin stays', async (t) => {
    const me = (await request('GET', '/api/v1/me')).body
    const url = `${PATH}/${String(me['principal_id'])}`
    problem(t, await request('DELETE', `${url}/roles/superadmin`), 409, 'last_superadmin')
    problem(t, await request('DELETE', `${url}/tokens/${String(me['token_id'])}`), 409, 'last_superadmin')
    const heir = await makeCaller(service, [])
    t.equal((await request('PUT', `${PATH}/${heir.id}/roles/superadmin`, {})).status, 200)
    t.match((await request('GET', '/api/v1/me', undefined, heir.bearer)).body, { roles: ['superadmin'] })
    problem(t, await request('DELETE', `${PATH}/${heir.id}/tokens/00000000-0000-4000-8000-000000000000`), 404, 'subject_not_found')

    // Two at once: each is free to go, both are not.
    const both = await Promise.all([
      request('DELETE', `${url}/roles/superadmin`, undefined, heir.bearer),
      request('DELETE', `${PATH}/${heir.id}/roles/superadmin`)
    ])
    t.equal(both.filter(({ status }) => status === 200).length, 1, both.map(({ status, body }) => `${status} ${String(body['code'])}`).join(', '))
    const left = both[0]?.status === 200 ? heir.bearer : {}
    if (both[0]?.status === 200) await request('PUT', `${url}/roles/superadmin`, {}, heir.bearer)
    t.match((await request('GET', '/api/v1/me', undefined, left)).body, { roles: ['superadmin'] })
    await request('PUT', `${PATH}/${heir.id}/roles/superadmin`, {})
    t.equal((await request('DELETE', `${PATH}/${heir.id}/tokens/${heir.tokenId}`)).status, 200, 'a token goes while another stays')
    problem(t, await request('GET', '/api/v1/me', undefined, heir.bearer), 401, 'unauthenticated')
    problem(t, await request('DELETE', `${url}/roles/superadmin`), 409, 'last_superadmin', 'a superadmin without a token is nobody')
  })

  await t.test('that a right was lacking is a fact, once a minute', async (t) => {
    const { id, bearer } = await makeCaller(service, ['console-users-read'])
    for (let i = 0; i < 5; i++) problem(t, await request('POST', PATH, { name: 'x', kind: 'operator' }, bearer), 403, 'forbidden')
    for (let i = 0; i < 5; i++) problem(t, await request('GET', `${PATH}/${id}`, undefined, bearer), 403, 'forbidden')
    const facts = (await request('GET', `/api/v1/audit/replay?stream=refusal-${id}`)).text.trim().split('\n').map((line) => JSON.parse(line) as { type: string, data: Body })
    t.match(facts, [
      { type: 'access.refused', data: { permission: 'principals.write', route: 'POST /api/v1/principals' } },
      { type: 'access.refused', data: { permission: 'principals.read', route: 'GET /api/v1/principals/:principal_id' } }
    ])
    t.equal(facts.length, 2)
  })
})

t.test('what was taken away is refused on the next request, in another process, with the projectors stopped', async (t) => {
  const env = { CHANCERY_API_PROCESSES: 'many', CHANCERY_ROLES: 'api' }
  const here = await testService(t, { env })
  const there = await testService(t, { beside: here })
  for (let round = 0; round < 8; round++) {
    const { id, tokenId, bearer } = await makeCaller(here, ['auditor', 'operator'])
    const open = () => there.request('GET', `${PATH}/${id}`, undefined, bearer)
    t.equal((await open()).status, 200, 'warm in the other process')
    t.equal((await here.request('DELETE', `${PATH}/${id}/roles/auditor`)).status, 200)
    problem(t, await open(), 403, 'forbidden')
    t.equal((await here.request('PUT', `${PATH}/${id}/roles/superadmin`, {})).status, 200)
    t.equal((await open()).status, 200, 'and what was given, works')
    t.equal((await here.request('DELETE', `${PATH}/${id}/roles/superadmin`)).status, 200)
    problem(t, await open(), 403, 'forbidden')
    t.equal((await there.request('DELETE', `${PATH}/${id}/tokens/${tokenId}`)).status, 200)
    problem(t, await here.request('GET', '/api/v1/me', undefined, bearer), 401, 'unauthenticated')
    problem(t, await there.request('GET', '/api/v1/me', undefined, bearer), 401, 'unauthenticated')
  }
})

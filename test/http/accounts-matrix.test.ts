// One table: surface × state of the account × verb → status, code or outcome, and what was appended, to whatever stream.
import t from 'tap'
import type { Log } from '../../infra/eventstore/index.ts'
import { uuidIds } from '../../infra/ids.ts'
import { accountsOn, callersOf, logOf, WHY } from '../support/accounts.ts'
import { testService, type Answer } from '../support/service.ts'
import { until } from '../support/until.ts'

const states = ['absent', 'active', 'sanctioned', 'blocked', 'deleted', 'erased', 'reset'] as const
type State = (typeof states)[number]

/** An account in a state, with one of each thing that can be asked about. */
interface Case { userId: string, email: string, sanctionId: string, holdId: string, event: { id: string, position: string } }

interface Row {
  name: string
  as: 'auth-service' | 'gateway-service' | 'admin' | 'support' | 'lobby-service' | 'admin-service' | 'accounts-service'
  ask: (of: Case) => [method: string, path: string, body?: object]
  /** What to show of a 200's body beside the status. */
  shows?: (body: Answer['body'], of: Case) => string
  /** Per state: `status code|outcome > facts appended`. */
  expect: Record<State, string>
}

const admin = ({ userId }: Case, rest = '') => `/api/v1/admin/users/${userId}${rest}`
const self = ({ userId }: Case, rest = '') => `/api/v1/self/${userId}${rest}`
const outcome = (body: Answer['body'], { userId }: Case) => [body['outcome'], body['reason_code'], 'user_id' in body ? (body['user_id'] === userId ? 'same id' : 'another id') : undefined].filter(Boolean).join(' ')
const items = (body: Answer['body']) => `${(body['items'] as unknown[]).length} items`

const NONE = '404 subject_not_found'
const BLOCKED = '409 conflict permanent_block'

/** A row whose answer is the same in every state that finds the account. */
const found = (answer: string): Record<State, string> => ({ absent: NONE, active: answer, sanctioned: answer, blocked: answer, deleted: NONE, erased: NONE, reset: NONE })

const rows: Row[] = [
  // auth
  {
    name: 'resolve', as: 'auth-service', ask: ({ email }) => ['POST', '/api/v1/auth/resolve-by-email', { email }], shows: outcome,
    expect: { absent: '200 creatable', active: '200 existing same id', sanctioned: '200 blocked login_block', blocked: '200 blocked permanent_block', deleted: '200 blocked account_deleted', erased: '200 blocked account_deleted', reset: '200 creatable' }
  },
  {
    name: 'ensure', as: 'auth-service', ask: ({ email }) => ['POST', '/api/v1/auth/ensure-by-email', { email }], shows: outcome,
    expect: { absent: '200 created another id > email.claimed user.registered', active: '200 existing same id', sanctioned: '200 blocked login_block', blocked: '200 blocked permanent_block', deleted: '200 blocked account_deleted', erased: '200 blocked account_deleted', reset: '200 created another id > email.claimed user.registered' }
  },
  // self-service
  { name: 'self: read', as: 'gateway-service', ask: (of) => ['GET', self(of)], expect: { ...found('200'), blocked: BLOCKED } },
  { name: 'self: history', as: 'gateway-service', ask: (of) => ['GET', self(of, '/history')], expect: { ...found('200'), blocked: BLOCKED } },
  {
    name: 'self: settings', as: 'gateway-service', ask: (of) => ['PATCH', self(of), { settings: { preferred_language: 'fr' } }],
    expect: { ...found('200 > user.settings_updated'), sanctioned: '409 conflict profile_update_block', blocked: BLOCKED }
  },
  {
    name: 'self: user name', as: 'gateway-service', ask: (of) => ['PATCH', self(of), { profile: { user_name: `m-${of.userId.slice(0, 8)}` } }],
    expect: { ...found('200 > user_name.claimed user.profile_updated'), sanctioned: '409 conflict profile_update_block', blocked: BLOCKED }
  },
  {
    name: 'self: both', as: 'gateway-service', ask: (of) => ['PATCH', self(of), { profile: { display_name: 'Shown' }, settings: { time_zone: 'Europe/Paris' } }],
    expect: { ...found('200 > user.profile_updated user.settings_updated'), sanctioned: '409 conflict profile_update_block', blocked: BLOCKED }
  },
  // admin
  { name: 'admin: read', as: 'admin', ask: (of) => ['GET', admin(of)], expect: found('200') },
  { name: 'admin: timeline', as: 'admin', ask: (of) => ['GET', admin(of, '/timeline')], expect: found('200') },
  {
    name: 'admin: read, deleted included', as: 'support', ask: (of) => ['GET', admin(of, '?include_deleted=true&reason=asked')], shows: (body) => body['erased'] === true ? 'erased' : '',
    expect: { ...found('200'), deleted: '200 > user.record_opened', erased: '200 erased' }
  },
  { name: 'admin: timeline, deleted included', as: 'support', ask: (of) => ['GET', admin(of, '/timeline?include_deleted=true&reason=asked')], expect: { ...found('200'), deleted: '200 > user.record_opened', erased: '200' } },
  {
    name: 'admin: list by e-mail', as: 'admin', ask: ({ email }) => ['GET', `/api/v1/admin/users?email=${encodeURIComponent(email)}`], shows: items,
    expect: { absent: '200 0 items', active: '200 1 items', sanctioned: '200 1 items', blocked: '200 1 items', deleted: '200 0 items', erased: '200 0 items', reset: '200 0 items' }
  },
  { name: 'admin: sanctions', as: 'support', ask: (of) => ['GET', admin(of, '/sanctions')], expect: found('200') },
  {
    name: 'admin: apply a login block', as: 'admin', ask: (of) => ['POST', admin(of, '/sanctions'), { ...WHY, code: 'login_block' }],
    expect: { ...found('201 > user.sanction_applied'), sanctioned: '409 conflict' }
  },
  {
    name: 'admin: apply a permanent block', as: 'admin', ask: (of) => ['POST', admin(of, '/sanctions'), { ...WHY, code: 'permanent_block' }],
    expect: { ...found('201 > user.sanction_applied user.lifecycle.permanent_blocked'), blocked: '409 conflict' }
  },
  {
    name: 'admin: apply what there is not', as: 'admin', ask: (of) => ['POST', admin(of, '/sanctions'), { ...WHY, code: 'permanent_block', expires_at: '2099-01-01T00:00:00Z' }],
    expect: found('422 sanction_invalid')
  },
  { name: 'admin: remove a sanction', as: 'admin', ask: (of) => ['POST', admin(of, `/sanctions/${of.sanctionId}/remove`), WHY], expect: found('200 > user.sanction_removed') },
  { name: 'admin: limits', as: 'support', ask: (of) => ['GET', admin(of, '/limits')], expect: found('200') },
  { name: 'admin: set a limit', as: 'admin', ask: (of) => ['POST', admin(of, '/limits'), { ...WHY, code: 'max_registered_race_names', value: 7 }], expect: found('200 > user.limit_set') },
  { name: 'admin: remove a limit', as: 'admin', ask: (of) => ['POST', admin(of, '/limits/max_owned_private_games/remove'), WHY], expect: found('200 > user.limit_removed') },
  { name: 'admin: tariff', as: 'admin', ask: (of) => ['POST', admin(of, '/tariff'), { ...WHY, code: 'gold' }], expect: found('200 > user.tariff_set') },
  // What stays open after a deletion (decision 29).
  { name: 'admin: deletion', as: 'support', ask: (of) => ['GET', admin(of, '/deletion')], shows: (body) => String(body['stage']), expect: { ...found('200 live'), deleted: '200 deleted', erased: '200 purged' } },
  { name: 'admin: holds', as: 'support', ask: (of) => ['GET', admin(of, '/legal-holds')], shows: (body) => String(body['stage']), expect: { ...found('200 live'), deleted: '200 deleted', erased: '200 purged' } },
  {
    name: 'admin: place a hold', as: 'admin', ask: (of) => ['POST', admin(of, '/legal-holds'), { ...WHY, reason: 'asked', matter: 'case-2' }],
    expect: { ...found('201 > user.legal_hold_placed'), deleted: '201 > user.legal_hold_placed', erased: '409 conflict' }
  },
  {
    name: 'admin: lift a hold', as: 'admin', ask: (of) => ['POST', admin(of, `/legal-holds/${of.holdId}/lift`), { ...WHY, reason: 'over' }],
    expect: { ...found('200 > user.legal_hold_lifted'), deleted: '200 > user.legal_hold_lifted', erased: '409 conflict' }
  },
  // lobby
  {
    name: 'lobby: eligibility', as: 'lobby-service', ask: ({ userId }) => ['GET', `/api/v1/lobby/users/${userId}/eligibility`],
    shows: (body) => Object.values(body['eligibility'] as Record<string, { allowed: boolean }>).filter(({ allowed }) => allowed).length + ' markers',
    expect: { ...found('200 5 markers'), sanctioned: '200 3 markers', blocked: '200 0 markers' }
  },
  {
    name: 'lobby: snapshot', as: 'lobby-service', ask: () => ['GET', '/api/v1/lobby/lifecycle/snapshot?limit=1000'],
    shows: (body, { userId }) => (body['items'] as Array<Record<string, unknown>>).filter((item) => item['user_id'] === userId).map((item) => String(item['event_type'])).join(' '),
    expect: {
      absent: '200', active: '200', sanctioned: '200', blocked: '200 user.lifecycle.permanent_blocked', deleted: '200 user.lifecycle.deleted', erased: '200 user.lifecycle.deleted', reset: '200'
    }
  },
  {
    name: 'lobby: receipt', as: 'lobby-service',
    ask: ({ userId, event }) => ['POST', '/api/v1/lobby/receipts', { consumer: 'matrix', event_id: event.id, position: event.position, user_id: userId, outcome: 'released', items: 1, digest: 'a'.repeat(64) }],
    expect: { absent: NONE, active: NONE, sanctioned: NONE, blocked: '200 > cascade.acknowledged', deleted: '200 > cascade.acknowledged', erased: '200 > cascade.acknowledged', reset: NONE }
  },
  // A ghost reset asks about the accounts of testers: to it, too, a deleted one is none.
  {
    name: 'accounts side: ghost-check', as: 'accounts-service', shows: (body) => String(body['state']),
    ask: ({ userId }) => ['POST', '/api/internal/users/ghost-check', { tester_id: uuidIds.next(), user_id: userId, link_opened_at: '2026-01-01T00:00:00Z' }],
    expect: { ...found('409 account_not_a_shell'), absent: '200 ghost_no_users_row', reset: '200 ghost_no_users_row' }
  },
  // trusted
  {
    name: 'trusted: delete', as: 'admin-service', ask: ({ userId }) => ['POST', `/api/v1/internal/users/${userId}/delete`, WHY],
    expect: found('200 > user.deleted user.lifecycle.deleted')
  }
]

t.setTimeout(120_000)
t.test('surface × state × verb', { timeout: 120_000 }, async (t) => {
  // Two processes on one log: what the first deletes waits for thirty days, what the second deletes is erased at once.
  const keeping = await testService(t, { env: { CHANCERY_ROLES: 'api', CHANCERY_API_PROCESSES: 'many' } })
  const service = await testService(t, { beside: keeping, env: { CHANCERY_ROLES: 'api,projector,reactor', CHANCERY_PURGE_AFTER_DAYS: '0' } })
  const log = await logOf(t, service)
  const ground = accountsOn(service, log)
  const { as, sanction, block, factsOf, typesOf } = ground
  const trusted = callersOf(keeping).as('admin-service')
  const applied = async (userId: string, body: object): Promise<string> => {
    const answer = await sanction(userId, body)
    if (answer.status !== 201) throw new Error(answer.text)
    return String(answer.body['sanction_id'])
  }
  t.equal((await as('lobby-service')('PUT', '/api/v1/lobby/consumers/matrix', { group: 'matrix', overdue_ms: 60_000 })).status, 200)

  /** The account of an enrolment that broke off: gone by a ghost reset. */
  const endedByReset = async (email: string): Promise<string> => {
    const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
    const testers = '/api/v1/console/beta/testers'
    const { body: { position } } = await service.request('POST', `${testers}/import`, { rows: [{ email, invited_at: ago(90), token_consumed_at: ago(61), user_created_at: ago(60) }] })
    const { body } = await service.request('GET', `${testers}?email=${email}&min_position=${String(position)}`)
    const [tester] = body['items'] as Array<{ tester_id: string, link: { user_id: string } }>
    const reset = await service.request('POST', `${testers}/${tester?.tester_id ?? ''}/ghost-reset`, { reason: 'broke off' })
    if (tester === undefined || reset.status !== 200) throw new Error(reset.text)
    return tester.link.user_id
  }
  const make = async (row: Row, state: State): Promise<Case> => {
    const email = `${state}-${rows.indexOf(row)}@example.com`
    const none = { id: uuidIds.next(), position: '1' }
    if (state === 'absent') return { userId: uuidIds.derive('nobody', email), email, sanctionId: uuidIds.next(), holdId: uuidIds.next(), event: none }
    const userId = state === 'reset' ? await endedByReset(email) : await ground.account(email)
    if (state === 'reset') return { userId, email, sanctionId: uuidIds.next(), holdId: uuidIds.next(), event: none }
    const sanctionId = await applied(userId, { code: 'game_join_block', scope: 'game:9' })
    await as('admin')('POST', admin({ userId } as Case, '/limits'), { ...WHY, code: 'max_owned_private_games', value: 2 })
    if (state === 'sanctioned') await Promise.all([applied(userId, { code: 'login_block' }), applied(userId, { code: 'profile_update_block' })])
    if (state === 'blocked') await block(userId)
    let holdId = uuidIds.next()
    if (row.name === 'admin: lift a hold') {
      const { body } = await as('admin')('POST', admin({ userId } as Case, '/legal-holds'), { ...WHY, reason: 'asked', matter: 'case-1' })
      holdId = String(body['hold_id'])
    }
    if (state === 'deleted') await trusted('POST', `/api/v1/internal/users/${userId}/delete`, WHY)
    if (state === 'erased') await ground.remove(userId)
    const last = (await factsOf(`user-${userId}`)).findLast(({ type }) => type.startsWith('user.lifecycle.'))
    return { userId, email, sanctionId, holdId, event: last === undefined ? none : { id: last.id, position: String(last.position) } }
  }

  // What appends nothing shares one account a state; whatever it did to it all the same would show in the next cell.
  const shared = new Map(await Promise.all(states.map(async (state) => [state, await make(rows[0] as Row, state)] as const)))
  const cases = new Map<string, Case>()
  await Promise.all(rows.map(async (row) => {
    for (const state of states) {
      const own = state === 'absent' || row.expect[state].includes('>')
      cases.set(`${row.name} ${state}`, (own ? undefined : shared.get(state)) ?? await make(row, state))
    }
  }))
  const erased = shared.get('erased')?.userId ?? ''
  await until(async () => (await typesOf(erased)).includes('account.purged'), 30_000)
  const { position } = await log.last() ?? { position: 0n }

  await Promise.all([...new Set(rows.map((row) => row.as))].map((role) => ground.idOf(role)))

  for (const row of rows) {
    const answered: Record<string, string> = {}
    for (const state of states) {
      const of = cases.get(`${row.name} ${state}`)
      if (of === undefined) throw new Error('no case')
      const [method, path, body] = row.ask(of)
      const before = await log.last()
      const answer = await as(row.as)(method, path, body, { 'chancery-position': String(position) })
      const appended = await typesAfter(log, before?.position ?? 0n)
      const shown = answer.status < 300 ? row.shows?.(answer.body, of) ?? '' : [answer.body['code'], answer.body['reason']].filter(Boolean).join(' ')
      answered[state] = [String(answer.status), shown, ...appended.length > 0 ? ['>', ...appended] : []].filter((word) => word !== '').join(' ')
    }
    t.strictSame(answered, row.expect, row.name)
  }
})

/** What erasures and mails append in the background is no surface's doing. */
const BACKGROUND = /^(user\.erasure_started|account\.purged|mail\.)/

const typesAfter = async (log: Log, position: bigint): Promise<string[]> => {
  const types: string[] = []
  for await (const event of log.readAll({ after: position })) if (!BACKGROUND.test(event.type)) types.push(event.type)
  return types
}

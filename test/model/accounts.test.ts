// 1,000 persons' worth of random requests to the account surfaces: every answer is as a simple model says.
import { randomInt, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { testService, type Answer } from '../support/service.ts'
import { active, fold, mayDo, newPerson, present, profileRefusal, sanctionCodes, sanctionRefusal, standing, type Person, type World } from './accounts.ts'

const LANES = 4
const WORLDS_PER_LANE = 50
const PERSONS = 5
const NOBODY = '00000000-0000-7000-8000-000000000000'

const who = fc.nat(PERSONS - 1)
const name = fc.constantFrom('Nova', 'nova', 'Orion', 'Vega', 'VEGA', 'Lyra')
const code = fc.constantFrom(...sanctionCodes)
const scope = fc.constantFrom('platform', 'platform', 'game:one', 'game:two')
const limit = fc.constantFrom('max_registered_race_names', 'max_active_game_memberships')

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ensure' as const), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('resolve' as const), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('look' as const), who }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('update' as const), who, userName: fc.option(name, { nil: undefined }),
      displayName: fc.option(fc.constantFrom('Ada', 'Grace', null), { nil: undefined }), language: fc.option(fc.constantFrom('en', 'de-DE'), { nil: undefined })
    })
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('sanction' as const), who, code, scope, expires: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('lift' as const), who, which: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('limit' as const), who, limit, value: fc.constantFrom(0, 5, undefined) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tariff' as const), who, tariff: fc.constantFrom('free', 'yearly') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('eligibility' as const), who, game: fc.constantFrom(undefined, 'one', 'three') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('find' as const), who, name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), who }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('repeat' as const), which: fc.nat(30) }) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

const service = await testService(t)
const equal = (what: string, found: unknown, wanted: unknown): void => {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)]
  if (one !== other) throw new Error(`${what}: ${one} and not ${other}`)
}

/** Walks one world, step by step. Throws at the first answer that differs from the model's. */
const walk = async (steps: readonly Step[]): Promise<void> => {
  const tag = randomUUID().slice(0, 8)
  const world: World = { persons: Array.from({ length: PERSONS }, (_, n) => newPerson(`p${n}.${tag}@example.org`)), names: new Map() }
  /** Requests that recorded something, with their answers. */
  const recorded: Array<{ send: () => Promise<Answer>, answer: Answer }> = []
  let position = '0'

  const write = async (method: string, path: string, body: object, records: (answer: Answer) => boolean = () => true): Promise<Answer> => {
    const headers = { 'idempotency-key': randomUUID() }
    const send = () => service.request(method, path, body, headers)
    const answer = await send()
    if (answer.status < 300) {
      position = String(answer.body['position'])
      if (records(answer)) recorded.push({ send, answer })
    }
    return answer
  }
  const refused = (what: string, { status, body }: Answer, wanted: [number, string]) => equal(what, [status, body['code']], wanted)
  const gone = (what: string, answer: Answer) => refused(what, answer, [404, 'subject_not_found'])
  const own = (text: string) => `${text}-${tag}`
  const admin = ({ id = NOBODY }: Person) => `/api/v1/admin/users/${id}`
  const why = { reason_code: 'model' }

  const take = async (step: Exclude<Step, { kind: 'repeat' }>, person: Person): Promise<void> => {
    const what = JSON.stringify(step)
    const { id = NOBODY } = person
    switch (step.kind) {
      case 'resolve': {
        const { status, body } = await service.request('POST', '/api/v1/auth/resolve-by-email', { email: person.email.toUpperCase() })
        const { outcome, user_id: userId, reason_code: reasonCode } = standing(person)
        return equal(what, [status, body['outcome'], body['user_id'], body['reason_code']], [200, outcome, userId, reasonCode])
      }
      case 'ensure': {
        const wanted = standing(person)
        const { status, body } = await write('POST', '/api/v1/auth/ensure-by-email', { email: ` ${person.email}` }, ({ body }) => body['outcome'] === 'created')
        if (wanted.outcome !== 'creatable') return equal(what, [status, body['outcome'], body['user_id'], body['reason_code']], [200, wanted.outcome, wanted.user_id, wanted.reason_code])
        person.id = String(body['user_id'])
        return equal(what, [status, body['outcome']], [200, 'created'])
      }
      case 'look': {
        const answer = await service.request('GET', `/api/v1/self/${id}`)
        if (!present(person)) return gone(what, answer)
        if (active(person, 'permanent_block').length > 0) return refused(what, answer, [409, 'conflict'])
        const { profile, settings, tariff, sanctions } = answer.body as { profile: object, settings: object, tariff: { code: string } | null, sanctions: Array<{ sanction_id: string }> }
        return equal(what, { profile, settings, tariff: tariff?.code, sanctions: sanctions.map((sanction) => sanction.sanction_id) }, {
          profile: { user_name: person.userName ?? null, display_name: person.displayName ?? null },
          settings: { preferred_language: person.language ?? null, time_zone: person.zone ?? null },
          tariff: person.tariff,
          sanctions: active(person).map((sanction) => sanction.id)
        })
      }
      case 'update': return await update(step, person, what)
      case 'sanction': {
        const { code, scope, expires } = step
        const answer = await write('POST', `${admin(person)}/sanctions`, { code, scope, ...why, ...expires && { expires_at: '2099-01-01T00:00:00.000Z' } })
        if (!present(person)) return gone(what, answer)
        const refusal = sanctionRefusal(person, code, scope, expires)
        if (refusal !== undefined) return refused(what, answer, [refusal === 'conflict' ? 409 : 422, refusal])
        person.sanctions.push({ id: String(answer.body['sanction_id']), code, scope, removed: false })
        if (code === 'permanent_block') person.announced.push('user.lifecycle.permanent_blocked')
        return equal(what, answer.status, 201)
      }
      case 'lift': {
        const sanction = person.sanctions[step.which]
        const answer = await write('POST', `${admin(person)}/sanctions/${sanction?.id ?? NOBODY}/remove`, why)
        if (!present(person) || sanction === undefined || sanction.removed) return gone(what, answer)
        sanction.removed = true
        return equal(what, answer.status, 200)
      }
      case 'limit': {
        const { limit, value } = step
        const had = person.limits.get(limit)
        const answer = value === undefined
          ? await write('POST', `${admin(person)}/limits/${limit}/remove`, why)
          : await write('POST', `${admin(person)}/limits`, { code: limit, value, ...why }, () => had !== value)
        if (!present(person) || (value === undefined && had === undefined)) return gone(what, answer)
        if (value === undefined) person.limits.delete(limit)
        else person.limits.set(limit, value)
        return equal(what, answer.status, 200)
      }
      case 'tariff': {
        const { tariff } = step
        const answer = await write('POST', `${admin(person)}/tariff`, { code: tariff, ...why }, () => person.tariff !== tariff)
        if (!present(person)) return gone(what, answer)
        person.tariff = tariff
        return equal(what, [answer.status, answer.body['code']], [200, tariff])
      }
      case 'eligibility': {
        const answer = await service.request('GET', `/api/v1/lobby/users/${id}/eligibility${step.game === undefined ? '' : `?game_id=${step.game}`}`)
        if (!present(person)) return gone(what, answer)
        const { eligibility, limits } = answer.body as { eligibility: Record<string, { allowed: boolean }>, limits: Record<string, { value: number }> }
        const may = mayDo(person, step.game)
        equal(what, Object.fromEntries(Object.keys(may).map((marker) => [marker, eligibility[marker]?.allowed])), may)
        return equal(what, [...person.limits.keys()].map((limit) => limits[limit]?.value), [...person.limits.values()])
      }
      case 'find': {
        const answered = async (query: string) => {
          const { status, body } = await service.request('GET', `/api/v1/admin/users?${query}&min_position=${position}`)
          equal(what, status, 200)
          return (body['items'] as Array<{ user_id: string }>).map((item) => item.user_id)
        }
        const holder = world.names.get(fold(step.name))
        equal(what, await answered(`email=${encodeURIComponent(person.email)}`), present(person) ? [id] : [])
        return equal(what, await answered(`user_name=${own(step.name)}`), holder !== undefined && present(holder) ? [holder.id] : [])
      }
      case 'delete': {
        const answer = await write('POST', `/api/v1/internal/users/${id}/delete`, why)
        if (!present(person)) return gone(what, answer)
        person.deleted = true
        person.announced.push('user.lifecycle.deleted')
        return equal(what, answer.status, 200)
      }
    }
  }

  const update = async (step: Extract<Step, { kind: 'update' }>, person: Person, what: string): Promise<void> => {
    const { userName, displayName, language } = step
    const profile = { ...userName !== undefined && { user_name: own(userName) }, ...displayName !== undefined && { display_name: displayName } }
    const settings = { ...language !== undefined && { preferred_language: language } }
    const body = { ...Object.keys(profile).length > 0 && { profile }, ...Object.keys(settings).length > 0 && { settings } }
    if (Object.keys(body).length === 0) return
    const answer = await write('PATCH', `/api/v1/self/${person.id ?? NOBODY}`, body, ({ body }) => body['changed'] === true)
    if (!present(person)) return gone(what, answer)
    const against = profileRefusal(person)
    if (against !== undefined) return equal(what, [answer.status, answer.body['code'], answer.body['reason']], [409, 'conflict', against])
    const holder = userName === undefined ? undefined : world.names.get(fold(userName))
    if (holder !== undefined && holder !== person) return refused(what, answer, [409, 'user_name_taken'])
    const before = JSON.stringify([person.userName, person.displayName, person.language])
    if (userName !== undefined) {
      if (person.userName !== undefined) world.names.delete(fold(person.userName.slice(0, -tag.length - 1)))
      world.names.set(fold(userName), person)
      person.userName = own(userName)
    }
    if (displayName === null) delete person.displayName
    else if (displayName !== undefined) person.displayName = displayName
    if (language !== undefined) person.language = language
    equal(what, [answer.status, answer.body['changed']], [200, before !== JSON.stringify([person.userName, person.displayName, person.language])])
  }

  for (const step of steps) {
    if (step.kind !== 'repeat') await take(step, world.persons[step.who] as Person)
    else if (recorded.length > 0) {
      const { send, answer } = recorded[step.which % recorded.length] as (typeof recorded)[number]
      const again = await send()
      equal('the same Idempotency-Key gets the first answer', [again.status, again.body], [answer.status, answer.body])
    }
  }

  for (const person of world.persons) {
    if (person.id === undefined) continue
    const query = person.deleted ? '&include_deleted=true&reason=model' : ''
    const { body } = await service.request('GET', `${admin(person)}/timeline?direction=forwards&limit=1000${query}`)
    const types = (body['items'] as Array<{ type: string }>).map((item) => item.type)
    equal('the lifecycle facts, once each', types.filter((type) => type.startsWith('user.lifecycle.')), person.announced)
  }
}

t.test('every answer of the account surfaces is as the model says', { timeout: 200_000 }, async (t) => {
  const seed = randomInt(2 ** 31)
  t.comment(`seed ${seed}, ${LANES * WORLDS_PER_LANE * PERSONS} persons`)
  const lane = (n: number) => fc.assert(fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 24, size: 'max' }), walk), { seed: seed + n, numRuns: WORLDS_PER_LANE, endOnFailure: true })
  // All are waited for: the first failure must not take the service away from the others.
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, (_, n) => lane(n)))
  for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason
  t.pass('no answer differed')
})

// Enrolment over HTTP: what a person's browser meets, what a forger learns (nothing), and what the logs hold (nothing).
import { randomBytes, randomInt } from 'node:crypto'
import { Writable } from 'node:stream'
import fc from 'fast-check'
import pino from 'pino'
import t from 'tap'
import { uuidIds } from '../../infra/ids.ts'
import { createAuthenticator, type CreationOptions } from '../../src/cli/demo/authenticator.ts'
import { enrolPage } from '../../src/http/routes/enrol-page.ts'
import { enrolmentRoutes } from '../../src/http/routes/enrolment.ts'
import { testDoor } from '../support/door.ts'
import { enrolmentWorld, PUBLIC_URL, resetFact } from '../support/enrolment.ts'

const world = await enrolmentWorld(t)
const lines: string[] = []
const logger = pino({ level: 'trace' }, new Writable({ write: (line: Buffer, _, done) => { lines.push(line.toString()); done() } }))
const app = await testDoor(t, [enrolPage(), enrolmentRoutes(world.deps)], {
  logger, clock: world.clock, keys: world.keys,
  ids: uuidIds
})

let caller = 0
/** Each call from another address, so that only the test of the rate limit meets it. */
const post = async (step: string, body: unknown, headers: Record<string, string> = {}) => {
  caller++
  const answer = await app.inject({
    method: 'POST', url: `/api/v1/enrolment/${step}`, payload: JSON.stringify(body), remoteAddress: `10.0.${caller >> 8}.${caller & 255}`,
    headers: { 'content-type': 'application/json', 'user-agent': 'canary-browser', ...headers }
  })
  return { status: answer.statusCode, headers: answer.headers, body: answer.json<Record<string, unknown>>() }
}
const answerTo = (body: Record<string, unknown>) => createAuthenticator({ aaguid: Buffer.alloc(16) }).register(body['public_key'] as CreationOptions, PUBLIC_URL)

t.test('a person enrols', async (t) => {
  const { token, userId } = await world.invite('canary.person@example.com')
  const early = await post('options', { token })
  t.match(early, { status: 409, body: { code: 'link_not_used' } })
  const opened = await post('open', { token })
  t.match(opened, { status: 200, body: { opened_at: world.clock.at.toISOString(), revision: '3' }, headers: { etag: '"3"' } })
  t.equal(opened.headers['chancery-position'], opened.body['position'])
  const options = await post('options', { token })
  t.match(options, { status: 200, body: { user_id: userId, public_key: { rp: { id: 'localhost' }, attestation: 'none', authenticatorSelection: { userVerification: 'required' } } } })
  const response = answerTo(options.body)
  const key = { 'idempotency-key': 'verify-once' }
  const enrolled = await post('verify', { token, response }, key)
  t.match(enrolled, { status: 200, body: { user_id: userId, registered_at: world.clock.at.toISOString() } })
  t.same((await post('verify', { token, response }, key)).body, enrolled.body, 'the same request gets the same answer')
  t.match(await post('verify', { token, response: answerTo(options.body) }, key), { status: 422, body: { code: 'idempotency_key_reused' } })
  t.match(await post('verify', { token, response }), { status: 409, body: { code: 'account_healthy' } })
  t.match(await post('options', { token }), { status: 409, body: { code: 'account_healthy' } })

  const text = lines.join('')
  for (const secret of [token, token.split('.')[2] ?? '', (options.body['public_key'] as CreationOptions).challenge, 'canary']) {
    t.notOk(text.includes(secret), 'no log line holds link, challenge, address or browser')
  }
  t.notMatch(await world.stored(), /canary/, 'nor does the log of facts, in clear')
})

t.test('a link that is not ours looks the same whatever is wrong with it', async (t) => {
  const { token } = await world.invite()
  const stranger = await world.invite()
  const [tester = '', id = '', secret = ''] = token.split('.')
  const forged = [
    '', 'x', `${token}x`, token.slice(1), `${tester}.${id}`, `${tester}.${id}.${stranger.token.split('.')[2]}`, `${stranger.token.split('.')[0]}.${id}.${secret}`,
    `${tester}.${randomBytes(16).toString('base64url')}.${secret}`, `${tester}.${id}.${randomBytes(32).toString('base64url')}`, 'é'.repeat(500)
  ]
  const shapes = new Set<string>()
  for (const text of forged) {
    for (const step of ['open', 'options', 'verify']) {
      const response = answerTo({ public_key: { challenge: 'AA', rp: { id: 'localhost' }, pubKeyCredParams: [] } })
      const { status, headers, body } = await post(step, step === 'verify' ? { token: text, response } : { token: text })
      const { trace_id: trace, ...rest } = body
      t.ok(trace)
      shapes.add(JSON.stringify([status, Object.keys(headers).sort(), headers['content-length'], rest]))
    }
  }
  t.equal(shapes.size, 1, [...shapes].join('\n'))
  t.match([...shapes][0], /^\[404,.*"code":"link_not_found"/)
})

t.test('the ends of a link', async (t) => {
  const link = await world.invite()
  const { token } = link
  await post('open', { token })
  await world.onUser(link.userId, resetFact(link, world.clock.at))
  for (const step of ['open', 'options']) t.match(await post(step, { token }), { status: 410, body: { code: 'link_superseded' } }, step)
  const late = await world.invite()
  world.clock.pass(86_400_000)
  t.match(await post('open', { token: late.token }), { status: 410, body: { code: 'link_expired' } })
  const tried = await world.invite()
  await post('open', { token: tried.token })
  for (let n = 0; n < 10; n++) t.equal((await post('options', { token: tried.token })).status, 200)
  t.match(await post('options', { token: tried.token }), { status: 429, body: { code: 'too_many_attempts' } })
})

t.test('rubbish at the door', async (t) => {
  const { token, userId } = await world.invite()
  await post('open', { token })
  for (const body of [{}, { token: 1 }, { token, more: 1 }, { token: 'x'.repeat(513) }, [], 'x', null]) {
    t.match(await post('open', body), { status: 400, body: { code: 'invalid_request' } }, JSON.stringify(body).slice(0, 60))
  }
  const { body } = await post('options', { token })
  const genuine = answerTo(body)
  for (const response of [{}, { ...genuine, id: 7 }, { ...genuine, id: 'x'.repeat(5000) }, { ...genuine, more: 1 }, { ...genuine, response: {} }, null]) {
    t.match(await post('verify', { token, response }), { status: 400, body: { code: 'invalid_request' } })
  }
  const seed = randomInt(2 ** 31)
  t.comment(`seed ${seed}`)
  const statuses = new Set<number>()
  await fc.assert(fc.asyncProperty(fc.constantFrom('id', 'rawId', 'type'), fc.string({ maxLength: 40, unit: 'binary' }), fc.boolean(), async (name, text, inside) => {
    if (text === genuine[name as 'id']) return
    const { status } = await post('verify', {
      token, response: inside ? { ...genuine, response: { ...genuine.response, attestationObject: text, clientDataJSON: text } } : { ...genuine, [name]: text }
    })
    statuses.add(status)
  }), { numRuns: 150, seed })
  for (const status of statuses) t.ok([400, 409, 422, 429].includes(status), `answered ${status}`)
  t.notOk((await world.types(`user-${userId}`)).includes('user.passkey_registered'), 'nothing was accepted')
})

t.test('too many requests from one address', async (t) => {
  const answers: number[] = []
  for (let n = 0; n < 130; n++) {
    const answer = await app.inject({ method: 'POST', url: '/api/v1/enrolment/open', payload: { token: 'x' }, remoteAddress: '192.0.2.1' })
    answers.push(answer.statusCode)
    if (answer.statusCode === 429) { t.ok(answer.headers['retry-after']); t.match(answer.json(), { code: 'rate_limited' }) }
  }
  t.same([...new Set(answers)], [404, 429])
})

t.test('the page', async (t) => {
  const page = await app.inject({ url: '/enrol' })
  t.equal(page.statusCode, 200)
  const policy = String(page.headers['content-security-policy'])
  t.match(policy, /default-src 'none'/)
  t.notMatch(policy, /unsafe|data:|\*/)
  t.equal(page.headers['referrer-policy'], 'no-referrer')
  t.notMatch(page.body, /<script(?![^>]*src=)|\son\w+=|style=/i, 'nothing inline')
  for (const [, url = ''] of page.body.matchAll(/(?:src|href)="([^"]+)"/g)) t.equal((await app.inject({ url })).statusCode, 200, url)
  const script = (await app.inject({ url: '/enrol/enrol.js' })).body
  t.notMatch(script, /innerHTML|eval\(|https?:/, 'text only, this origin only')
  t.equal((await app.inject({ method: 'HEAD', url: '/enrol' })).statusCode, 200, 'a scanner that looks uses nothing up')
})

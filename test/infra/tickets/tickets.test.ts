// Tickets: their form, and what a FreeScout says of one, by a server that answers as its API does.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { createOutgoing } from '../../../infra/outgoing/index.ts'
import { createTickets } from '../../../infra/tickets/index.ts'
import { Refusal } from '../../../src/domain/codes.ts'
import { noteCanary } from '../../support/left-behind.ts'

const TOKEN = 'freescout-canary-6Yw0v3Lq'
noteCanary({ what: 'the API key of FreeScout', text: TOKEN })

interface Answer { status?: number, body: unknown, cut?: boolean }

/** A FreeScout that gives this answer, and what it was asked. */
const freescout = async (t: Test, answer: (request: IncomingMessage) => Answer) => {
  const asked: Array<{ url: string | undefined, key: unknown }> = []
  const server = createServer((request, response) => {
    asked.push({ url: request.url, key: request.headers['x-freescout-api-key'] })
    const { status = 200, body, cut = false } = answer(request)
    if (cut) request.socket.destroy()
    else response.writeHead(status, { 'content-type': 'application/json', ...status === 302 && { location: '/login' } }).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const outgoing = createOutgoing({ allow: [], plainLoopback: true })
  t.teardown(async () => {
    await outgoing.close()
    server.closeAllConnections()
    await new Promise((resolve) => { server.close(resolve) })
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { asked, tickets: createTickets({ outgoing, freescout: { url, token: TOKEN } }), outgoing, stop: () => { server.closeAllConnections(); server.close() } }
}

const list = (...conversations: object[]) => ({ _embedded: { conversations }, page: { size: 50, totalElements: conversations.length, totalPages: 1, number: 1 } })
const refusal = async (work: Promise<unknown>): Promise<Refusal> => {
  const error = await work.then(() => new Error('it was not refused'), (error: unknown) => error)
  if (!(error instanceof Refusal)) throw error
  return error
}

t.test('form', async (t) => {
  const outgoing = { request: async () => { throw new Error('nobody is to be asked') } }
  const tickets = createTickets({ outgoing, freescout: undefined })
  for (const ticket of ['4711', '#4711', 'OPS-17', 'sec/2026.4', 'a1', '1'.repeat(64)]) t.equal(await tickets.check(ticket), 'format', ticket)
  const bad = ['', '#', 'none', 'n/a', '-', '47 11', '4711\n', ' 4711', '4711;x', '../4711', '??1', '1'.repeat(65), '٤٧١١', 'OPS–17', '4711&status=active']
  for (const ticket of bad) {
    const { code, message } = await refusal(tickets.check(ticket))
    t.equal(code, 'ticket_invalid', JSON.stringify(ticket))
    t.match(message, /for example 4711/)
  }
  const strict = createTickets({ outgoing, freescout: { url: 'https://tickets.example.com', token: TOKEN } })
  for (const ticket of ['OPS-17', '04711', '0', '99999999999']) t.equal((await refusal(strict.check(ticket))).code, 'ticket_invalid', `${ticket} is no number of FreeScout's`)
})

const cases: Array<[name: string, answer: Answer, outcome: 'open' | Refusal['code'], message?: RegExp]> = [
  ['active', { body: list({ id: 9, number: 4711, status: 'active', state: 'published' }) }, 'open'],
  ['pending', { body: list({ id: 9, number: 4711, status: 'pending', state: 'published' }) }, 'open'],
  ['no state is said', { body: list({ id: 9, number: 4711, status: 'active' }) }, 'open'],
  ['among others', { body: list({ number: 1, status: 'closed' }, { number: 4711, status: 'active', state: 'published' }) }, 'open'],
  ['closed', { body: list({ number: 4711, status: 'closed', state: 'published' }) }, 'ticket_not_open', /says that it is closed/],
  ['spam', { body: list({ number: 4711, status: 'spam', state: 'published' }) }, 'ticket_not_open', /spam/],
  ['deleted', { body: list({ number: 4711, status: 'active', state: 'deleted' }) }, 'ticket_not_open', /deleted/],
  ['a draft', { body: list({ number: 4711, status: 'active', state: 'draft' }) }, 'ticket_not_open', /draft/],
  ['a status with markup', { body: list({ number: 4711, status: '<b>active', state: 'published' }) }, 'ticket_not_open', /is unknown/],
  ['none', { body: list() }, 'ticket_not_open', /knows no such ticket/],
  ['only others: the filter was passed over', { body: list({ id: 4711, number: 4712, status: 'active', state: 'published' }) }, 'ticket_not_open', /knows no such/],
  ['404', { status: 404, body: {} }, 'ticket_not_open', /knows no such ticket/],
  ['401', { status: 401, body: { message: TOKEN } }, 'tickets_unavailable', /CHANCERY_FREESCOUT_TOKEN/],
  ['403', { status: 403, body: {} }, 'tickets_unavailable', /CHANCERY_FREESCOUT_TOKEN/],
  ['500', { status: 500, body: 'oops' }, 'tickets_unavailable', /answered 500/],
  ['a login page behind a redirect', { status: 302, body: '' }, 'tickets_unavailable', /redirect_refused/],
  ['a page', { body: '<html>' }, 'tickets_unavailable', /cannot be read/],
  ['other JSON', { body: [] }, 'tickets_unavailable', /cannot be read/],
  ['too much', { body: `{"_embedded":"${'x'.repeat(70_000)}"}` }, 'tickets_unavailable', /too_large/],
  ['no answer', { body: '', cut: true }, 'tickets_unavailable', /no answer/]
]

t.test('what FreeScout says', async (t) => {
  let answer: Answer = { body: list() }
  const { tickets, asked } = await freescout(t, () => answer)
  for (const [name, given, outcome, message = /./] of cases) {
    answer = given
    if (outcome === 'open') {
      t.equal(await tickets.check('#4711'), 'open', name)
      continue
    }
    const error = await refusal(tickets.check('4711'))
    t.equal(error.code, outcome, name)
    t.match(error.message, message, name)
    t.notMatch(inspect(error, { depth: 9 }), TOKEN, `${name}: the key is told to nobody`)
  }
  t.same([...new Set(asked.map((one) => JSON.stringify(one)))], [JSON.stringify({ url: '/api/conversations?number=4711', key: TOKEN })], 'one request, by number')
  t.equal(asked.length, cases.length, 'each once')
})

t.test('FreeScout is away, or at an address that is not allowed', async (t) => {
  const { tickets, outgoing, stop } = await freescout(t, () => ({ body: list() }))
  stop()
  t.match(await refusal(tickets.check('4711')), { code: 'tickets_unavailable', message: /connection_refused.*Nothing was done/ })
  const inside = createTickets({ outgoing, freescout: { url: 'https://10.0.0.7', token: TOKEN } })
  t.match(await refusal(inside.check('4711')), { code: 'tickets_unavailable', message: /address_forbidden/ })
})

// What comes of a request: answers and failures of real servers, sent once, in time, small, without redirects, over TLS, and many at once.
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import { freePort } from '../../../infra/local/children/free-port.ts'
import { failures } from '../../../infra/outgoing/failures.ts'
import { createOutgoing, type OutgoingOptions, type OutgoingRequest } from '../../../infra/outgoing/index.ts'
import { ExchangeField } from '../../../src/domain/credential/fields.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'

const listen = async (t: Test, server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}
const answering = (t: Test, listener: RequestListener) => listen(t, createServer(listener))
/** A server that says these bytes to whatever it hears, and then ends the connection or keeps silent. */
const saying = (t: Test, bytes: string, end = true) => listen(t, createTcpServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', () => { socket[end ? 'end' : 'write'](bytes) })
}))
const way = (t: Test, options: Partial<OutgoingOptions> = {}) => {
  const outgoing = createOutgoing({ allow: [], plainLoopback: true, ...options })
  t.teardown(() => outgoing.close())
  return async (request: Partial<OutgoingRequest> & { url: string }) => {
    const answered = await outgoing.request({ method: 'GET', secrets: [], probe: 'test', ...request })
    const { exchange } = answered
    t.ok(Value.Check(ExchangeField(), exchange), 'the exchange fits into an event')
    if (exchange.failure !== undefined) t.ok(failures.includes(exchange.failure as typeof failures[number]), `${exchange.failure} is one of the words`)
    return { ...answered, summary: [exchange.outcome, exchange.answer?.status, exchange.failure, answered.sent, answered.status] }
  }
}

t.test('an answer is told as it is, and shown as far as it may be', async (t) => {
  const port = await answering(t, (request, response) => {
    void text(request).then((body) => {
      response.writeHead(Number(request.url?.slice(1)), { 'set-cookie': 'session=1', 'x-echo': `${request.headers.authorization} ${request.headers['x-key'] as string}`, 'content-type': 'text/plain' })
      response.end(request.url === '/204' ? undefined : `said ${body}\0 ${request.headers['accept-encoding']} ${request.headers['user-agent']}`)
    })
  })
  const request = way(t)
  for (const [status, outcome] of [[200, 'passed'], [204, 'passed'], [299, 'passed'], [401, 'failed'], [404, 'failed'], [500, 'failed'], [503, 'failed']] as const) {
    t.same((await request({ url: `http://127.0.0.1:${port}/${status}` })).summary, [outcome, String(status), undefined, true, status])
  }
  const [key, value] = ['k3y-of-a-header', 'v4lue/of a+body']
  const { exchange, body } = await request({
    method: 'POST', url: `http://127.0.0.1:${port}/200`, headers: { Authorization: 'Basic dXNlcjpwYXNz', 'X-Key': key, Cookie: 'all=1' }, body: `{"a": ${JSON.stringify(value)}}`,
    secrets: [new Secret(key), new Secret(value), new Secret('Basic dXNlcjpwYXNz')]
  })
  t.match(body, /said \{"a": "v4lue\/of a\+body"\}\0 identity chancery$/, 'the caller gets the body as it came')
  t.match(exchange, {
    request: { method: 'POST', target: `http://127.0.0.1:${port}/200`, headers: { authorization: 'Basic [secret]', 'x-key': '[secret]', cookie: '[secret]' }, body: '{"a": "[secret]"}' },
    answer: { status: '200', headers: { 'x-echo': '[secret] [secret]', 'content-type': 'text/plain' }, body: 'said {"a": "[secret]"}\ufffd identity chancery' }
  })
  t.notOk('set-cookie' in (exchange.answer?.headers ?? {}))
  t.notOk('user-agent' in (exchange.request.headers ?? {}), 'what we always send needs no telling')
})

t.test('what is no answer has a word', async (t) => {
  const limit = { timeoutMs: 300 }
  const [request, hasty] = [way(t), way(t, limit)]
  let reached = 0
  const target = await answering(t, (_, response) => {
    reached++
    response.end()
  })
  for (const status of [300, 301, 302, 303, 307, 308]) {
    const port = await answering(t, (_, response) => { response.writeHead(status, { location: `http://127.0.0.1:${target}/` }).end('moved') })
    t.same((await request({ url: `http://127.0.0.1:${port}/` })).summary, ['failed', String(status), 'redirect_refused', true, undefined])
  }
  t.equal(reached, 0, 'no redirect was followed')

  const answer = (body: string | Buffer) => answering(t, (_, response) => { response.end(body) })
  t.same((await request({ url: `http://127.0.0.1:${await answer('x'.repeat(65_536))}/` })).summary, ['passed', '200', undefined, true, 200], 'exactly 64 KiB')
  t.same((await request({ url: `http://127.0.0.1:${await answer('x'.repeat(65_537))}/` })).summary, ['unknown', '200', 'too_large', true, undefined])
  const chunked = await answering(t, (_, response) => {
    response.write('x'.repeat(65_536))
    response.end('x')
  })
  t.same((await request({ url: `http://127.0.0.1:${chunked}/` })).summary, ['unknown', '200', 'too_large', true, undefined], 'in chunks, one byte too many')
  const endless = await answering(t, (_, response) => {
    response.on('error', () => {})
    const more = () => { if (!response.destroyed) response.write('x'.repeat(10_000), more) }
    more()
  })
  t.same((await request({ url: `http://127.0.0.1:${endless}/` })).summary, ['unknown', '200', 'too_large', true, undefined], 'without a length')

  const raw = async (bytes: string, end = true, by = request) => (await by({ url: `http://127.0.0.1:${await saying(t, bytes, end)}/` })).summary
  const head = 'HTTP/1.1 200 OK\r\n'
  t.same(await raw(''), ['unknown', undefined, 'connection_lost', true, undefined])
  t.same(await raw(`${head}content-length: 100\r\n\r\nonly this`), ['unknown', '200', 'connection_lost', true, undefined], 'cut off')
  t.same(await raw('this is not HTTP\r\n\r\n'), ['unknown', undefined, 'answer_malformed', true, undefined])
  t.same(await raw(`${head}x: ${'y'.repeat(20_000)}\r\n\r\n`), ['unknown', undefined, 'too_large', true, undefined], 'a long header')
  t.same(await raw(`${head}content-encoding: gzip\r\ncontent-length: 1\r\n\r\nx`), ['unknown', '200', 'answer_malformed', true, undefined], 'nobody asked for it packed')
  t.same(await raw('', false, hasty), ['unknown', undefined, 'timeout', true, undefined], 'silence')
  t.same(await raw(`${head}content-length: 100\r\n\r\nx`, false, hasty), ['unknown', '200', 'timeout', true, undefined], 'silence in the middle')
  const dripping = await answering(t, (_, response) => {
    const drip = setInterval(() => { response.write('x') }, 20)
    response.on('close', () => { clearInterval(drip) })
  })
  const slow = await hasty({ url: `http://127.0.0.1:${dripping}/` })
  t.same(slow.summary, ['unknown', '200', 'timeout', true, undefined], 'the limit is for all of it, not for a pause')
  t.ok(slow.exchange.tookMs < 2_000)
  t.same((await request({ url: `http://127.0.0.1:${await freePort()}/` })).summary, ['failed', undefined, 'connection_refused', false, undefined])
  const never: OutgoingOptions['lookup'] = () => {}
  t.same((await way(t, { ...limit, lookup: never })({ url: 'http://somewhere.example/' })).summary, ['failed', undefined, 'timeout', false, undefined], 'a name that is never found')
  for (const headers of [{ host: 'other' }, { 'Transfer-Encoding': 'chunked' }, { a: 'b\r\nc: d' }, { 'a b': 'c' }]) {
    t.same((await request({ url: `http://127.0.0.1:${target}/`, headers: { ...headers } })).summary, ['failed', undefined, 'request_invalid', false, undefined], JSON.stringify(headers))
  }
  t.equal(reached, 0)
})

t.test('a request is sent once, whatever happens to it, and late ones never', async (t) => {
  const heard: string[] = []
  const port = await answering(t, (request: IncomingMessage, response: ServerResponse) => {
    heard.push(request.url ?? '')
    if (request.url === '/ok') response.end()
    else response.destroy()
  })
  const request = way(t)
  for (const ownConnection of [true, false]) {
    for (const method of ['GET', 'PUT', 'POST', 'DELETE']) {
      t.equal((await request({ url: `http://127.0.0.1:${port}/ok`, method, ownConnection })).status, 200)
      t.same((await request({ url: `http://127.0.0.1:${port}/lost`, method, ownConnection })).summary, ['unknown', undefined, 'connection_lost', true, undefined])
    }
  }
  t.equal(heard.filter((url) => url === '/lost').length, 8)

  let found: (() => void) | undefined
  const lookup = ((_host: string, _options: object, done: (error: null, addresses: object[]) => void) => { found = () => { done(null, [{ address: '127.0.0.1', family: 4 }]) } }) as unknown as NonNullable<OutgoingOptions['lookup']>
  t.same((await way(t, { lookup, timeoutMs: 100 })({ url: `http://late.example:${port}/late` })).summary, ['failed', undefined, 'timeout', false, undefined])
  found?.()
  t.equal((await request({ url: `http://127.0.0.1:${port}/ok` })).status, 200)
  t.notOk(heard.includes('/late'), 'it was given up before it was sent, so it is not sent afterwards')
})

t.test('TLS, with a certificate that fits or not', { skip: spawnSync('openssl', ['version']).status === 0 ? false : 'needs openssl to make a certificate' }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-tls-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=vendor.example', '-addext', 'subjectAltName=DNS:vendor.example',
    '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const ca = readFileSync(cert, 'utf8')
  const port = await listen(t, createTlsServer({ key: readFileSync(key), cert: ca }, (_, response) => { response.end('over TLS') }))
  const lookup = ((_host: string, _options: object, done: (error: null, addresses: object[]) => void) => { done(null, [{ address: '127.0.0.1', family: 4 }]) }) as unknown as NonNullable<OutgoingOptions['lookup']>
  t.equal((await way(t, { lookup, ca })({ url: `https://vendor.example:${port}/` })).body, 'over TLS')
  t.equal((await way(t, { lookup, ca })({ url: `https://vendor.example.:${port}/` })).body, 'over TLS', 'with the trailing dot')
  t.same((await way(t, { lookup })({ url: `https://vendor.example:${port}/` })).summary, ['failed', undefined, 'tls', false, undefined], 'nobody vouches for it')
  t.same((await way(t, { lookup, ca })({ url: `https://other.example:${port}/` })).summary, ['failed', undefined, 'tls', false, undefined], 'made out to somebody else')
  t.same((await way(t, { lookup, ca })({ url: `https://other.example:${await saying(t, 'no TLS here')}/` })).summary, ['failed', undefined, 'tls', false, undefined])
})

t.test('connections are kept for a while, and many requests at once do not wait for one another', async (t) => {
  const connections = new Set<unknown>()
  const ports = await Promise.all(Array.from({ length: 20 }, () => answering(t, (request, response) => {
    connections.add(request.socket)
    setTimeout(() => { response.end('ok') }, 100)
  })))
  const request = way(t)
  for (let round = 0; round < 3; round++) {
    const begun = performance.now()
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => request({ url: `http://127.0.0.1:${ports[index % ports.length]}/` })))
    t.equal(answers.filter(({ body }) => body === 'ok').length, 200)
    t.ok(performance.now() - begun < 4_000, 'one after the other it would be 20 s')
  }
  // As many as there are requests at once; without keeping them it would be 600.
  t.ok(connections.size <= 220, `${connections.size} connections for 600 requests`)
})

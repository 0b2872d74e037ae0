// Following a rotation over connections that break, fall silent or are refused: each fact is told once, in order, to the end.
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { createClient } from '../../src/cli/client.ts'
import { followJob, type FollowOptions, type JobEvent } from '../../src/cli/events.ts'
import type { JobView } from '../../src/cli/rotation-api.ts'
import { watchJob } from '../../src/cli/verbs/rotate-watch.ts'
import { tcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

const FACTS = 40
/** A fact in bytes; é so that a chunk may end within a letter. */
const message = (id: number): string => {
  const view = { state: id === FACTS ? 'done' : 'distributing', transition: id, meaning: 'é'.repeat(50) }
  return `id: ${id}\nevent: rotation.fact_${id}\ndata: ${JSON.stringify({ fact: `rotation.fact_${id}`, at: 't', actor: { type: 'principal', id: 'p' }, view })}\n\n`
}

/** A service that tells the facts after `Last-Event-ID`; `tell` may do otherwise with the n-th request. */
const service = async (t: Test, tell: (response: ServerResponse, n: number, after: number) => void | Promise<void>) => {
  const asked: Array<string | undefined> = []
  const server = createServer((request, response) => {
    const header = request.headers['last-event-id']
    asked.push(typeof header === 'string' ? header : undefined)
    void tell(response, asked.length, Number(header ?? 0))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return { port: (server.address() as AddressInfo).port, asked }
}

const begin = (response: ServerResponse): ServerResponse => response.writeHead(200, { 'content-type': 'text/event-stream' })
const rest = (response: ServerResponse, after: number, to = FACTS): void => { for (let id = after + 1; id <= to; id++) response.write(message(id)) }

const follow = async (port: number, { told, ...options }: Partial<FollowOptions> & { told?: (ids: readonly unknown[]) => void } = {}) => {
  const troubles: Array<string | undefined> = []
  const signal = options.signal ?? new AbortController().signal
  const client = createClient({ url: new URL(`http://127.0.0.1:${port}`), dataDir: '.', token: () => 'chy_x' }, signal)
  const ids: Array<string | undefined> = []
  for await (const { id, fact, view } of followJob(client, { credential: 'c', rotationId: 'r' }, { onConnection: (trouble) => { troubles.push(trouble) }, firstPause: 5, ...options, signal })) {
    ids.push(id)
    told?.(ids)
    if (fact !== `rotation.fact_${id ?? ''}` || view.meaning !== 'é'.repeat(50)) throw new Error(`not what was sent: ${fact}`)
  }
  return { ids, troubles }
}

const all = Array.from({ length: FACTS }, (_, index) => String(index + 1))

t.test('a network that cuts every connection after some bytes only makes it slower', async (t) => {
  const { port, asked } = await service(t, (response, _n, after) => { rest(begin(response), after) })
  const proxy = await tcpProxy(t, port)
  for (const bytes of [700, 1500, 2600]) {
    asked.length = 0
    proxy.next({ toClient: { kind: 'cut', after: bytes } })
    const clear = (async () => {
      while (asked.length < 4) await pause(5)
      proxy.next({})
    })()
    const { ids, troubles } = await follow(proxy.port)
    await clear
    t.same(ids, all, `each once, in order, cut after ${bytes}`)
    t.match(troubles, [undefined, /connection to the service is lost/, undefined])
    t.match(asked, [undefined, /^\d+$/], 'it goes on after the last that was whole')
  }
})

t.test('a service that ends a connection, is away, overloaded or silent is asked again', async (t) => {
  const { port, asked } = await service(t, (response, n, after) => {
    if (n === 1) { rest(begin(response), after, 5); response.end() }
    if (n === 2) response.writeHead(503, { 'content-type': 'application/problem+json' }).end('{"code":"overloaded","title":"T"}')
    if (n === 3) response.destroy()
    if (n === 4) rest(begin(response), after, 9)
    if (n === 5) begin(response).write(': still here\n\n')
    if (n > 5) rest(begin(response), after)
  })
  t.same((await follow(port, { silence: 500 })).ids, all)
  t.same(asked, [undefined, '5', '5', '5', '9', '9'])
})

t.test('what time alone has changed is told as well, and is nowhere to go on after', async (t) => {
  const aged = `event: as_of_now\ndata: ${JSON.stringify({ at: 't', view: { state: 'distributing', transition: 7, alarm: 'For 7 minutes' } })}\n\n`
  const { port, asked } = await service(t, (response, n, after) => {
    if (n > 1) { rest(begin(response), after); return }
    rest(begin(response), after, 7)
    response.end(aged)
  })
  const client = createClient({ url: new URL(`http://127.0.0.1:${port}`), dataDir: '.', token: () => 'chy_x' }, new AbortController().signal)
  const told: JobEvent[] = []
  for await (const event of followJob(client, { credential: 'c', rotationId: 'r' }, { signal: new AbortController().signal, after: '3', firstPause: 5 })) told.push(event)
  t.same(told.map(({ id }) => id), [...all.slice(3, 7), undefined, ...all.slice(7)])
  t.same(told[4], { id: undefined, at: 't', view: { state: 'distributing', transition: 7, alarm: 'For 7 minutes' } })
  t.same(asked, ['3', '7'], 'from where it was asked to, and then on after the last fact')
})

t.test('the watched job takes what time has changed; a gate that closes by it takes a question back', async (t) => {
  const view = { credential: 'c', rotation_id: 'r', state: 'validated', transition: 7, gate: { open: true, closed_by: [] } as JobView['gate'], alarm: null } as unknown as JobView
  const closed = { ...view, gate: { open: false, closed_by: [{ consumer: 'a', why: 'proof_too_old' }] } }
  let age = (_view: JobView): void => {}
  const { port } = await service(t, (response) => {
    begin(response).write(': still here\n\n')
    age = (aged) => response.write(`event: as_of_now\ndata: ${JSON.stringify({ at: 't', view: aged })}\n\n`)
  })
  const stopping = new AbortController()
  t.teardown(() => { stopping.abort() })
  let connected = false
  const client = createClient({ url: new URL(`http://127.0.0.1:${port}`), dataDir: '.', token: () => 'chy_x' }, stopping.signal)
  const watched = watchJob(client, { ...view, revision: '9' }, { signal: stopping.signal, onConnection: () => { connected = true } })
  const question = watched.movedOn(view)
  await until(() => connected)
  age({ ...view, alarm: 'For 7 minutes' })
  await watched.moved()
  t.match(watched.now(), { alarm: 'For 7 minutes', gate: { open: true } })
  t.notOk(question.aborted, 'what is asked holds as before')
  age(closed)
  await watched.moved()
  t.ok(question.aborted)
  t.match(watched.now(), closed)
})

t.test('comments keep a quiet connection', async (t) => {
  const { port, asked } = await service(t, async (response, _n, after) => {
    begin(response)
    // Longer than it bears silence, and so often that a busy machine makes none.
    for (let count = 0; count < 60; count++) {
      response.write(': still here\n\n')
      await pause(20)
    }
    rest(response, after)
  })
  t.same((await follow(port, { silence: 1_000 })).ids, all)
  t.equal(asked.length, 1)
})

t.test('it ends where there is nothing more, at Ctrl-C, and at what waiting does not mend', async (t) => {
  const ended = await service(t, (response) => { response.writeHead(204).end() })
  t.same((await follow(ended.port)).ids, [])
  const missing = await service(t, (response) => { response.writeHead(404, { 'content-type': 'application/problem+json' }).end('{"code":"subject_not_found","title":"T"}') })
  await t.rejects(follow(missing.port), /subject_not_found/)
  const forbidden = await service(t, (response) => { response.writeHead(403, { 'content-type': 'application/problem+json' }).end('{"code":"forbidden","title":"T"}') })
  await t.rejects(follow(forbidden.port), /forbidden/)
  const stopping = new AbortController()
  const endless = await service(t, (response) => { rest(begin(response), 0, 3) })
  t.same((await follow(endless.port, { signal: stopping.signal, told: (ids) => { if (ids.length === 3) stopping.abort() } })).ids, ['1', '2', '3'])
  t.equal(endless.asked.length, 1)
})

t.test('it ends at once at Ctrl-C after a long quiet, too, when the memory of how the request began was cleaned up', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { port, asked } = await service(t, (response, _n, after) => { rest(begin(response), after, 3) })
  const stopping = new AbortController()
  const following = follow(port, { signal: stopping.signal, silence: 20_000 })
  while (asked.length < 1) await pause(5)
  // Some rounds: fetch forgets its own controller over two collections.
  for (let round = 0; round < 10; round++) {
    await pause(20)
    collect()
  }
  stopping.abort()
  t.same(await Promise.race([following.then(({ ids }) => ids), pause(2_000, 'it hangs', { ref: false })]), ['1', '2', '3'])
})

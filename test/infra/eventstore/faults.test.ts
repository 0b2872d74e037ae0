// The adapter over a bad network: what became of an append is told truthfully, in time, and everything works again by itself.
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openLog, type Log } from '../../../infra/eventstore/index.ts'
import { LogOutcomeUnknown, LogUnavailable, WrongExpectedRevision } from '../../../src/log-errors.ts'
import { RECONNECT_MS } from '../../../infra/eventstore/append.ts'
import { PROBE_MS } from '../../../infra/eventstore/connection.ts'
import { CONNECT_MS } from '../../../infra/eventstore/link.ts'
import { defaultPatience } from '../../../infra/eventstore/patience.ts'
import { testEventStore } from '../../support/eventstore.ts'
import { tcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'
import { all, freshStream, granted, noVault } from './facts.ts'

t.setTimeout(120_000)

/** The promise is a second, and the limits add up to less (first test); here there is room for a machine that runs other tests. */
const TOLD_WITHIN_MS = 2_000
// Most of them wait for a limit: some together.
t.jobs = 3

const logOn = async (t: Test, url: string, options: Partial<Parameters<typeof openLog>[0]> = {}): Promise<Log> => {
  const log = await openLog({ url, vault: noVault, ...options })
  t.teardown(() => log.close())
  return log
}

const network = async (t: Test) => {
  const store = await testEventStore(t)
  const proxy = await tcpProxy(t, store.port)
  return { store, proxy, log: await logOn(t, proxy.url), direct: await logOn(t, store.url) }
}

const failure = async (promise: Promise<unknown>): Promise<{ error: unknown, ms: number }> => {
  const started = performance.now()
  const error = await promise.then(() => 'it succeeded', (error: unknown) => error)
  return { error, ms: performance.now() - started }
}

const fails = async (t: Test, promise: Promise<unknown>, kind: new (...args: never[]) => Error, what: string) => {
  const { error, ms } = await failure(promise)
  t.type(error, kind, `${what}: ${String(error)}`)
  t.ok(ms < TOLD_WITHIN_MS, `${what}: told within ${Math.round(ms)} ms`)
}

const roles = async (log: Log, stream: string): Promise<string[]> =>
  (await all(log.readStream(stream))).map((event) => event.type === 'principal.role_granted' ? event.data.role : event.type)

t.test('the limits of every way to fail add up to less than a second', async (t) => {
  t.ok(CONNECT_MS <= 800, 'nobody there')
  t.ok(defaultPatience.silence + PROBE_MS + RECONNECT_MS <= 850, 'there, but silent, and then nobody there')
})

t.test('nobody there: certainly not appended, told in time; then it works without a restart', async (t) => {
  const { proxy, log } = await network(t)
  const { id, stream } = freshStream()
  await proxy.vanish()
  for (const attempt of ['first', 'again']) {
    await Promise.all([
      fails(t, log.append(stream, 'no_stream', [granted(id, 'a')]), LogUnavailable, `append, ${attempt}`),
      fails(t, all(log.readStream(stream)), LogUnavailable, `read, ${attempt}`),
      fails(t, log.ping(), LogUnavailable, `ping, ${attempt}`)
    ])
  }
  await proxy.listen()
  await log.append(stream, 'no_stream', [granted(id, 'a')])
  t.same(await roles(log, stream), ['a'])

  await proxy.vanish()
  await gone(log)
  await fails(t, log.append(stream, 0n, [granted(id, 'b')]), LogUnavailable, 'append after a good connection went')
  await proxy.listen()
  await log.append(stream, 0n, [granted(id, 'b')])
  t.same(await roles(log, stream), ['a', 'b'])
})

t.test('the answer is lost: the unchanged repeat finds it recorded', async (t) => {
  const { proxy, log, direct } = await network(t)
  const { id, stream } = freshStream()
  await log.append(stream, 'no_stream', [granted(id, 'a')])
  proxy.now({ toClient: { kind: 'swallow' } })
  const { revision, position } = await log.append(stream, 0n, [granted(id, 'b'), granted(id, 'c')])
  t.equal(revision, 2n)
  t.same(await roles(direct, stream), ['a', 'b', 'c'], 'once')
  t.equal((await direct.last())?.position, position)
})

t.test('the answer is lost and nobody is there any more: unknown, though it was recorded', async (t) => {
  const { proxy, log, direct } = await network(t)
  const { id, stream } = freshStream()
  await log.append(stream, 'no_stream', [granted(id, 'a')])
  proxy.now({ toClient: { kind: 'swallow' } })
  proxy.next({ toServer: { kind: 'swallow' } })
  await fails(t, log.append(stream, 0n, [granted(id, 'b')]), LogOutcomeUnknown, 'append')
  t.same(await roles(direct, stream), ['a', 'b'])
})

t.test('the request is lost and nobody is there any more: unknown, never "certainly not"', async (t) => {
  const { proxy, log, direct } = await network(t)
  const { id, stream } = freshStream()
  await log.append(stream, 'no_stream', [granted(id, 'a')])
  proxy.now({ toServer: { kind: 'swallow' } })
  proxy.next({ toClient: { kind: 'swallow' } })
  await fails(t, log.append(stream, 0n, [granted(id, 'b')]), LogOutcomeUnknown, 'append')
  await fails(t, log.append(stream, 0n, [granted(id, 'c')]), LogUnavailable, 'the next one is sent to nobody')
  await fails(t, all(log.readStream(stream)), LogUnavailable, 'read')
  t.same(await roles(direct, stream), ['a'])
})

t.test('the request is lost and another wins the race: the repeat says so', async (t) => {
  const { proxy, log, direct } = await network(t)
  const { id, stream } = freshStream()
  await log.append(stream, 'no_stream', [granted(id, 'a')])
  proxy.now({ toServer: { kind: 'swallow' } })
  const appending = log.append(stream, 0n, [granted(id, 'mine')])
  await direct.append(stream, 0n, [granted(id, 'theirs')])
  const { error } = await failure(appending)
  t.type(error, WrongExpectedRevision)
  t.equal((error as WrongExpectedRevision).actual, 1n)
  t.same(await roles(direct, stream), ['a', 'theirs'])
})

t.test('a cluster is found by gossip; without an answer it is told in time', async (t) => {
  const { store, proxy } = await network(t)
  const log = await logOn(t, proxy.url.replace('esdb:', 'esdb+discover:'))
  const { id, stream } = freshStream()
  await proxy.vanish()
  await fails(t, log.append(stream, 'no_stream', [granted(id, 'a')]), LogUnavailable, 'append')
  await proxy.listen()
  await eventually(() => log.append(stream, 'no_stream', [granted(id, 'a')]))
  t.same(await roles(log, stream), ['a'])
  await store.stop()
  await gone(log)
  await fails(t, log.append(stream, 0n, [granted(id, 'b')]), LogUnavailable, 'append after the node went')
  await store.start()
  await eventually(() => log.append(stream, 0n, [granted(id, 'b')]))
  await t.rejects(openLog({ url: 'http://127.0.0.1', vault: noVault }), /esdb/, 'an address that is none is told at once')
  await t.rejects(openLog({ url: store.url, vault: noVault, namespace: 'a-b' }), /namespace/)
})

t.test('half-open while reading: told in time', async (t) => {
  const { proxy, log } = await network(t)
  const { id, stream } = freshStream()
  await log.append(stream, 'no_stream', [granted(id, 'a')])
  proxy.now({ toServer: { kind: 'swallow' }, toClient: { kind: 'swallow' } })
  proxy.next({ toServer: { kind: 'swallow' }, toClient: { kind: 'swallow' } })
  await fails(t, all(log.readStream(stream)), LogUnavailable, 'read')
  await fails(t, log.last(), LogUnavailable, 'last')
  await fails(t, log.ping(), LogUnavailable, 'ping')
  proxy.next({})
  t.same(await roles(log, stream), ['a'], 'a fresh connection is taken by itself')
})

t.test('slow is not dead', async (t) => {
  const { proxy, log } = await network(t)
  const { id, stream } = freshStream()
  proxy.next({ toServer: { kind: 'delay', ms: 60 }, toClient: { kind: 'delay', ms: 60 } })
  await log.append(stream, 'no_stream', [granted(id, 'a')])
  t.same(await roles(log, stream), ['a'])
  t.equal(proxy.accepted(), 1)
})

t.test('a stopped process (SIGSTOP): told in time, works again when it goes on', async (t) => {
  const store = await testEventStore(t, { child: true })
  const log = await logOn(t, store.url)
  const { id, stream } = freshStream()
  await log.append(stream, 'no_stream', [granted(id, 'a')])
  await store.kill('SIGSTOP')
  await fails(t, log.append(stream, 0n, [granted(id, 'b')]), LogOutcomeUnknown, 'append')
  await fails(t, all(log.readStream(stream)), LogUnavailable, 'read')
  await store.kill('SIGCONT')
  const found = await eventually(() => roles(log, stream))
  t.ok(found.length === 1 || found.join() === 'a,b', `nothing twice: ${found.join()}`)
  const next = BigInt(found.length - 1)
  await log.append(stream, next, [granted(id, 'c')])
  t.same((await roles(log, stream)).at(-1), 'c')

  await store.kill('SIGKILL')
  await gone(log)
  await fails(t, log.append(stream, next + 1n, [granted(id, 'd')]), LogUnavailable, 'append to a killed one')
  await store.start()
  await log.append(stream, next + 1n, [granted(id, 'd')])
})

t.test('cut anywhere under load: what was answered is there once, what was refused is not', async (t) => {
  const { proxy, log, direct } = await network(t)
  const seed = Number(process.env['SEED'] ?? Date.now())
  t.comment(`seed ${seed}`)
  const random = generator(seed)
  const count = { recorded: 0, unknown: 0, refused: 0 }
  for (let round = 0; round < 25; round++) {
    const streams = Array.from({ length: 16 }, freshStream)
    const cut = () => ({ kind: 'cut' as const, after: 1 + Math.floor(random() * 6_000) })
    const weather = random() < 0.5 ? { toServer: cut() } : { toClient: cut() }
    proxy.now(weather)
    proxy.next(random() < 0.5 ? {} : random() < 0.5 ? { toServer: cut() } : { toClient: cut() })
    const outcomes = await Promise.all(streams.map(async ({ id, stream }) =>
      log.append(stream, 'no_stream', [granted(id, 'a'), granted(id, 'b')]).then(() => 'recorded' as const, (error: unknown) => {
        if (error instanceof LogOutcomeUnknown) return 'unknown' as const
        if (error instanceof LogUnavailable) return 'refused' as const
        throw error
      })))
    proxy.next({})
    proxy.reset()
    for (const [i, { stream }] of streams.entries()) {
      const outcome = outcomes[i] ?? 'unknown'
      const found = (await roles(direct, stream)).join('')
      const expected = { recorded: ['ab'], unknown: ['', 'ab'], refused: [''] }[outcome]
      count[outcome]++
      if (!expected.includes(found)) t.fail(`round ${round}: ${outcome}, but the stream holds "${found}"`)
    }
  }
  t.comment(JSON.stringify(count))
  t.ok(count.recorded > 100, 'most got through')
})

t.test('a subscriber sees each event once and in order, however often the line is cut', async (t) => {
  const { proxy, direct } = await network(t)
  const drops: unknown[] = []
  const log = await logOn(t, proxy.url, { onDrop: (error) => drops.push(error), watchdogMs: 300 })
  const { id, stream } = freshStream()
  const total = 200
  const leaving = new AbortController()
  const seen: bigint[] = []
  const following = (async () => {
    for await (const delivery of log.subscribe({ signal: leaving.signal })) {
      if (delivery.kind !== 'event') continue
      seen.push(delivery.event.revision)
      if (seen.length === total) leaving.abort()
    }
  })()
  const random = generator(7)
  for (let i = 0; i < total; i++) {
    await direct.append(stream, i === 0 ? 'no_stream' : BigInt(i - 1), [granted(id, `r${i}`)])
    if (i % 30 !== 10) continue
    const way = Math.floor(random() * 4)
    if (way === 0) proxy.reset()
    if (way === 1) proxy.now({ toClient: { kind: 'cut', after: Math.floor(random() * 3_000) } })
    if (way === 2) proxy.now({ toClient: { kind: 'swallow' } })
    if (way === 3) { await proxy.vanish(); await proxy.listen() }
  }
  await following
  t.same(seen, Array.from({ length: total }, (_, i) => BigInt(i)))
  t.ok(drops.length >= 3, `${drops.length} drops were mended`)
})

t.test('close does not wait for a server that is silent', async (t) => {
  const { proxy, store } = await network(t)
  const log = await openLog({ url: proxy.url, vault: noVault })
  const { id, stream } = freshStream()
  await log.append(stream, 'no_stream', [granted(id, 'a')])
  const following = all(log.subscribe({ signal: new AbortController().signal }))
  proxy.now({ toServer: { kind: 'swallow' }, toClient: { kind: 'swallow' } })
  proxy.next({ toServer: { kind: 'swallow' }, toClient: { kind: 'swallow' } })
  const received = proxy.received()
  const pending = failure(log.append(stream, 0n, [granted(id, 'b')]))
  await until(() => proxy.received() > received)
  const started = performance.now()
  await log.close()
  t.ok(performance.now() - started < 1_500)
  t.type((await pending).error, LogOutcomeUnknown, 'an append under way is not "certainly not"')
  await following
  await fails(t, log.append(stream, 0n, [granted(id, 'c')]), LogUnavailable, 'after close')
  t.ok(store)
})

/** Until this process has heard that the connection is gone: an append before that may truthfully be called unknown. */
const gone = (log: Log) => eventually(async () => {
  if (await log.ping().then(() => true, () => false)) throw new Error('still there')
})

/** Tries until it succeeds; gives up after 10 s. */
const eventually = async <T>(attempt: () => Promise<T>): Promise<T> => {
  const until = Date.now() + 10_000
  while (true) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() > until) throw error
      await delay(50)
    }
  }
}

/** mulberry32 */
const generator = (seed: number) => () => {
  seed = (seed + 0x6D2B79F5) | 0
  let x = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
  return ((x ^ (x >>> 14)) >>> 0) / 4294967296
}

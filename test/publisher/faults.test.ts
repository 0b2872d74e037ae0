// The publisher under faults of Redis: full, cut off, failed over, and any sequence of losses; afterwards the stream is what the log says (I6).
import { cp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { appendDeletion, appendOther, published, STREAM, streamFaults, testPublisher, testSign, type TestPublisher } from '../support/lifecycle.ts'
import { testLog } from '../support/log.ts'
import { testRedis, type TestRedis } from '../support/redis.ts'
import { tcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

const sign = testSign

t.test('a full Redis takes nothing, and everything once there is room', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  const publisher = testPublisher(t, { events, url: server.url })
  for (let i = 0; i < 5; i++) await appendDeletion(events)
  await published(events, redis)
  await redis.config('SET', 'maxmemory', '1mb')
  for (let i = 0; i < 5; i++) await appendDeletion(events)
  await until(() => publisher.status().failures > 2)
  t.match(publisher.status(), { state: 'away', cause: 'OOM' })
  await until(() => publisher.status().lagEntries === 5)
  await redis.config('SET', 'maxmemory', '0')
  await published(events, redis)
  t.strictSame(await streamFaults(events, redis, { sign }), [])
  t.match(publisher.status(), { overtaken: 0, published: 10 })
})

t.test('answers that are lost: what was written stands once, and nobody was fenced', async (t) => {
  const events = await testLog(t)
  const server = await testRedis(t)
  const redis = server.client()
  const proxy = await tcpProxy(t, server.port)
  const publisher = testPublisher(t, { events, url: server.url.replace(`:${server.port}`, `:${proxy.port}`), timing: { lookEveryMs: 60_000 } })
  await until(() => publisher.status().state === 'ready')
  for (let round = 0; round < 5; round++) {
    proxy.now({ toClient: { kind: 'cut', after: round } })
    await appendDeletion(events)
    await published(events, redis)
    await until(() => publisher.status().lagEntries === 0)
  }
  t.strictSame(await streamFaults(events, redis, { sign }), [])
  t.match(publisher.status(), { state: 'ready', overtaken: 0, fenced: 0 })
  t.ok(publisher.status().failures >= 5, 'each was counted')
})

/** Forwards to a port that can be changed: an address behind which another server takes over. */
const address = async (t: Test, first: number) => {
  let target = first
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const behind = connect(target, '127.0.0.1')
    for (const socket of [client, behind]) sockets.add(socket.on('error', () => {}).on('close', () => { client.destroy(); behind.destroy() }))
    client.pipe(behind).pipe(client)
  })
  const drop = () => { for (const socket of sockets) socket.destroy() }
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close(); drop() })
  return { port: (server.address() as { port: number }).port, pointTo: (port: number) => { target = port; drop() } }
}

t.test('a fail-over to a replica that had fewer entries', async (t) => {
  const events = await testLog(t)
  const master = await testRedis(t, { settings: ['repl-diskless-sync-delay 0'] })
  const replica = await testRedis(t)
  const [onMaster, onReplica] = [master.client(), replica.client()]
  await until(() => onReplica.config('SET', 'masterauth', master.password).then(() => true, () => false))
  await onReplica.replicaof('127.0.0.1', master.port)
  await onReplica.config('SET', 'requirepass', master.password)
  const name = await address(t, master.port)
  const publisher = testPublisher(t, { events, url: `redis://:${master.password}@127.0.0.1:${name.port}` })
  for (let i = 0; i < 10; i++) await appendDeletion(events)
  await published(events, onMaster)
  await until(async () => await onReplica.xlen(STREAM) === 10)

  // The replica hears no more; then the address points to it while it is still a replica.
  await onReplica.replicaof('127.0.0.1', 1)
  for (let i = 0; i < 10; i++) await appendDeletion(events)
  await published(events, onMaster)
  await master.kill()
  name.pointTo(replica.port)
  await appendDeletion(events)
  await until(() => publisher.status().cause === 'READONLY' || publisher.status().cause === 'MASTERDOWN')
  t.equal(publisher.status().state, 'away')
  await onReplica.replicaof('NO', 'ONE')
  await published(events, onReplica)
  t.equal(await onReplica.xlen(STREAM), 21)
  t.strictSame(await streamFaults(events, onReplica, { sign }), [])
})

type Step = { do: 'append', count: number } | { do: 'other' | 'kill' | 'empty' | 'copy' | 'restore' | 'cut' | 'restart' | 'another' | 'wait' }

const steps = fc.array(fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('other' as const, 'kill' as const, 'empty' as const, 'copy' as const, 'restore' as const, 'cut' as const, 'restart' as const, 'another' as const, 'wait' as const) }) }
), { minLength: 4, maxLength: 10 })

/** Runs a sequence of losses on a log that grows meanwhile; the stream has to be right in the end. */
const survive = async (t: Test, server: TestRedis, sequence: readonly Step[]): Promise<string[]> => {
  const events = await testLog(t)
  const redis = server.client()
  await until(() => redis.flushall().then(() => true, () => false))
  const copy = `${server.folder}.copy`
  await rm(copy, { recursive: true, force: true })
  let copied = false
  const publishers: TestPublisher[] = [testPublisher(t, { events, url: server.url })]
  const growing: Array<Promise<unknown>> = []
  const acts: Record<Step['do'], (step: Step) => Promise<unknown>> = {
    // Not waited for: the losses happen while it is published.
    append: async (step) => { growing.push(...Array.from({ length: step.do === 'append' ? step.count : 0 }, () => appendDeletion(events))) },
    other: async () => { growing.push(appendOther(events)) },
    kill: async () => { await server.kill(); await server.start() },
    empty: () => redis.flushall().catch(() => {}),
    copy: async () => {
      await server.stop()
      await rm(copy, { recursive: true, force: true })
      await cp(server.folder, copy, { recursive: true })
      copied = true
      await server.start()
    },
    restore: async () => {
      if (!copied) return
      await server.kill()
      await rm(server.folder, { recursive: true })
      await cp(copy, server.folder, { recursive: true })
      await server.start()
    },
    cut: () => redis.call('CLIENT', 'KILL', 'TYPE', 'NORMAL', 'SKIPME', 'yes').catch(() => {}),
    restart: async () => {
      await publishers.pop()?.close()
      publishers.push(testPublisher(t, { events, url: server.url }))
    },
    another: async () => { if (publishers.length < 3) publishers.push(testPublisher(t, { events, url: server.url })) },
    wait: () => Promise.allSettled(growing)
  }
  try {
    for (const step of sequence) await acts[step.do](step)
    await Promise.all(growing)
    await published(events, redis)
    await until(() => publishers.every((publisher) => publisher.status().lagEntries === 0 && publisher.status().state === 'ready'))
    return await streamFaults(events, redis, { sign })
  } finally {
    await Promise.all(publishers.map((publisher) => publisher.close()))
    await rm(copy, { recursive: true, force: true })
  }
}

t.test('any sequence of losses', async (t) => {
  const server = await testRedis(t)
  const rounds = Number(process.env['ROUNDS'] ?? 8)
  const property = fc.asyncProperty(steps, async (sequence) => {
    const faults = await survive(t, server, sequence)
    if (faults.length > 0) throw new Error(faults.join(', '))
  })
  const result = await fc.check(property, { numRuns: rounds, endOnFailure: true })
  t.notOk(result.failed, `${rounds} sequences, seed ${result.seed}: ${fc.defaultReportMessage(result) ?? 'the stream is what the log says'}`)
})

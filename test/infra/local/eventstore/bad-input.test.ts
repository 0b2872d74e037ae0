// What a broken or hostile caller may send: the right status, bounded memory, and nobody else is harmed.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { get } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { type StoreProcess, anonymousMemory, scratchFolder, storeProcess } from './support.ts'
import { Appender, type WireCall, WireClient, batchAnswer, batchRequest, eventRequest, kindOf, readEvents, readRequest, streamRequest, wireClient } from './wire-client.ts'

t.setTimeout(120_000)

const Code = { INVALID_ARGUMENT: 3, DEADLINE_EXCEEDED: 4, RESOURCE_EXHAUSTED: 8, UNIMPLEMENTED: 12, INTERNAL: 13 }
const MIB = 1024 * 1024

const head = (flag: number, length: number): Buffer => {
  const bytes = Buffer.alloc(5)
  bytes[0] = flag
  bytes.writeUInt32BE(length, 1)
  return bytes
}
const event = (data: string | Buffer = '{}'): { id: string, data: string | Buffer } => ({ id: randomUUID(), data })

/** An append and a read by somebody else work, and soon. */
const healthy = async (t: Test, store: StoreProcess, when: string): Promise<void> => {
  const client = wireClient(t, store.port)
  const stream = `healthy-${randomUUID()}`
  const started = performance.now()
  const answer = await new Appender(client).append(stream, 'no_stream', [event()])
  t.match(answer, { revision: 0 }, `an append works ${when}`)
  t.equal((await readEvents(client, { stream })).length, 1, `a read works ${when}`)
  t.ok(performance.now() - started < 5_000, `both within seconds ${when}`)
}
t.test('requests that are none', async (t) => {
  const store = await storeProcess(t, scratchFolder(t))
  const client = wireClient(t, store.port)
  const raw = async (method: string, bytes: Buffer, end = true): Promise<number> => {
    const call = client.call(method)
    call.stream.write(bytes)
    if (end) call.stream.end()
    return (await call.ended).code
  }
  for (const method of ['Append', 'BatchAppend', 'Read', 'Delete', 'Tombstone']) {
    t.equal(await raw(method, Buffer.concat([head(1, 2), Buffer.from([8, 1])]), false), Code.UNIMPLEMENTED, `${method}: compressed`)
    t.equal(await raw(method, head(0, 2 ** 32 - 1), false), Code.RESOURCE_EXHAUSTED, `${method}: a message of 4 GB is refused by its length`)
    t.equal(await raw(method, Buffer.concat([head(0, 100), Buffer.alloc(10)])), Code.INTERNAL, `${method}: ends within a message`)
    for (const bytes of [[0xff], [0x0a, 0x7f, 1], [0x0f, 1], [0x0a, 2, 0x0a, 9], Array.from({ length: 12 }, () => 0xff), [0x0d, 1]]) {
      t.equal(await raw(method, Buffer.concat([head(0, bytes.length), Buffer.from(bytes)]), false), Code.INTERNAL, `${method}: ${bytes.length} bytes that are not protobuf`)
    }
  }
  t.equal((await client.ask('/event_store.client.persistent_subscriptions.PersistentSubscriptions/Create', Buffer.alloc(0))).status.code, Code.UNIMPLEMENTED)
  t.match((await client.ask('/event_store.client.users.Users/Create', Buffer.alloc(0))).status.message, /does not offer/, 'in plain words')

  const call = client.call('Read', { headers: { 'grpc-timeout': '200m' } })
  call.send(readRequest({ from: 'end' }))
  t.equal((await call.ended).code, Code.DEADLINE_EXCEEDED, 'the deadline ends a subscription')

  const socket = connect(store.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  socket.end('rubbish that is no HTTP at all\r\n\r\n')
  await once(socket, 'close')
  await new Promise<void>((resolve) => { get({ port: store.port, path: '/streams/a' }, () => { resolve() }).on('error', () => { resolve() }) })
  await healthy(t, store, 'after rubbish')
})

t.test('events that are too large', async (t) => {
  const store = await storeProcess(t, scratchFolder(t))
  const client = wireClient(t, store.port)
  const append = async (...sizes: number[]): Promise<number> => {
    const call = client.call('Append')
    call.send(streamRequest('large', 'any'))
    for (const size of sizes) call.send(eventRequest(event(Buffer.alloc(size, 'x'))))
    call.stream.end()
    return (await call.ended).code
  }
  t.equal(await append(MIB), 0, '1 MiB is taken')
  t.equal(await append(MIB + 1), Code.INVALID_ARGUMENT, 'one byte more is not')
  t.equal(await append(MIB / 2, MIB / 2, 1), Code.INVALID_ARGUMENT, 'nor in parts')
  const batch = client.call('BatchAppend')
  const answer = async (request: Buffer): Promise<unknown> => {
    const next = batch.next()
    batch.send(request)
    return batchAnswer(await next)
  }
  t.match(await answer(batchRequest(randomUUID(), 'large', 'any', [event(Buffer.alloc(5 * MIB))])), { code: 3, name: 'MaximumAppendSizeExceeded' })
  t.match(await answer(batchRequest(randomUUID(), 'large', 'any', [event()])), { revision: 1 }, 'and the call lives on')
  batch.stream.write(head(0, 17 * MIB))
  t.equal((await batch.ended).code, Code.RESOURCE_EXHAUSTED, 'a message that nothing could be in')

  // 40 callers send 15 MiB each of a message that they never complete
  const greedy = Array.from({ length: 40 }, () => {
    const one = client.call('Append')
    one.stream.write(head(0, 16 * MIB - 1))
    for (let i = 0; i < 15; i++) one.stream.write(Buffer.alloc(MIB))
    return one
  })
  const first = await Promise.race(greedy.map((one) => one.ended))
  t.equal(first.code, Code.RESOURCE_EXHAUSTED, 'those who hold most are sent away')
  await healthy(t, store, 'beside unfinished messages')
  const memory = anonymousMemory(store.child.pid ?? 0)
  t.ok(memory === undefined || memory < 350, `600 MiB were sent, ${memory?.toFixed(0)} MB are held`)
  for (const one of greedy) one.cancel()
})

t.test('10,000 open streams and readers that never read', async (t) => {
  const store = await storeProcess(t, scratchFolder(t))
  const client = wireClient(t, store.port)
  const appender = new Appender(client)
  const fill = async (appends: number): Promise<void> => {
    await Promise.all(Array.from({ length: appends }, () => appender.append('much', 'any', Array.from({ length: 10 }, () => event(Buffer.alloc(4_000))))))
  }
  await fill(100) // 4 MB
  const clients = Array.from({ length: 10 }, () => new WireClient(store.port))
  t.teardown(() => { for (const one of clients) one.close() })
  const open = (reading: boolean, n: number): WireCall[] => clients.flatMap((one) => Array.from({ length: n }, () => {
    const call = one.call('Read', { reading })
    call.send(readRequest({ from: reading ? 'end' : 'start' }))
    return call
  }))
  // half wait for what is written, half have the 4 MB to read and never do
  const waiting = open(true, 500)
  await Promise.all(waiting.map((call) => call.next((message) => kindOf(message) === 8)))
  const stuck = open(false, 500)
  await Promise.all(stuck.map((call) => once(call.stream, 'response')))
  await healthy(t, store, 'beside 10,000 open streams')
  await fill(20)
  const memory = anonymousMemory(store.child.pid ?? 0)
  t.ok(memory === undefined || memory < 700, `10,000 open streams: ${memory?.toFixed(0)} MB`)

  // appends whose answers are never read
  const deaf = clients.map((one) => {
    const call = one.call('BatchAppend', { reading: false })
    for (let i = 0; i < 5_000; i++) call.send(batchRequest(randomUUID(), 'deaf', 'any', [event()]))
    return call
  })
  await healthy(t, store, 'beside callers that do not read their answers')
  for (const call of [...waiting, ...stuck, ...deaf]) call.cancel()
  await Promise.all(waiting.map((call) => call.ended))
  await healthy(t, store, 'after all of them left')
  const after = anonymousMemory(store.child.pid ?? 0)
  t.ok(after === undefined || after < 700, `and ${after?.toFixed(0)} MB when they are gone`)
  t.equal(await store.kill('SIGTERM'), 0, 'it stops in order')
})

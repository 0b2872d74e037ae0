// The store as a process: how it starts, what it refuses and in which words, how it stops, and what it does on a full disk.
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { excludeSystemEvents, jsonEvent } from '@eventstore/db-client'
import t, { type Test } from 'tap'
import { openEventStore } from '../../../../infra/local/eventstore/index.ts'
import { anonymousMemory, clientOf, runStore, scratchFolder, signal, storeCommand, storeHere, storeProcess } from './support.ts'
import { Appender, type WireClient, kindOf, readEvents, readRequest, wireClient } from './wire-client.ts'

t.setTimeout(120_000)

/** Kinds of what a read is sent. */
const EVENT = 1
const CAUGHT_UP = 8

/** What a start that fails says on stderr, and its exit code. */
const refusal = async (t: Test, command: string[]): Promise<{ said: string, code: number | null }> => {
  const child = runStore(t, command)
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const [code] = await once(child, 'close') as [number | null]
  return { said, code }
}

t.test('starts with one line, stops in order, goes on with the same data', async (t) => {
  const dataDir = join(scratchFolder(t), 'made', 'for me')
  const first = await storeProcess(t, dataDir)
  t.equal(first.line, `chancery eventstore ready on esdb://127.0.0.1:${first.port}?tls=false (data ${dataDir}; loopback only, not for production)`)
  const client = clientOf(t, first.port)
  const events = [jsonEvent({ type: 'one', data: { n: 1 } }), jsonEvent({ type: 'two', data: { n: 2 }, metadata: { by: 'me' } })]
  const appended = await client.appendToStream('a', events, { expectedRevision: 'no_stream' })
  t.equal(appended.nextExpectedRevision, 1n)
  const subscription = client.subscribeToAll({ filter: excludeSystemEvents() })
  const seen: string[] = []
  subscription.on('data', ({ event }) => { if (event) seen.push(event.type) })
  const ended = once(subscription, 'error')
  await once(subscription, 'confirmation')
  t.equal(await first.kill('SIGTERM'), 0, 'SIGTERM: exit code 0')
  t.match(await ended, [{ code: 14 }], 'an open subscription is told that the store is unavailable')
  t.same(seen, ['one', 'two'])
  await client.dispose()

  const second = await storeProcess(t, dataDir)
  const again = clientOf(t, second.port)
  const read = []
  for await (const { event } of again.readStream('a')) read.push(event)
  t.match(read, [{ type: 'one', data: { n: 1 }, revision: 0n }, { type: 'two', data: { n: 2 }, metadata: { by: 'me' }, revision: 1n, position: appended.position }])
  // a repeat with a revision is recognised after a restart too
  t.equal((await again.appendToStream('a', events, { expectedRevision: 'no_stream' })).nextExpectedRevision, 1n)
  t.equal(await second.kill('SIGINT'), 0, 'SIGINT: exit code 0')
})

t.test('refuses to start, in one line', async (t) => {
  const folder = scratchFolder(t)
  const store = await storeHere(t)
  const cases: [string, string[], RegExp][] = [
    ['folder in use', storeCommand(store.dataDir), /^chancery eventstore: the data folder .* is in use by another event store: stop it, or use another folder\n$/],
    ['port in use', storeCommand(join(folder, 'b'), store.port), new RegExp(`^chancery eventstore: port ${store.port} is in use: stop what uses it, or choose another with --port\n$`)],
    ['no flags', storeCommand(folder).slice(0, -4), /^chancery eventstore: usage: .*\n$/],
    ['bad port', [...storeCommand(folder).slice(0, -1), '70000'], /^chancery eventstore: usage: .*\n$/],
    ['unknown flag', [...storeCommand(folder), '--fast'], /^chancery eventstore: Unknown option '--fast'.*\n$/]
  ]
  mkdirSync(join(folder, 'newer'))
  writeFileSync(join(folder, 'newer', 'format'), 'chancery-eventstore 2\n')
  cases.push(['newer format', storeCommand(join(folder, 'newer')), /^chancery eventstore: the data folder .* has format 2, newer than this version's 1: use .*\n$/])
  writeFileSync(join(folder, 'file'), '')
  cases.push(['folder is a file', storeCommand(join(folder, 'file')), /^chancery eventstore: the data folder .* cannot be used: .*\n$/])
  await Promise.all(cases.map(async ([title, command, words]) => {
    const { said, code } = await refusal(t, command)
    t.match(said, words, title)
    t.equal(code, 1, `${title}: exit code 1`)
  }))
  t.equal(readFileSync(join(folder, 'newer', 'format'), 'utf8'), 'chancery-eventstore 2\n', 'what is newer is left alone')
  await t.rejects(openEventStore({ dataDir: folder, port: 0, host: '0.0.0.0' }), /loopback only/)

  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  await t.rejects(openEventStore({ dataDir: folder, port }), /is in use/)
  taken.close()
  const free = await openEventStore({ dataDir: folder, port: 0 })
  await free.close()
  t.pass('a start that failed holds nothing back')
})

const noLimits = spawnSync('prlimit', ['--version']).error ? 'there is no prlimit here' : false

t.test('a full disk refuses appends and goes on reading', { skip: noLimits }, async (t) => {
  const limit = 4 * 1024 * 1024
  const dataDir = scratchFolder(t)
  // no file may grow beyond the limit: writes then fail as on a full disk
  const store = await storeProcess(t, dataDir, { prefix: ['prlimit', `--fsize=${limit}:unlimited`] })
  const client = wireClient(t, store.port)
  const appender = new Appender(client)
  const acknowledged: string[] = []
  let refused = 0
  for (let round = 0; refused < 20; round++) {
    const ids = Array.from({ length: 8 }, () => randomUUID())
    const answers = await Promise.all(ids.map((id) => appender.append(`s-${round % 3}`, 'any', [{ id, data: Buffer.alloc(20_000, 'x') }])))
    for (const [i, answer] of answers.entries()) {
      if ('revision' in answer) acknowledged.push(ids[i] ?? '')
      else {
        refused++
        t.match(answer, { code: 8, name: /^nothing was appended: / }, 'resource exhausted, in plain words')
      }
    }
  }
  t.ok(acknowledged.length > 20, `${acknowledged.length} appends fitted`)
  const found = async (): Promise<string[]> => (await readEvents(client, { from: 'start' })).filter(({ stream }) => stream.startsWith('s-')).map(({ id }) => id)
  t.same((await found()).sort(), [...acknowledged].sort(), 'reads go on, and find exactly what was acknowledged')
  t.ok(statSync(join(dataDir, 'events.mdb')).size <= limit)

  // room again: the process recovers by itself
  t.equal(spawnSync('prlimit', ['--pid', String(store.child.pid), `--fsize=${limit * 4}:unlimited`]).status, 0)
  const id = randomUUID()
  t.match(await appender.append('s-0', 'any', [{ id, data: Buffer.alloc(20_000) }]), { position: Number }, 'with room again, appends are taken')
  t.same((await found()).sort(), [...acknowledged, id].sort())
  for (const name of ['s-0', 's-1', 's-2']) {
    const revisions = (await readEvents(client, { stream: name })).map(({ revision }) => Number(revision))
    t.same(revisions, revisions.map((_, i) => i), `${name} has no gap`)
  }
  t.equal(await store.kill('SIGTERM'), 0)
  t.equal((await readEvents(wireClient(t, (await storeProcess(t, dataDir)).port), { stream: 's-0' })).at(-1)?.id, id, 'and are there after a restart')
})

t.test('memory stays small at 128 appends in flight and 100 subscribers', async (t) => {
  const store = await storeProcess(t, scratchFolder(t))
  const client = wireClient(t, store.port)
  const readers = wireClient(t, store.port)
  const subscriptions = await Promise.all(Array.from({ length: 100 }, () => subscribed(readers, 128 * 40)))
  const appender = new Appender(client)
  const data = Buffer.alloc(400, 'x')
  let peak = 0
  await Promise.all(Array.from({ length: 128 }, async (_, n) => {
    for (let i = 0; i < 40; i++) {
      await appender.append(`m-${n}`, 'any', [{ id: randomUUID(), data }])
      if (n === 0) peak = Math.max(peak, anonymousMemory(store.child.pid ?? 0) ?? 0)
    }
  }))
  await Promise.all(subscriptions.map(({ all }) => all))
  t.ok(peak < 120, `${peak.toFixed(0)} MB of anonymous memory`)
})

/** A live subscription to $all; `all` resolves when it has seen so many events. */
const subscribed = async (client: WireClient, events: number): Promise<{ all: Promise<void> }> => {
  const call = client.call('Read')
  call.send(readRequest({ from: 'end' }))
  await call.next((message) => kindOf(message) === CAUGHT_UP)
  let seen = 0
  const all = signal()
  call.onMessage = (message) => {
    call.messages.length = 0
    if (kindOf(message) === EVENT && ++seen === events) all.done()
  }
  return { all: all.promise }
}

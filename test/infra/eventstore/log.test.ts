// The EventStore port on the local store: what is read, in which order, under which namespace, and what is not readable.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import t, { type Test } from 'tap'
import { newKey } from '../../../infra/keys/cipher.ts'
import { masterKey } from '../../../infra/keys/master-key.ts'
import { openLog, type Log } from '../../../infra/eventstore/index.ts'
import { connectPostgres } from '../../../infra/postgres/index.ts'
import { openVault } from '../../../infra/vault/index.ts'
import { uuidIds } from '../../../infra/ids.ts'
import { Clear, type Sealed } from '../../../src/domain/personal.ts'
import { LogForked, UnreadableEvent, WrongExpectedRevision } from '../../../src/log-errors.ts'
import type { Delivery, NewEvent, Vault } from '../../../src/ports.ts'
import { testEventStore } from '../../support/eventstore.ts'
import { testDatabase } from '../../support/postgres.ts'
import { all, at, freshStream, granted, metadata, noVault } from './facts.ts'

const logOn = async (t: Test, url: string, options: Partial<Parameters<typeof openLog>[0]> = {}): Promise<Log> => {
  const log = await openLog({ url, vault: noVault, ...options })
  t.teardown(() => log.close())
  return log
}

/** Another program with the same store: it may write anything anywhere. */
const foreign = (t: Test, url: string) => {
  const client = EventStoreDBClient.connectionString(url)
  t.teardown(() => client.dispose())
  return (stream: string, type: string, data: object, meta?: object, count = 1) =>
    client.appendToStream(stream, Array.from({ length: count }, () =>
      jsonEvent({ type, data: data as Record<string, string>, ...(meta && { metadata: meta as Record<string, string> }) })))
}

const testVault = async (t: Test): Promise<Vault> => {
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const { pool, schemas } = postgres
  return openVault({ pool, schema: schemas.vault, masterKey: masterKey(newKey(), 'the test') })
}

const invited = (testerId: string, email: string, extra: object = {}): NewEvent => ({
  type: 'tester.invited',
  data: { testerId, email: new Clear(email, `tester-${testerId}`), addressHash: '0'.repeat(64), invitedAt: at, ...extra },
  id: uuidIds.next(),
  metadata: metadata()
})

t.test('reads forwards and backwards, from anywhere, and a stream that is not there', async (t) => {
  const { url } = await testEventStore(t)
  const log = await logOn(t, url)
  const { id, stream } = freshStream()
  const appended = await log.append(stream, 'no_stream', Array.from({ length: 5 }, (_, i) => granted(id, `r${i}`)))
  const revisions = async (options: Parameters<Log['readStream']>[1]) => (await all(log.readStream(stream, options))).map((event) => Number(event.revision))

  t.same(await revisions({}), [0, 1, 2, 3, 4])
  t.same(await revisions({ from: 3n }), [3, 4])
  t.same(await revisions({ from: 5n }), [])
  t.same(await revisions({ from: 1n, limit: 2 }), [1, 2])
  t.same(await revisions({ direction: 'backwards' }), [4, 3, 2, 1, 0])
  t.same(await revisions({ direction: 'backwards', from: 2n, limit: 2 }), [2, 1])
  t.same(await revisions({ limit: 0 }), [])
  t.same(await all(log.readStream('principal-absent')), [])
  t.same(await all(log.readStream('principal-absent', { direction: 'backwards' })), [])

  const events = await all(log.readStream(stream))
  t.equal(appended.revision, 4n)
  t.equal(appended.position, events[4]?.position)
  t.same(appended.events, events.map(({ position, created, ...event }) => event), 'an append hands back what a read finds')
  t.ok(events.every(({ created }) => Math.abs(Date.now() - created.getTime()) < 60_000))

  const raced = await log.append(stream, 'no_stream', [granted(id, 'x')]).then(() => undefined, (error: unknown) => error)
  t.type(raced, WrongExpectedRevision)
  t.match(raced, { stream, actual: 4n })
  t.match(await log.append('principal-absent', 3n, [granted(id, 'x')]).catch((error: unknown) => error), { actual: 'no_stream' })
  t.equal((await log.append(stream, 4n, [granted(id, 'after')])).revision, 5n)
})

t.test('$all: only what is ours, exclusive of the position, among foreign events', async (t) => {
  const { url } = await testEventStore(t)
  const log = await logOn(t, url, { namespace: 'blue' })
  const other = await logOn(t, url, { namespace: 'green' })
  const write = foreign(t, url)
  t.equal(await log.last(), undefined)
  t.same(await all(log.readAll()), [])
  const { id, stream } = freshStream()
  const positions: bigint[] = []
  for (let i = 0; i < 6; i++) {
    await write('somebody-else', 'thing.happened', { i }, undefined, 20)
    await write('principal-1', 'without.namespace', { i })
    await other.append(stream, i === 0 ? 'no_stream' : BigInt(i - 1), [granted(id, 'green')])
    positions.push((await log.append(stream, i === 0 ? 'no_stream' : BigInt(i - 1), [granted(id, 'blue')])).position)
  }
  await write('somebody-else', 'thing.happened', {}, undefined, 2_000)

  const places = async (options?: Parameters<Log['readAll']>[0]) => (await all(log.readAll(options))).map((event) => positions.indexOf(event.position))
  t.same(await places(), [0, 1, 2, 3, 4, 5])
  for (let i = 0; i < 6; i++) {
    t.same(await places({ after: positions[i] ?? 0n }), [0, 1, 2, 3, 4, 5].slice(i + 1), `after ${i}`)
    t.same(await places({ after: positions[i] ?? 0n, limit: 2 }), [0, 1, 2, 3, 4, 5].slice(i + 1, i + 3), `2 after ${i}`)
    t.same(await places({ after: positions[i] ?? 0n, direction: 'backwards' }), [5, 4, 3, 2, 1, 0].slice(6 - i), `before ${i}`)
  }
  t.same(await places({ direction: 'backwards', limit: 2 }), [5, 4])
  t.equal((await log.last())?.position, positions[5])
  t.equal((await log.last())?.stream, stream, 'without the namespace')
  t.same((await log.at(positions[2] ?? 0n))?.revision, 2n)
  t.equal(await log.at((positions[2] ?? 0n) + 1n), undefined, 'no event is there')
  t.equal(await log.at(10_000_000_000n), undefined, 'nor beyond the end')
  t.same((await all(log.rawAll({ limit: 1 })))[0]?.data, { principalId: id, role: 'blue', grantedAt: at })
  t.same((await all(log.rawStream(stream, { limit: 1 })))[0]?.metadata, metadata())
})

t.test('a subscription: history, caught up, live; resumed from any event and any checkpoint', async (t) => {
  const { url } = await testEventStore(t)
  const log = await logOn(t, url)
  const write = foreign(t, url)
  const { id, stream } = freshStream()
  for (let i = 0; i < 10; i++) {
    await log.append(stream, i === 0 ? 'no_stream' : BigInt(i - 1), [granted(id, `r${i}`)])
    if (i === 4) await write('somebody-else', 'thing.happened', {}, undefined, 3_000)
  }
  const leaving = new AbortController()
  const seen: Delivery[] = []
  for await (const delivery of log.subscribe({ signal: leaving.signal })) {
    seen.push(delivery)
    if (delivery.kind === 'caught_up') {
      await write('somebody-else', 'thing.happened', {}, undefined, 1_200)
      await log.append(stream, 9n, [granted(id, 'live')])
    }
    if (delivery.kind === 'event' && delivery.event.revision === 10n) leaving.abort()
  }
  const events = seen.flatMap((delivery) => delivery.kind === 'event' ? [delivery.event] : [])
  const checkpoints = seen.flatMap((delivery) => delivery.kind === 'checkpoint' ? [delivery.position] : [])
  t.same(events.map(({ revision }) => Number(revision)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  t.ok(checkpoints.length > 0, 'foreign events alone move it forward')
  t.same(await all(log.readStream(stream)), events, 'the same as the stream itself')

  for (const after of [0n, ...events.map(({ position }) => position), ...checkpoints]) {
    const rest = events.filter(({ position }) => position > after)
    const last = events.findLast(({ position }) => position <= after)
    const found: bigint[] = []
    const enough = new AbortController()
    for await (const delivery of log.subscribe({ after, ...(last && { last }), signal: enough.signal })) {
      if (delivery.kind === 'event') found.push(delivery.event.position)
      if (delivery.kind === 'caught_up') enough.abort()
    }
    t.same(found, rest.map(({ position }) => position), `after ${after}`)
  }
})

t.test('another log at the same address is noticed before anything is delivered', async (t) => {
  const { url } = await testEventStore(t)
  const log = await logOn(t, url)
  const { id, stream } = freshStream()
  const { position, events } = await log.append(stream, 'no_stream', [granted(id, 'a')])
  const known = events[0]?.id ?? ''
  const begin = (options: object) => all(log.subscribe({ signal: new AbortController().signal, ...options }))
  await t.rejects(begin({ after: position, last: { position, id: uuidIds.next() } }), LogForked, 'another event is there')
  await t.rejects(begin({ after: 99_999_999n, last: { position, id: known } }), LogForked, 'its end lies behind')
  await t.rejects(begin({ after: position - 1n }), LogForked, 'no event is there')
  await t.rejects(begin({ after: 99_999_999n, last: { position: 99_999_999n, id: known } }), LogForked)
})

t.test('personal data: sealed in its place, and nowhere in clear', async (t) => {
  const store = await testEventStore(t)
  const vault = await testVault(t)
  const log = await logOn(t, store.url, { vault })
  const id = uuidIds.next()
  const stream = `tester-${id}`
  const canary = 'canary.person@example.com'
  const fact = invited(id, canary, { name: new Clear('Canary Person', stream) })
  const dressed = { ...fact, metadata: metadata({ ip: new Clear('203.0.113.77', 'principal-1'), reason: new Clear('canary reason', stream) }) }
  const { events: [recorded] } = await log.append(stream, 'no_stream', [dressed])
  const [read] = await all(log.readStream(stream))
  if (read?.type !== 'tester.invited' || recorded?.type !== 'tester.invited') throw new Error('not recorded')
  t.same(read.data, recorded.data)
  t.equal((read.data.email as Sealed).at, `${stream}/${fact.id}/data.email`)
  t.equal((read.metadata.ip as Sealed).at, `${stream}/${fact.id}/metadata.ip`)
  t.same(await vault.open(read.data.email, stream), { status: 'open', text: canary })
  t.same(await vault.open(read.metadata.ip ?? new Clear('', ''), 'principal-1'), { status: 'open', text: '203.0.113.77' })
  await store.stop()

  const bytes = readdirSync(store.dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
  const forms = (text: string) => [text, Buffer.from(text).toString('base64').replace(/=*$/, ''), Buffer.from(text).toString('hex'), encodeURIComponent(text)]
  const holds = (text: string) => bytes.some((file) => forms(text).some((form) => file.includes(form)))
  t.ok(holds(fact.id) || holds(stream), 'the scan does find what is there')
  for (const text of [canary, 'Canary Person', '203.0.113.77', 'canary reason']) t.notOk(holds(text), text)
})

t.test('what does not belong into the log does not get there', async (t) => {
  const { url } = await testEventStore(t)
  const vault = await testVault(t)
  const log = await logOn(t, url, { vault })
  const id = uuidIds.next()
  const stream = `tester-${id}`
  const { events: [first] } = await log.append(stream, 'no_stream', [invited(id, 'ada@example.com')])
  const stolen = first?.type === 'tester.invited' ? first.data.email : undefined
  const refused = (event: object, pattern: RegExp | { code: string }, what: string) =>
    t.rejects(log.append(stream, 0n, [event as NewEvent]), pattern instanceof RegExp ? { message: pattern } : pattern, what)

  const fact = () => invited(id, 'ada@example.com')
  await refused({ ...fact(), type: 'user.created' }, /no event of tester streams/, "another category's event")
  await refused({ ...fact(), type: 'constructor' }, /no event of tester streams/, 'a word of JavaScript')
  await refused(invited(id, 'ada@example.com', { surplus: 1 }), /surplus/, 'an unknown property')
  await refused(invited(id, 'ada@example.com', { invitedAt: 'today' }), /invitedAt/, 'a wrong time')
  await refused(invited(id, 'ada@example.com', { addressHash: new Clear('x', stream) }), /addressHash/, 'a person in an open field')
  await refused(invited(id, 'ada@example.com', { email: 'ada@example.com' }), /envelope of another place/, 'an address that is not sealed')
  await refused(invited(id, 'ada@example.com', { email: stolen }), /envelope of another place/, 'the envelope of another event')
  await refused({ ...fact(), metadata: metadata({ schemaVersion: 2 }) }, /schemaVersion is 2, not 1/, 'a version that is not ours')
  await refused({ ...fact(), metadata: { ...metadata(), requestId: undefined } }, /requestId/, 'metadata that lacks something')
  for (const bad of ['a\0b', 'a\ud800b', '\udc00']) {
    await refused(invited(id, bad), { code: 'invalid_request' }, `sealed ${JSON.stringify(bad)}`)
    await refused({ ...fact(), metadata: metadata({ ticket: bad }) }, { code: 'invalid_request' }, `open ${JSON.stringify(bad)}`)
  }
  await t.rejects(log.append(stream, 0n, []), RangeError)
  t.equal((await all(log.rawStream(stream))).length, 1)

  const ticket = '\\u0000 \\\\ud800 \u0001 \ud83d\ude00'
  await log.append(stream, 0n, [{ ...fact(), metadata: metadata({ ticket }) }])
  t.equal((await all(log.readStream(stream, { from: 1n })))[0]?.metadata.ticket, ticket, 'backslashes and whole pairs are only text')
})

t.test('an event of ours that does not fit stops its reader by name', async (t) => {
  const { url } = await testEventStore(t)
  const vault = await testVault(t)
  const log = await logOn(t, url, { vault })
  const write = foreign(t, url)
  const id = uuidIds.next()
  const data = { principalId: id, role: 'auditor', grantedAt: at }
  const secret = 'not-for-messages'
  const cases: Array<[string, string, object, object | undefined, RegExp]> = [
    ['unknown type', 'principal.exploded', data, metadata(), /no event of principal streams/],
    ['no metadata', 'principal.role_granted', data, undefined, /metadata is not JSON/],
    ['poor metadata', 'principal.role_granted', data, { commandId: 'c' }, /metadata:/],
    ['of the future', 'principal.role_granted', data, metadata({ schemaVersion: 2 }), /version 2 is not known/],
    ['of no version', 'principal.role_granted', data, metadata({ schemaVersion: 0 }), /version 0 is not known/],
    ['a missing field', 'principal.role_granted', { principalId: id, role: secret.toUpperCase() }, metadata(), /data: \/(grantedAt|role)/],
    ['NUL', 'principal.role_granted', { ...data, role: 'a\0' }, metadata(), /NUL/],
    ['half a surrogate pair', 'principal.role_granted', data, metadata({ ticket: '\ud83d' }), /NUL or half/]
  ]
  for (const [what, type, body, meta, pattern] of cases) {
    const stream = `principal-${uuidIds.next()}`
    await write(stream, type, body, meta)
    const error = await all(log.readStream(stream)).then(() => undefined, (error: unknown) => error)
    t.type(error, UnreadableEvent, what)
    t.match(String(error), pattern, what)
    t.match(error, { stream, revision: 0n, eventType: type })
    t.notMatch(String(error).toLowerCase(), secret)
    t.equal((await all(log.rawStream(stream)))[0]?.type, type, 'the auditor reads it all the same')
  }

  const stream = `tester-${id}`
  const { events: [recorded] } = await log.append(stream, 'no_stream', [invited(id, 'ada@example.com')])
  const copied = `tester-${uuidIds.next()}`
  await write(copied, 'tester.invited', recorded?.data ?? {}, recorded?.metadata)
  await t.rejects(all(log.readStream(copied)), /data\.email holds an envelope of another place/, 'an envelope copied to another stream')

  const first = (await all(log.rawAll({ limit: 1 })))[0]
  const error = await all(log.subscribe({ signal: new AbortController().signal })).then(() => undefined, (error: unknown) => error)
  t.type(error, UnreadableEvent, 'a subscription ends with it')
  t.match(error, { position: first?.position })
})

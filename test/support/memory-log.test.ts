// One contract over the log in memory and the real adapter on the local event store: what one answers, the other answers.
import t from 'tap'
import { uuidIds } from '../../infra/ids.ts'
import type { LogEvent } from '../../src/domain/catalogue.ts'
import type { Delivery, EventStore } from '../../src/ports.ts'
import { all, freshStream, granted, metadata } from '../infra/eventstore/facts.ts'
import { testLog } from './log.ts'
import { memoryLog } from './memory-log.ts'

/** What may be compared between two logs: ids, times and positions are each one's own. */
const plain = (events: readonly LogEvent[], names: ReadonlyMap<string, string>) =>
  events.map(({ stream, type, revision, data, metadata }) => ({ stream: names.get(stream), type, revision: Number(revision), role: (data as { role?: string }).role, metadata }))

/** Walks one log through everything that the domain asks of it, and says what it answered. */
const walk = async (log: EventStore): Promise<Record<string, unknown>> => {
  const [one, other] = [freshStream(), freshStream()]
  const names = new Map([[one.stream, 'one'], [other.stream, 'other']])
  const failure = (work: Promise<unknown>) => work.then(() => 'appended', (error: unknown) =>
    error instanceof Error ? `${error.name} ${'actual' in error ? String(error.actual) : ''}` : 'thrown')
  const said: Record<string, unknown> = {}
  const three = ['a', 'b', 'c'].map((role) => granted(one.id, role))

  said['last of an empty log'] = await log.last()
  const appended = await log.append(one.stream, 'no_stream', three)
  said['appended'] = [appended.revision, appended.events.map(({ type, revision, stream }) => [type, revision, names.get(stream)])]
  said['the unchanged repeat is no second one'] = (await log.append(one.stream, 'no_stream', three)).revision
  const second = await log.append(other.stream, 'no_stream', [granted(other.id, 'd')])
  await log.append(one.stream, 2n, [granted(one.id, 'e'), granted(one.id, 'f')])
  said['lost races'] = [
    await failure(log.append(one.stream, 'no_stream', [granted(one.id, 'x')])), await failure(log.append(one.stream, 2n, [granted(one.id, 'x')])),
    await failure(log.append(one.stream, 9n, [granted(one.id, 'x')])), await failure(log.append('principal-absent', 0n, [granted(one.id, 'x')]))
  ]
  said['nothing'] = await failure(log.append(one.stream, 4n, []))
  said['an unknown type'] = await failure(log.append(one.stream, 4n, [{ ...granted(one.id, 'x'), type: 'principal.sang' } as never]))
  said['a fact of another category'] = await failure(log.append('tester-1', 'no_stream', [granted(one.id, 'x')]))
  said['a property that no schema knows'] = await failure(log.append(one.stream, 4n, [{ type: 'principal.role_granted', data: { principalId: one.id, role: 'x', grantedAt: '2026-01-01T00:00:00.000Z', more: 1 }, id: uuidIds.next(), metadata: metadata() } as never]))
  for (const options of [{}, { from: 1n }, { from: 1n, limit: 2 }, { from: 5n }, { from: 99n }, { limit: 0 }, { direction: 'backwards' }, { direction: 'backwards', limit: 2 }, { direction: 'backwards', from: 3n, limit: 2 }] as const) {
    said[`stream ${JSON.stringify(options, (_key, value: unknown) => typeof value === 'bigint' ? Number(value) : value)}`] = plain(await all(log.readStream(one.stream, options)), names)
  }
  said['an absent stream'] = await all(log.readStream('principal-absent'))
  const whole = await all(log.readAll())
  said['all'] = plain(whole, names)
  said['positions rise'] = whole.every(({ position }, n) => n === 0 || position > (whole[n - 1]?.position ?? 0n))
  said['a read is as it was appended'] = whole.some(({ id, position }) => id === appended.events[2]?.id && position === appended.position)
  for (const [name, options] of Object.entries({ after: { after: second.position }, before: { after: second.position, direction: 'backwards' as const }, two: { after: second.position, limit: 1 }, end: { direction: 'backwards' as const, limit: 2 } })) {
    said[`all, ${name}`] = plain(await all(log.readAll(options)), names)
  }
  said['at'] = [((await log.at(second.position))?.data as { role?: string }).role, await log.at(second.position + 1n)]
  said['last'] = plain([await log.last() as LogEvent], names)
  said['raw'] = (await all(log.rawStream(one.stream, { limit: 1 }))).map(({ type, revision, metadata }) => [type, revision, metadata])

  const leaving = new AbortController()
  const seen: Delivery[] = []
  for await (const delivery of log.subscribe({ after: second.position, signal: leaving.signal })) {
    seen.push(delivery)
    if (delivery.kind === 'caught_up') {
      setImmediate(() => { void log.append(other.stream, 0n, [granted(other.id, 'live'), granted(other.id, 'live-too')]) })
    }
    if (delivery.kind === 'event' && delivery.event.revision === 2n && delivery.event.stream === other.stream) leaving.abort()
  }
  said['subscribed'] = seen.flatMap((delivery): unknown[] => delivery.kind === 'event' ? plain([delivery.event], names) : delivery.kind === 'caught_up' ? ['caught up'] : [])
  return said
}

t.test('the log in memory answers as the real one does', async (t) => {
  const [memory, real] = [await walk(memoryLog()), await walk(await testLog(t))]
  for (const [name, answer] of Object.entries(real)) t.strictSame(memory[name], answer, name)
  t.match(real['subscribed'], [{ role: 'e' }, { role: 'f' }, 'caught up', { role: 'live' }, { role: 'live-too' }], 'and it was not nothing')
})

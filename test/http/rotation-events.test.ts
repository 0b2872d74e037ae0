// A job as server-sent events: from the beginning or from where one was, with a heartbeat, at the reader's own pace, to its end.
import { once } from 'node:events'
import { request as ask, type IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import t, { type Test } from 'tap'
import { createStreamWatch } from '../../src/http/stream-watch.ts'
import { rotationEventRoutes } from '../../src/http/routes/rotation-events.ts'
import { waitForHuman } from '../../src/http/step-wait.ts'
import type { LogEvent } from '../../src/domain/catalogue.ts'
import type { Delivery } from '../../src/ports.ts'
import { testDoor } from '../support/door.ts'
import { PATH, rotationWorld, type Job } from '../support/rotations.ts'
import { until } from '../support/until.ts'

t.setTimeout(90_000)

interface Followed { events: EventSourceMessage[], comments: string[], status: number, ended: () => boolean, close: () => void }

const follow = async (t: Pick<Test, 'teardown'>, url: string, headers: Record<string, string>): Promise<Followed> => {
  const asked = ask(url, { headers }).end()
  const [answer] = await once(asked, 'response') as [IncomingMessage]
  const events: EventSourceMessage[] = []
  const comments: string[] = []
  let ended = false
  const parser = createParser({ onEvent: (event) => { events.push(event) }, onComment: (comment) => { comments.push(comment) } })
  answer.setEncoding('utf8').on('data', (text: string) => { parser.feed(text) })
  answer.on('close', () => { ended = true }).on('error', () => {})
  asked.on('error', () => {})
  t.teardown(() => { asked.destroy() })
  return { events, comments, status: answer.statusCode ?? 0, ended: () => ended, close: () => { asked.destroy() } }
}

t.test('over HTTP: from the beginning, from the middle, to the end, and for whoever may still read', async (t) => {
  const world = await rotationWorld(t)
  const { service, request, step } = world
  const name = 'told'
  await world.credential(name)
  const first = await world.open(name)
  const url = `${service.url}${PATH}/${name}/rotations/${first.rotation_id}/events`
  const reader = await world.bearer('rotations-read')
  const whole = await follow(t, url, reader)
  t.equal(whole.status, 200)
  await until(() => whole.events.length === 1)
  const verified = (await step(name, first, 'verify')).body
  await until(() => whole.events.length === 3)
  t.same(whole.events.map(({ event }) => event), ['rotation.opened', 'rotation.verify_started', 'rotation.verified'])
  const last = JSON.parse(whole.events[2]?.data ?? '') as { fact: string, view: Job, actor: object, at: string }
  const { body: { principal_id: operator } } = await request('GET', '/api/v1/me')
  t.match(last, { fact: 'rotation.verified', actor: { type: 'system', id: 'rotation' }, operator_id: null, at: String, view: { operator_id: operator, state: 'verified', transition: verified.transition, steps: ['distribute', 'abort'] } })

  const resumed = await follow(t, url, { ...reader, 'last-event-id': String(whole.events[1]?.id) })
  await until(() => resumed.events.length === 1)
  t.same(resumed.events[0], whole.events[2], 'nothing twice, nothing left out')
  t.equal((await step(name, verified, 'abort')).status, 202)
  await until(() => whole.ended() && resumed.ended())
  t.equal(whole.events.at(-1)?.event, 'rotation.aborted')
  t.same(resumed.events.slice(1), whole.events.slice(3))
  const over = await request('GET', `${PATH}/${name}/rotations/${first.rotation_id}/events`, undefined, { 'last-event-id': String(whole.events.at(-1)?.id) })
  t.equal(over.status, 204, 'an event source stops asking')

  const second = await world.open(name)
  const later = await follow(t, `${service.url}${PATH}/${name}/rotations/${second.rotation_id}/events`, reader)
  await until(() => later.events.length === 1)
  t.equal(later.events[0]?.event, 'rotation.opened', 'facts of another job are not among them')
  const replayed = await follow(t, url, reader)
  await until(() => replayed.ended())
  t.same(replayed.events, whole.events, 'an ended one is told to its end')
  t.match(await request('GET', `${PATH}/${name}/rotations/00000000-0000-4000-8000-000000000000/events`), { status: 404 })
  t.match(await request('GET', `${PATH}/${name}/rotations/${second.rotation_id}/events`, undefined, { 'last-event-id': 'x' }), { status: 400 })
  t.notOk(later.ended())
  await service.stop()
  await until(() => later.ended())
  t.pass('and the service closes without waiting for its readers')
})

const ID = '00000000-0000-4000-8000-00000000000a'
const at = '2026-07-01T12:00:00.000Z'
const metadata = { $correlationId: 'c', $causationId: 'c', commandId: 'c', schemaVersion: 1, occurredAt: at, actor: { type: 'system', id: 'rotation' }, requestId: 'r' }

/** A log in memory, of one credential, that counts what is read of it. */
const memory = (consumers = 400) => {
  const facts: LogEvent[] = []
  const tellers = new Set<(delivery: Delivery) => void>()
  const counts = { subscriptions: 0, read: 0 }
  const add = (type: string, data: object, actor: object = metadata.actor): void => {
    const revision = BigInt(facts.length)
    const fact = { id: ID, stream: 'credential-told', revision, position: revision + 1n, created: new Date(at), type, data: { credential: 'told', ...data }, metadata: { ...metadata, actor } } as unknown as LogEvent
    facts.push(fact)
    for (const tell of tellers) tell({ kind: 'event', event: fact })
  }
  const events = {
    last: async () => facts.at(-1),
    readStream: async function * (_stream: string, { from = 0n }: { from?: bigint } = {}) {
      for (const fact of facts.slice(Number(from))) {
        counts.read++
        yield fact
      }
    },
    subscribe: async function * ({ signal }: { signal: AbortSignal }): AsyncGenerator<Delivery> {
      counts.subscriptions++
      const waiting: Delivery[] = []
      let wake = (): void => {}
      const tell = (delivery: Delivery): void => { waiting.push(delivery); wake() }
      tellers.add(tell)
      signal.addEventListener('abort', () => { wake() }, { once: true })
      while (!signal.aborted) {
        const next = waiting.shift()
        if (next !== undefined) yield next
        else await new Promise<void>((resolve) => { wake = resolve })
      }
      tellers.delete(tell)
    }
  }
  add('credential.manifest_put', {
    version: 1, putAt: at, manifest: {
      vendor: { kind: 'chancery-token', principalId: ID }, sensitivity: 'high', owner: { name: '', email: '' }, leadDays: 1,
      consumers: Array.from({ length: consumers }, (_, i) => ({ consumer: `c${i}`, required: true, delivery: { kind: 'push', url: `https://example.com/${'x'.repeat(200)}` }, healthcheck: 'https://example.com/h', proof: { kind: 'possession' } }))
    }
  })
  add('credential.value_adopted', { valueId: ID, fingerprint: 'f', adoptedAt: at })
  add('rotation.opened', { rotationId: ID, mode: 'rotate', trigger: 'operator', manifestVersion: 1, oldValueId: ID, openedAt: at })
  return { events, counts, add, facts }
}

const app = async (t: Test, log: ReturnType<typeof memory>, options: { heartbeatMs: number, stalledMs?: number, mostReaders?: number }, overrides: Parameters<typeof testDoor>[2] = {}) => {
  const watch = createStreamWatch({ events: log.events, lingerMs: 50 })
  const door = await testDoor(t, [rotationEventRoutes({
    events: log.events, rules: { proofMaxAgeMs: 900_000, valueGraceMs: 1, alone: true }, vault: { open: async () => ({ status: 'erased' }) }, watch, ...options
  })], overrides)
  return { watch, door, url: `${await door.listen({ port: 0, host: '127.0.0.1' })}${PATH}/told/rotations/${ID}/events` }
}
const authorization = 'Bearer rotations-read'

t.test('many readers are one subscription; silence is told; a revoked token reads no further', async (t) => {
  const log = memory()
  let revoked = false
  const access = {
    judge: async () => ({ outcome: revoked ? 'unauthenticated' : 'allowed', caller: { principalId: ID, kind: 'operator', tokenId: ID, roles: new Set(['rotations-read']) } }) as never,
    noteRefusal: async () => {}
  }
  const { url, watch } = await app(t, log, { heartbeatMs: 100 }, { access })
  const readers = await Promise.all(Array.from({ length: 20 }, () => follow(t, url, { authorization })))
  await until(() => readers.every(({ events }) => events.length === 1))
  log.add('rotation.verify_started', { rotationId: ID, attempt: 1, valueId: ID, startedAt: at })
  await until(() => readers.every(({ events }) => events.length === 2))
  t.same([log.counts.subscriptions, watch.watchers], [1, 20])
  await until(() => readers.every(({ comments }) => comments.length > 0))
  for (const one of readers.slice(1)) one.close()
  await until(() => watch.watchers === 1)
  revoked = true
  await until(() => readers[0]?.ended() === true)
  await until(() => watch.watchers === 0)
  t.pass('the one that was left was told nothing more')
})

t.test('a reader who takes nothing holds back his own stream and is let go; nothing piles up for him', async (t) => {
  const log = memory()
  const { url, watch } = await app(t, log, { heartbeatMs: 100, stalledMs: 400 })
  const asked = ask(url, { headers: { authorization } }).end()
  t.teardown(() => { asked.destroy() })
  asked.on('error', () => {})
  const [answer] = await once(asked, 'response') as [IncomingMessage]
  answer.on('error', () => {})
  answer.pause()
  const read = log.counts.read
  // 400 facts, each with some 200 KB of state: more than any socket buffers.
  for (let attempt = 1; attempt <= 400; attempt++) log.add(attempt % 2 === 0 ? 'rotation.verify_failed' : 'rotation.verify_started', { rotationId: ID, attempt, valueId: ID, exchanges: [], startedAt: at, failedAt: at })
  await until(() => watch.watchers === 0, 20_000)
  t.ok(log.counts.read - read < 200, `only ${log.counts.read - read} facts were read for him`)
})

t.test('each fact says which operator did it: none where the service did, or a consumer by itself', async (t) => {
  const log = memory()
  const operator = { type: 'principal', id: 'an operator' }
  const consumer = { type: 'principal', id: 'a consumer' }
  log.add('rotation.verify_started', { rotationId: ID, attempt: 1, valueId: ID, startedAt: at }, operator)
  log.add('credential.value_fetched', { consumer: 'c0', valueId: ID, deliverySeq: 1, fetchedAt: at }, consumer)
  log.add('rotation.delivery_acknowledged', { rotationId: ID, consumer: 'c0', deliverySeq: 1, acknowledgedAt: at }, consumer)
  const told = [['system', null], ['principal', 'an operator'], ['principal', null], ['principal', null]]
  interface Told { operator_id: string | null, actor: { type: string }, view: { operator_id: string | null } }
  const inOrder = (all: Told[]) => all.map(({ actor, operator_id: id }) => [actor.type, id])
  const { door, url } = await app(t, log, { heartbeatMs: 10_000 })
  const { items } = (await door.inject({ url: new URL(url).pathname.replace('events', 'transcript'), headers: { authorization } })).json<{ items: Told[] }>()
  t.same(inOrder(items), told)
  const { events } = await follow(t, url, { authorization })
  await until(() => events.length === told.length)
  const facts = events.map(({ data }) => JSON.parse(data) as Told)
  t.same(inOrder(facts), told)
  t.equal(facts[0]?.view.operator_id, null, 'the schedule opened it')
})

/** A clock that stands until it is moved. */
const movable = () => {
  let now = Date.parse(at)
  return { clock: { now: () => new Date(now) }, pass: (minutes: number) => { now += minutes * 60_000 } }
}
interface Stood { at: string, view: Job & { alarm: string | null } }
const stood = ({ events }: Followed): Stood[] => events.map(({ data }) => JSON.parse(data) as Stood)

t.test('an alarm that comes by time alone is told, without an id and without a second reading', async (t) => {
  const log = memory(1)
  const { clock, pass } = movable()
  log.add('rotation.verify_started', { rotationId: ID, attempt: 1, valueId: ID, startedAt: at })
  log.add('rotation.verified', { rotationId: ID, attempt: 1, exchanges: [], verifiedAt: at })
  log.add('rotation.distribute_requested', { rotationId: ID, attempt: 1, requestedAt: at })
  log.add('rotation.mint_started', { rotationId: ID, attempt: 1, valueId: ID, label: 'l', exchanges: [], startedAt: at })
  log.add('rotation.mint_outcome_unknown', { rotationId: ID, attempt: 1, exchanges: [], unknownAt: at })
  const { url } = await app(t, log, { heartbeatMs: 20 }, { clock })
  const reader = await follow(t, url, { authorization })
  await until(() => reader.comments.length >= 3)
  const { length } = reader.events
  t.match(stood(reader).at(-1), { view: { state: 'mint_outcome_unknown', alarm: null } }, 'nothing is told while time changes nothing')
  const { read } = log.counts

  pass(7)
  await until(() => reader.events.length > length)
  t.match(reader.events.at(-1), { event: 'as_of_now', id: undefined })
  const [before, now] = stood(reader).slice(-2)
  t.match(now, { at: clock.now().toISOString(), view: { alarm: /^For 7 minutes the vendor's list could not settle/ } })
  t.same({ ...now?.view, alarm: null }, before?.view, 'the whole view, and nothing else of it has changed')
  const { length: comments } = reader.comments
  await until(() => reader.comments.length >= comments + 3)
  t.equal(reader.events.length, length + 1, 'once')

  const late = await follow(t, url, { authorization, 'last-event-id': String(log.facts.at(-1)?.revision) })
  const anew = await follow(t, url, { authorization })
  await until(() => late.events.length === 1 && anew.events.length === length + 1)
  t.same([late.events[0], anew.events.at(-1)], [reader.events.at(-1), reader.events.at(-1)], 'whoever comes later is told at once')
  t.equal(log.counts.read - read, 2 * log.facts.length, 'each reader has read each fact once')
  log.add('rotation.mint_settled', { rotationId: ID, attempt: 1, exchanges: [], settledAt: at })
  await until(() => reader.events.length === length + 2 && late.events.length === 2)
  t.same(late.events.at(-1), reader.events.at(-1), 'and the facts go on')
})

t.test('a gate that closes because a proof has grown old is told', async (t) => {
  const log = memory(1)
  const { clock, pass } = movable()
  const of = { rotationId: ID, attempt: 1, exchanges: [] }
  const NEW = '00000000-0000-4000-8000-00000000000b'
  log.add('rotation.mint_started', { ...of, valueId: NEW, label: 'l', startedAt: at })
  log.add('rotation.minted', { ...of, valueId: NEW, fingerprint: 'g', mintedAt: at })
  log.add('rotation.deliveries_started', { ...of, valueId: NEW, deliveries: [{ consumer: 'c0', deliverySeq: 1 }], startedAt: at })
  log.add('rotation.deliveries_recorded', { ...of, outcomes: [{ consumer: 'c0', deliverySeq: 1, status: 'succeeded', tries: 1, at }] })
  log.add('rotation.distributed', { ...of, distributedAt: at })
  log.add('rotation.validation_started', { ...of, round: 1, purpose: 'validate', valueId: NEW, startedAt: at })
  log.add('rotation.proofs_recorded', { ...of, round: 1, outcomes: [{ consumer: 'c0', outcome: 'proved', at }] })
  log.add('rotation.validated', { ...of, round: 1, validatedAt: at })
  const { url } = await app(t, log, { heartbeatMs: 20 }, { clock })
  const reader = await follow(t, url, { authorization })
  await until(() => reader.comments.length > 0)
  t.match(stood(reader).at(-1), { view: { state: 'validated', meaning: /Revoke the old one next/, gate: { open: true } } })
  pass(60)
  await until(() => reader.events.at(-1)?.event === 'as_of_now')
  t.match(stood(reader).at(-1), { view: { state: 'validated', meaning: /Validate again/, gate: { open: false, closed_by: [{ consumer: 'c0', why: 'proof_too_old' }] } } })
})

t.test('what else goes on in the stream silences no heartbeat, and costs no reader his place', async (t) => {
  const log = memory()
  const { url } = await app(t, log, { heartbeatMs: 100, stalledMs: 100 })
  const reader = await follow(t, url, { authorization })
  await until(() => reader.events.length === 1)
  // Lent again and again: facts of this stream, and none of this job.
  const lending = setInterval(() => { log.add('credential.value_lent', { valueId: ID, to: 'another', purpose: 'check', lentAt: at }) }, 10)
  t.teardown(() => { clearInterval(lending) })
  await until(() => reader.comments.length >= 5 || reader.ended())
  t.notOk(reader.ended())
  t.equal(reader.events.length, 1)
})

t.test('many who come at once are held to the bound', async (t) => {
  const { url, watch } = await app(t, memory(), { heartbeatMs: 10_000, mostReaders: 3 })
  const all = await Promise.all(Array.from({ length: 12 }, () => follow(t, url, { authorization })))
  const taken = all.filter(({ status }) => status === 200)
  t.equal(taken.length, 3)
  t.same([...new Set(all.filter((one) => !taken.includes(one)).map(({ status }) => status))], [503])
  for (const one of taken) one.close()
  await until(() => watch.watchers === 0)
  t.equal((await follow(t, url, { authorization })).status, 200, 'a place that was left is another one\'s')
})

t.test('a subscription that is lost is told once, and taken up again', async (t) => {
  const log = memory()
  let away = true
  const told: unknown[] = []
  const watch = createStreamWatch({
    events: { last: log.events.last, subscribe: (options) => { if (away) throw new Error('away'); return log.events.subscribe(options) } }, onLost: (error) => { told.push(error) }
  })
  t.teardown(() => watch.stop())
  const watcher = await watch.watch('credential-told')
  // It rings whoever waits each time that it is taken up: nothing that came meanwhile is missed.
  for (let times = 0; times < 2; times++) t.ok(await watcher.news(15_000))
  t.match(told, [{ message: 'away' }])
  away = false
  await until(() => log.counts.subscriptions === 1)
  log.add('rotation.verify_started', { rotationId: ID, attempt: 1, valueId: ID, startedAt: at })
  t.ok(await watcher.news(15_000))
  t.equal(told.length, 1)
})

t.test('nothing is waited for on behalf of a caller who has gone', async (t) => {
  const watch = createStreamWatch({ events: memory().events })
  t.teardown(() => watch.stop())
  const gone = new AbortController()
  let looks = 0
  const current = async () => { looks++; return { state: { status: 'known', job: { rotationId: ID, state: 'minting' } } } as never }
  const waiting = waitForHuman({ aggregates: { current }, watch }, { credential: 'told', rotationId: ID }, 600_000, { gone: gone.signal, orElse: undefined })
  await until(() => looks > 0)
  gone.abort()
  await waiting
  t.equal(watch.watchers, 0)
})

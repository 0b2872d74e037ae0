// The adapter against a server that misbehaves on purpose: each row of what is known about such servers and their client.
import t, { type Test } from 'tap'
import { lift } from '../../../infra/eventstore/codec.ts'
import { openLog, type Log } from '../../../infra/eventstore/index.ts'
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../../../src/domain/event.ts'
import { LogForked, LogOutcomeUnknown, LogUnavailable, UnreadableEvent } from '../../../src/log-errors.ts'
import { testEventStore } from '../../support/eventstore.ts'
import { all, freshStream, granted, noVault } from './facts.ts'
import { acknowledged, asked, caughtUp, checkpoint, ids, perRequest, recorded, scriptedServer, type AppendRequest, type ReadCall, type Script } from './scripted-server.ts'

const quick = { silence: 40, rounds: 4 }

const logOn = async (t: Test, url: string, options: Partial<Parameters<typeof openLog>[0]> = {}): Promise<Log> => {
  const log = await openLog({ url, vault: noVault, patience: quick, ...options })
  t.teardown(() => log.close())
  return log
}

const { id, stream } = freshStream()
const once = (log: Log) => log.append(stream, 'no_stream', [granted(id, 'a')])

t.test('the server ends the append stream: unknown, and the appends of another log go on', async (t) => {
  let ended = 0
  const script: Script = { append: perRequest((_request, call) => { ended++; call.end() }) }
  const { url } = await scriptedServer(t, script)
  const log = await logOn(t, url)
  const sound = await logOn(t, (await testEventStore(t)).url, { patience: {} })
  const own = freshStream()
  let next = 0
  const others = (async () => {
    while (next < 60) {
      await sound.append(own.stream, next === 0 ? 'no_stream' : BigInt(next - 1), [granted(own.id, `r${next}`)])
      next++
    }
  })()
  for (let i = 0; i < 10; i++) await t.rejects(once(log), LogOutcomeUnknown)
  await others
  t.equal(ended, 20, 'each was sent, and repeated once')

  script.append = perRequest((request, call) => { call.write(acknowledged(request, 0, 100)) })
  t.equal((await once(log)).position, 100n, 'and it works again')
})

t.test('the server takes the append and says nothing, though it is alive', async (t) => {
  const requests: string[] = []
  const { url } = await scriptedServer(t, {
    append: perRequest((request) => { requests.push(request.getProposedMessagesList().map((event) => event.getId()?.getString()).join()) })
  })
  await t.rejects(once(await logOn(t, url)), LogOutcomeUnknown)
  t.equal(requests.length, 2)
  t.equal(requests[0], requests[1], 'repeated unchanged')
})

t.test('answers to nobody and answers too late do no harm', async (t) => {
  let held: AppendRequest | undefined
  const { url } = await scriptedServer(t, {
    append: perRequest((request, call) => {
      call.write(acknowledged(request, 0, 100))
      call.write(acknowledged(request, 0, 100))
      if (held !== undefined) call.write(acknowledged(held, 0, 100))
      held = request
    })
  })
  const log = await logOn(t, url)
  for (let i = 0; i < 5; i++) t.equal((await once(log)).position, 100n)
})

t.test('the first feature look-up fails: nothing remembers it', async (t) => {
  let fail = true
  const { url } = await scriptedServer(t, {
    features: (answer) => { answer(fail ? Object.assign(new Error('not yet'), { code: 14 }) : null) },
    append: perRequest((request, call) => { call.write(acknowledged(request, 0, 100)) })
  })
  const log = await logOn(t, url)
  await t.rejects(log.ping(), LogUnavailable)
  t.equal((await once(log)).revision, 0n, 'an append asks for no features')
  fail = false
  await log.ping()
})

t.test('positions that are two numbers are refused', async (t) => {
  const { url } = await scriptedServer(t, {
    append: perRequest((request, call) => { call.write(acknowledged(request, 0, 100, 99)) }),
    read: (call) => { call.write(recorded(0, 100, 99)); call.end() }
  })
  const log = await logOn(t, url)
  await t.rejects(once(log), /commit and prepare positions differ/)
  await t.rejects(all(log.readStream('principal-1')), UnreadableEvent)
})

t.test('a server that turns the caller away: certainly not appended', async (t) => {
  const { url } = await scriptedServer(t, {
    append: (call) => { call.emit('error', { code: 16, details: 'who are you' }) },
    read: (call) => { call.emit('error', { code: 7, details: 'not you' }) }
  })
  const log = await logOn(t, url)
  await t.rejects(once(log), LogUnavailable)
  await t.rejects(all(log.readStream('principal-1')), LogUnavailable)
})

/** A log of events at 100, 200 … that a subscription may be served from. */
const events = (count: number) => Array.from({ length: count }, (_, i) => ({ revision: i, commit: (i + 1) * 100 }))

/** Serves the bounded reads that a subscription makes: the fork check and the last event. */
const bounded = (call: ReadCall, count: number): void => {
  const { backwards, from } = asked(call)
  const found = backwards ? events(count).at(-1) : events(count).find(({ commit }) => commit === from?.commit)
  if (found !== undefined) call.write(recorded(found.revision, found.commit))
  call.end()
}

const follow = async (log: Log, count: number, options: object = {}): Promise<number[]> => {
  const leaving = new AbortController()
  const seen: number[] = []
  for await (const delivery of log.subscribe({ signal: leaving.signal, ...options })) {
    if (delivery.kind !== 'event') continue
    seen.push(Number(delivery.event.position))
    if (seen.length === count) leaving.abort()
  }
  return seen
}

t.test('a subscription that ends cleanly is a drop', async (t) => {
  const starts: unknown[] = []
  const { url } = await scriptedServer(t, {
    read: (call) => {
      const { subscribes, from } = asked(call)
      if (!subscribes) return bounded(call, 5)
      starts.push(from)
      for (const { revision, commit } of events(5).filter(({ commit }) => commit > (from?.commit ?? 0)).slice(0, 2)) call.write(recorded(revision, commit))
      call.end()
    }
  })
  const drops: unknown[] = []
  const log = await logOn(t, url, { onDrop: (error) => drops.push(error) })
  t.same(await follow(log, 5), [100, 200, 300, 400, 500])
  t.same(starts, [undefined, { commit: 200, prepare: 200 }, { commit: 400, prepare: 400 }])
  t.equal(drops.length, 2)
})

t.test('a checkpoint of two numbers serves for resuming, and is not shown', async (t) => {
  const starts: unknown[] = []
  const { url } = await scriptedServer(t, {
    read: (call) => {
      const { subscribes, from } = asked(call)
      if (!subscribes) return bounded(call, 2)
      starts.push(from)
      if (starts.length === 1) {
        call.write(recorded(0, 100))
        call.write(checkpoint(150, 0))
        call.end()
      } else {
        call.write(checkpoint(160, 160))
        call.write(recorded(1, 200))
      }
    }
  })
  const log = await logOn(t, url)
  const leaving = new AbortController()
  const seen: unknown[] = []
  for await (const delivery of log.subscribe({ signal: leaving.signal })) {
    seen.push(delivery.kind === 'checkpoint' ? delivery.position : delivery.kind)
    if (seen.length === 3) leaving.abort()
  }
  t.same(seen, ['event', 160n, 'event'])
  t.same(starts[1], { commit: 150, prepare: 0 })
})

t.test('a subscription that falls silent is found out by the last event of ours', async (t) => {
  let subscriptions = 0
  let count = 1
  const { url } = await scriptedServer(t, {
    read: (call) => {
      const { subscribes, from } = asked(call)
      if (!subscribes) return bounded(call, count)
      if (++subscriptions === 1) {
        call.write(recorded(0, 100))
        call.write(caughtUp())
        setTimeout(() => { count = 3 }, 200)
        return
      }
      for (const { revision, commit } of events(3).filter(({ commit }) => commit > (from?.commit ?? 0))) call.write(recorded(revision, commit))
    }
  })
  const drops: unknown[] = []
  const log = await logOn(t, url, { watchdogMs: 50, onDrop: (error) => drops.push(error) })
  t.same(await follow(log, 3), [100, 200, 300])
  t.equal(subscriptions, 2, 'as long as nothing was missing, silence was taken for peace')
  t.match(drops, [{ message: /the subscription is silent/ }])
})

t.test('the log was replaced while the subscription was down', async (t) => {
  const { url } = await scriptedServer(t, {
    read: (call) => {
      const { subscribes } = asked(call)
      if (!subscribes) return bounded(call, 1)
      call.write(recorded(0, 100))
      call.once('drain', () => {})
      setTimeout(() => {
        ids.delete(100)
        call.end()
      }, 50)
    }
  })
  const error = await follow(await logOn(t, url), 2).then(() => undefined, (error: unknown) => error)
  t.type(error, LogForked)
})

t.test('old versions are lifted step by step', async (t) => {
  const definition = defineEvent(3, 'a test', Type.Object({ n: Type.Integer() }), {
    1: (data) => ({ one: (data as { zero: number }).zero + 1 }),
    2: (data) => ({ n: (data as { one: number }).one * 10 })
  })
  const unreadable = (why: string) => new Error(why)
  t.same(lift(definition, 1, { zero: 1 }, unreadable), { n: 20 })
  t.same(lift(definition, 2, { one: 2 }, unreadable), { n: 20 })
  t.same(lift(definition, 3, { n: 20 }, unreadable), { n: 20 })
  t.throws(() => lift(definition, 4, {}, unreadable), /version 4 is not known/)
  t.throws(() => lift(definition, 1, null, unreadable), /version 1 could not be lifted/)
  t.throws(() => lift({ ...definition, upcasters: {} }, 1, {}, unreadable), /nothing lifts version 1/)
})

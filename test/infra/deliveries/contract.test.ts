// The same deliveries and probes to consumers in memory and, by the real adapter, to a real process: the outcomes are equal.
import { createHmac, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { createDeliveries } from '../../../infra/deliveries/index.ts'
import { createOutgoing } from '../../../infra/outgoing/index.ts'
import type { Exchange } from '../../../src/domain/credential/fields.ts'
import type { Subscriber } from '../../../src/domain/credential/manifest.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'
import type { Deliveries, SubscriberKey } from '../../../src/rotation-ports.ts'
import { consumersDoor } from '../../support/consumers-door.ts'
import { spawnConsumer } from '../../support/credential-consumer.ts'
import { memoryDeliveries } from '../../support/memory-deliveries.ts'
import { until } from '../../support/until.ts'

/** Who expects an answer waits long, for a machine that is busy; who expects none does not. */
const LONG_MS = 10_000
const LIMIT_MS = 300
const values = ['old', 'new', 'newer'].map((name) => new Secret(`${name}-${randomBytes(16).toString('hex')}`))
const LATE_MS = LIMIT_MS + 400
const none: Subscriber['proof'] = { kind: 'none', reason: 'a test' }

interface Faults { refuse?: number, silent?: number, late?: number, late_ms?: number, ignore?: number, slow_ms?: number, away?: boolean, unhealthy?: boolean, bare?: boolean }

interface World {
  credential: string
  deliveries: Deliveries
  /** The same with little patience. */
  hasty: Deliveries
  key: () => Promise<SubscriberKey>
  subscriber: (proof?: Subscriber['proof']) => Subscriber
  faults: (change: Faults) => Promise<void>
  /** The delivery_seq of what is in use. */
  uses: () => Promise<number | undefined>
}

const shown = ({ outcome, answer, failure }: Exchange): string => [outcome, answer?.status ?? failure].join(' ')

/** What a scenario sees of a world; all it saw is compared. */
const hand = ({ credential, deliveries, hasty, key, subscriber, faults, uses }: World) => {
  const seen: string[] = []
  const kept: Exchange[] = []
  const valueOf = (which: number) => values[which] ?? new Secret('')
  return {
    seen,
    kept,
    faults,
    uses,
    push: async (deliverySeq: number, which: number, { to, soon = false }: { to?: SubscriberKey, soon?: boolean } = {}) => {
      const jwe = await deliveries.seal({ credential, value: valueOf(which), valueId: `value-${which}`, deliverySeq }, to ?? await key())
      const { status, exchange } = await (soon ? hasty : deliveries).push({ subscriber: subscriber(), credential, rotationId: 'rotation', deliverySeq, jwe, secrets: values })
      if (exchange !== undefined) kept.push(exchange)
      seen.push(`push ${deliverySeq}: ${status} (${exchange === undefined ? '' : shown(exchange)})`)
    },
    probe: async (which: number, { proof, soon = false }: { proof?: Subscriber['proof'], soon?: boolean } = {}) => {
      const { outcome, exchange } = await (soon ? hasty : deliveries).probe({ subscriber: subscriber(proof), credential, value: valueOf(which), secrets: values })
      kept.push(exchange)
      seen.push(`probe ${which}: ${outcome} (${shown(exchange)})`)
    },
    using: async () => { seen.push(`uses ${String(await uses())}`) },
    reaches: async (deliverySeq: number) => {
      await until(async () => await uses() === deliverySeq)
      seen.push(`reaches ${deliverySeq}`)
    }
  }
}
type Hand = ReturnType<typeof hand>

/** Each begins with a consumer that holds nothing and has no faults; expected is what is seen, to the word. */
const scenarios: ReadonlyArray<[name: string, play: (h: Hand) => Promise<void>, expected: string[]]> = [
  ['whoever holds nothing proves nothing', async (h) => {
    await h.probe(0)
    await h.probe(0, { proof: none })
  }, ['probe 0: not_possessing (failed 200)', 'probe 0: proved (passed 200)']],
  ['taken, and proved by what is in use alone', async (h) => {
    await h.push(1, 0)
    await h.probe(0)
    await h.probe(1)
    await h.push(2, 1)
    await h.probe(1)
    await h.probe(0)
  }, ['push 1: succeeded (passed 200)', 'probe 0: proved (passed 200)', 'probe 1: unproved (failed 200)', 'push 2: succeeded (passed 200)', 'probe 1: proved (passed 200)', 'probe 0: unproved (failed 200)']],
  ['an older delivery is refused, the same again is not, and the old value may come back under a higher number', async (h) => {
    await h.push(4, 1)
    await h.push(3, 0)
    await h.push(4, 1)
    await h.using()
    await h.push(5, 0)
    await h.probe(0)
    await h.using()
  }, ['push 4: succeeded (passed 200)', 'push 3: failed (failed 409)', 'push 4: succeeded (passed 200)', 'uses 4', 'push 5: succeeded (passed 200)', 'probe 0: proved (passed 200)', 'uses 5']],
  ['refused twice, then taken', async (h) => {
    await h.faults({ refuse: 2 })
    await h.push(1, 0)
    await h.push(1, 0)
    await h.using()
    await h.push(1, 0)
    await h.using()
  }, ['push 1: failed (failed 503)', 'push 1: failed (failed 503)', 'uses undefined', 'push 1: succeeded (passed 200)', 'uses 1']],
  ['away, and back', async (h) => {
    await h.push(1, 0)
    await h.faults({ away: true })
    await h.push(2, 1)
    await h.probe(0)
    await h.faults({ away: false })
    await h.using()
    await h.probe(0)
  }, ['push 1: succeeded (passed 200)', 'push 2: unreachable (failed connection_refused)', 'probe 0: unreachable (failed connection_refused)', 'uses 1', 'probe 0: proved (passed 200)']],
  ['taken without an answer', async (h) => {
    await h.faults({ silent: 1 })
    await h.push(1, 1, { soon: true })
    await h.reaches(1)
    await h.probe(1)
  }, ['push 1: unreachable (unknown timeout)', 'reaches 1', 'probe 1: proved (passed 200)']],
  ['taken late', async (h) => {
    await h.faults({ late: 1, late_ms: LATE_MS })
    await h.push(1, 1, { soon: true })
    await h.using()
    await h.reaches(1)
  }, ['push 1: unreachable (unknown timeout)', 'uses undefined', 'reaches 1']],
  ['a late one does not undo a newer one', async (h) => {
    await h.faults({ late: 1, late_ms: LATE_MS })
    await h.push(1, 1, { soon: true })
    await h.push(2, 0)
    // A slow answer later, the late one is long over.
    await h.faults({ slow_ms: LATE_MS })
    await h.probe(0)
    await h.using()
  }, ['push 1: unreachable (unknown timeout)', 'push 2: succeeded (passed 200)', 'probe 0: proved (passed 200)', 'uses 2']],
  ['says that it took it, and did not', async (h) => {
    await h.push(1, 0)
    await h.faults({ ignore: 1 })
    await h.push(2, 1)
    await h.probe(1)
    await h.probe(0)
  }, ['push 1: succeeded (passed 200)', 'push 2: succeeded (passed 200)', 'probe 1: unproved (failed 200)', 'probe 0: proved (passed 200)']],
  ['slow, but in time; too slow', async (h) => {
    await h.faults({ slow_ms: LIMIT_MS / 4 })
    await h.push(1, 0)
    await h.probe(0)
    await h.faults({ slow_ms: 2 * LIMIT_MS })
    await h.push(2, 1, { soon: true })
    await h.probe(1, { soon: true })
    await h.reaches(2)
  }, ['push 1: succeeded (passed 200)', 'probe 0: proved (passed 200)', 'push 2: unreachable (unknown timeout)', 'probe 1: unreachable (unknown timeout)', 'reaches 2']],
  ['unhealthy, or healthy without a proof', async (h) => {
    await h.push(1, 0)
    await h.faults({ unhealthy: true })
    await h.probe(0)
    await h.probe(0, { proof: none })
    await h.faults({ unhealthy: false, bare: true })
    await h.probe(0)
    await h.probe(0, { proof: none })
  }, ['push 1: succeeded (passed 200)', 'probe 0: unhealthy (failed 503)', 'probe 0: unhealthy (failed 503)', 'probe 0: not_possessing (failed 200)', 'probe 0: proved (passed 200)']],
  ['sealed to somebody else', async (h) => {
    await h.push(1, 0, { to: { keyId: 'A'.repeat(43), key: { kty: 'OKP', crv: 'X25519', x: randomBytes(32).toString('base64url') } } })
    await h.using()
  }, ['push 1: failed (failed 400)', 'uses undefined']]
]

const quiet = { refuse: 0, silent: 0, late: 0, ignore: 0, slow_ms: 0, away: false, unhealthy: false, bare: false }

const inMemory = async (): Promise<(index: number) => Promise<World>> => {
  const clock = { now: () => new Date(), sleep: (ms: number) => new Promise<void>((resolve) => { setTimeout(resolve, ms) }) }
  return async (index) => {
    const deliveries = memoryDeliveries({ clock, timeLimitMs: LONG_MS })
    const consumer = deliveries.consumer('consumer')
    return {
      credential: `credential-${index}`,
      deliveries,
      // Who is hasty meets the same consumers: only the limit is another.
      hasty: memoryDeliveries({ clock, timeLimitMs: LIMIT_MS, beside: deliveries }),
      key: async () => consumer.key,
      subscriber: (proof) => consumer.subscriber({ ...proof && { proof, required: false } }),
      uses: async () => consumer.uses()?.deliverySeq,
      faults: async ({ refuse = 0, silent = 0, late = 0, late_ms: lateMs, ignore = 0, slow_ms: slowMs, away, unhealthy, bare }) => {
        const times = <T>(behaviour: T, count: number): T[] => Array.from({ length: count }, () => behaviour)
        consumer.pushes.push(...times('refuse' as const, refuse), ...times('silent' as const, silent), ...times('late' as const, late), ...times('ignore' as const, ignore))
        if (slowMs !== undefined) consumer.slowMs = slowMs
        if (lateMs !== undefined) consumer.lateMs = lateMs
        if (away !== undefined) consumer.push = away ? 'away' : 'accept'
        consumer.probe = away === true ? 'away' : unhealthy === true ? 'unhealthy' : bare === true ? 'bare' : 'prove'
      }
    }
  }
}

/** One process, which every scenario meets with a credential that it has not seen yet. */
const onProcess = async (t: Test): Promise<(index: number) => Promise<World>> => {
  const open = (timeoutMs: number) => {
    const outgoing = createOutgoing({ allow: [], plainLoopback: true, timeoutMs })
    const deliveries = createDeliveries({
      outgoing, clock: { now: () => new Date() }, redis: { url: () => undefined, stream: 'none' },
      keys: { webhookSecret: (place) => createHmac('sha256', 'test').update(place).digest() }
    })
    t.teardown(async () => {
      deliveries.close()
      await outgoing.close()
    })
    return deliveries
  }
  const [deliveries, hasty] = [open(LONG_MS), open(LIMIT_MS)]
  let url = ''
  const door = await consumersDoor(t, { deliveries, pushUrl: () => url })
  const credentials = scenarios.map((_, index) => `credential-${index}`)
  const consumer = await spawnConsumer(t, { name: 'consumer', credentials, chancery: door })
  url = `${consumer.url}/deliveries`
  const key = await door.keyOf(consumer.name)
  return async (index) => {
    await consumer.faults(quiet)
    const credential = `credential-${index}`
    return {
      credential,
      deliveries,
      hasty,
      key: async () => key,
      subscriber: (proof) => consumer.subscriber({ ...proof && { proof, required: false } }),
      uses: async () => (await consumer.state()).holdings.find((held) => held.credential === credential)?.delivery_seq ?? undefined,
      faults: (change) => consumer.faults(change)
    }
  }
}

t.jobs = 2
for (const [where, worlds] of [['in memory', inMemory], ['a real process', onProcess]] as const) {
  t.test(where, async (t) => {
    const world = await worlds(t)
    for (const [index, [name, play, expected]] of scenarios.entries()) {
      await t.test(name, async (t) => {
        const h = hand(await world(index))
        await play(h)
        t.strictSame(h.seen, expected)
        const text = JSON.stringify(h.kept)
        for (const value of values) t.notOk(text.includes(value.reveal()), 'no value in what is kept')
        t.notMatch(text, /eyJ|proof[^A-Za-z]+[A-Za-z0-9_-]{43}/, 'and neither what was sealed nor a proof')
      })
    }
  })
}

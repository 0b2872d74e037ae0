// A rotation with 200 consumers: handing the value to all and asking all for their proof, against 200 plain requests to the same servers.
import { createHmac, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { createDeliveries } from '../../infra/deliveries/index.ts'
import { openLog, type Log } from '../../infra/eventstore/index.ts'
import { uuidIds as ids } from '../../infra/ids.ts'
import { createOutgoing } from '../../infra/outgoing/index.ts'
import type { CommandContext } from '../../src/commands/context.ts'
import { createAggregates } from '../../src/commands/execute.ts'
import { adoptValue, putManifest } from '../../src/commands/rotations/credentials.ts'
import { openRotation, takeStep } from '../../src/commands/rotations/rotations.ts'
import { registerKey, subscriberKeys } from '../../src/commands/subscribers/subscribers.ts'
import { credentialAggregate, openJob } from '../../src/domain/credential/credential.ts'
import type { Manifest } from '../../src/domain/credential/manifest.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import { Clear } from '../../src/domain/personal.ts'
import type { JobState } from '../../src/domain/rotation/job.ts'
import { rotationReactor } from '../../src/reactors/rotation/reactor.ts'
import type { CredentialValues, VendorGateway } from '../../src/rotation-ports.ts'
import { childLine, compiled, peer } from '../children.ts'
import { overRounds, rotate, type Contestant, type Measured, type Round, type Slice } from '../method.ts'
import { median, quantile } from '../statistics.ts'
import type { SuiteOptions, SuiteResult } from './suite.ts'

const CONSUMERS = 200
const clock = { now: () => new Date() }

/** For all consumers together, in ms: by the clock, and of this process's processor time. */
interface Took { ms: number, cpu: number }
interface Both { handed: Took, asked: Took }
/** A slice that tells apart what is handed out and what is asked for. */
interface Fanned extends Slice { handed: Took[], asked: Took[] }
const moment = (): Took => {
  const { user, system } = process.cpuUsage()
  return { ms: performance.now(), cpu: (user + system) / 1000 }
}
const between = (from: Took | undefined, to: Took | undefined): Took => ({ ms: (to?.ms ?? Number.NaN) - (from?.ms ?? Number.NaN), cpu: (to?.cpu ?? Number.NaN) - (from?.cpu ?? Number.NaN) })

/** What an answer of a consumer takes, in ms: nothing, and what one takes that stores what it is given before it says so. */
const TAKES_MS = [0, 25] as const

export const rotationSuite = async (options: SuiteOptions): Promise<SuiteResult> => {
  const store = await childLine([compiled('infra/local/eventstore/main.js'), '--data', join(options.dir, 'store'), '--port', '0'])
  const log = await openLog({ url: /esdb:\S+/.exec(store.line)?.[0] ?? '', vault: { seal: async (_, { subject, stream, eventId, field }) => ({ sealed: 'v1', subject, at: `${stream}/${eventId}/${field}`, value: 'AAAA' }), open: () => Promise.reject(new Error('nothing is opened')) } })
  const memory: number[] = []
  const watch = setInterval(() => { memory.push(process.memoryUsage.rss() / 2 ** 20) }, 100)
  const crowds = await Promise.all(TAKES_MS.map(async (takesMs) => {
    const child = await childLine([peer('consumers/server.js'), String(CONSUMERS), String(takesMs)])
    return { takesMs, child, ports: (JSON.parse(child.line) as { ports: number[] }).ports }
  }))
  try {
    const measured = []
    for (const { takesMs, child, ports } of crowds) {
      const rotations = await prepare(log, ports, takesMs)
      const rounds = await rotate([chancery(rotations.run, [process.pid, store.pid, child.pid]), plain(ports, [process.pid, child.pid])], options)
      measured.push({ takesMs, rounds, most: rotations.most() })
    }
    return {
      suite: 'rotation',
      rounds: measured.flatMap(({ rounds }) => rounds),
      figures: measured.flatMap(figuresOf),
      absolute: {
        ...Object.assign({}, ...measured.map(absoluteOf)) as Record<string, number>,
        'memory of this process at its most, MiB': Math.max(...memory),
        'memory of this process, median, MiB': median(memory)
      }
    }
  } finally {
    clearInterval(watch)
    await log.close()
    for (const { child } of crowds) await child.stop()
    await store.stop()
  }
}

interface Crowd { takesMs: number, rounds: Round[], most: number }

const of = (round: Round, name: string) => round.slices.find(({ contestant }) => contestant === name) as Measured & Fanned
const who = (takesMs: number): string => takesMs === 0 ? 'answer at once' : `take ${takesMs} ms`

const figuresOf = ({ takesMs, rounds }: Crowd) => {
  const ratio = (name: string, part: 'handed' | 'asked') =>
    ({ name, against: 'goal: 2', ...overRounds(rounds, (round) => median(of(round, 'chancery')[part].map(({ ms }) => ms)) / median(of(round, 'plain')[part].map(({ ms }) => ms))) })
  return [
    ratio(`distribution to ${CONSUMERS} consumers that ${who(takesMs)}, from its first fact to its last ÷ ${CONSUMERS} plain parallel POSTs`, 'handed'),
    ratio(`validation of them, from its first fact to its last ÷ ${CONSUMERS} plain parallel GETs`, 'asked')
  ]
}

const absoluteOf = ({ takesMs, rounds, most }: Crowd): Record<string, number> => {
  const all = (name: string, part: 'handed' | 'asked', which: keyof Took = 'ms') => rounds.flatMap((round) => of(round, name)[part].map((took) => took[which]))
  return Object.fromEntries(Object.entries({
    'distribution p50, ms': median(all('chancery', 'handed')),
    'distribution p90, ms': quantile(all('chancery', 'handed'), 0.9),
    'plain POSTs p50, ms': median(all('plain', 'handed')),
    'validation p50, ms': median(all('chancery', 'asked')),
    'plain GETs p50, ms': median(all('plain', 'asked')),
    'processor time of this process for a distribution, ms': median(all('chancery', 'handed', 'cpu')),
    'the same for the plain POSTs, ms': median(all('plain', 'handed', 'cpu')),
    'for a validation, ms': median(all('chancery', 'asked', 'cpu')),
    'for the plain GETs, ms': median(all('plain', 'asked', 'cpu')),
    'requests under way at once, most': most
  }).map(([name, value]) => [`${who(takesMs)}: ${name}`, value]))
}

const exchange = (probe: string) => ({ probe, outcome: 'passed' as const, request: { method: 'GET', target: 'https://vendor.example/' }, at: clock.now().toISOString(), tookMs: 0 })

/** A vendor that answers at once, and tells the consumers what they are to prove: it is not what is measured. */
const vendorOf = (ports: readonly number[]): VendorGateway => ({
  verify: async () => ['authenticate', 'metadata', 'may_mint'].map(exchange),
  mint: async () => {
    const secret = new Secret(randomBytes(32).toString('base64url'))
    await request(`http://127.0.0.1:${ports[0] ?? 0}/value`, { method: 'PUT', body: secret.reveal() }).then(({ body }) => body.dump())
    return { status: 'minted', secret, tokenId: randomBytes(8).toString('hex'), exchange: exchange('mint') }
  },
  list: async () => ({ status: 'listed', tokens: [{ tokenId: 'the-old-one' }], exchange: exchange('list') }),
  revoke: async () => ({ status: 'revoked', exchange: exchange('revoke') }),
  // Nothing is revoked here: the new value is tried, and works.
  probeRefused: async () => ({ status: 'accepted', exchange: exchange('refused') }),
  lists: true,
  timeLimitMs: 5_000
})

const valuesInMemory = (): CredentialValues => {
  const kept = new Map<string, Secret>()
  return {
    put: async ({ valueId, secret }) => { kept.set(valueId, secret) },
    open: async (valueId) => kept.get(valueId),
    destroy: async (valueId) => { kept.delete(valueId) },
    fingerprint: (secret) => createHmac('sha256', 'bench').update(secret.reveal()).digest('base64url')
  }
}

const context = (): CommandContext => ({ commandId: ids.next(), at: clock.now(), actor: { type: 'principal', id: 'bench' }, requestId: 'bench', ticket: 'BENCH-1' })

/** One rotation of a new credential, from its manifest to `validated`, over the real log: what took how long, in ms. */
const prepare = async (log: Log, ports: readonly number[], takesMs: number) => {
  /** When each kind of fact was last appended. */
  const times = new Map<string, Took>()
  const events: Log = {
    ...log,
    append: async (stream, expected, facts) => {
      const appended = await log.append(stream, expected, facts)
      for (const { type } of facts) times.set(type, moment())
      return appended
    }
  }
  const aggregates = createAggregates(events, ids)
  const gateway = vendorOf(ports)
  const shared = {
    aggregates, events, ids, clock, values: valuesInMemory(), vendors: { gateway: () => gateway, check: async () => [] }, tickets: { check: async () => 'format' as const },
    keys: subscriberKeys({ aggregates }, () => true), rules: { proofMaxAgeMs: 900_000, valueGraceMs: 86_400_000, alone: true }
  }
  for (const i of ports.keys()) await registerKey({ aggregates }, { consumer: `consumer-${i}`, key: await publicKey() }, context())
  let made = 0
  let underWay = 0
  let most = 0

  const run = async (): Promise<Both> => {
    const credential = `credential-${takesMs}-${++made}`
    // Connections are as new as those of the plain requests.
    const outgoing = createOutgoing({ allow: [], plainLoopback: true })
    const counted: typeof outgoing = {
      ...outgoing,
      request: async (asked) => {
        most = Math.max(most, ++underWay)
        return outgoing.request(asked).finally(() => { underWay-- })
      }
    }
    const deliveries = createDeliveries({ outgoing: counted, clock, redis: { url: () => undefined, stream: 'none' }, keys: { webhookSecret: (place) => createHmac('sha256', 'bench').update(place).digest() } })
    const reactor = rotationReactor({ ...shared, deliveries, holder: 'bench' })
    await putManifest(shared, { credential, manifest: manifestOf(credential, ports) }, context())
    await adoptValue(shared, { credential, value: new Secret(randomBytes(32).toString('base64url')), vendorTokenId: 'the-old-one' }, context())
    const { rotationId } = await openRotation(shared, { credential, mode: 'rotate', trigger: 'operator' }, context())
    const step = async (kind: 'verify' | 'distribute' | 'validate', wanted: JobState): Promise<void> => {
      const jobNow = async () => openJob((await aggregates.cached(credentialAggregate, credential)).state)
      await takeStep(shared, { credential, rotationId, transition: (await jobNow())?.transition, step: { kind } }, context())
      await reactor.carryOut({ id: rotationId, stream: `credential-${credential}`, eventId: rotationId, correlationId: rotationId })
      const state = (await jobNow())?.state
      if (state !== wanted) throw new Error(`after ${kind} the rotation is ${String(state)}`)
    }
    const took = (from: string, to: string): Took => between(times.get(from), times.get(to))
    await step('verify', 'verified')
    await step('distribute', 'distributed')
    await step('validate', 'validated')
    await outgoing.close()
    return { handed: took('rotation.deliveries_started', 'rotation.distributed'), asked: took('rotation.validation_started', 'rotation.validated') }
  }
  return { run, most: () => most }
}

const publicKey = async () => {
  const { exportJWK, generateKeyPair } = await import('jose')
  const { x = '' } = await exportJWK((await generateKeyPair('ECDH-ES', { crv: 'X25519' })).publicKey)
  return { kty: 'OKP' as const, crv: 'X25519' as const, x }
}

const manifestOf = (credential: string, ports: readonly number[]): Manifest => {
  const call = { method: 'GET' as const, url: 'https://vendor.example/', headers: { authorization: 'Bearer {{value}}' }, expect: [200] }
  const byConnection = { ...call, headers: { authorization: 'Bearer {{connection}}' } }
  const person = (text: string) => new Clear(text, `credential-${credential}`)
  return {
    vendor: {
      kind: 'http', authenticate: call, metadata: call, mayMint: byConnection, refusedStatuses: [401],
      mint: { call: { ...byConnection, method: 'POST', body: '{"description":"{{label}}"}' }, secret: '/token', tokenId: '/id' },
      list: { call: byConnection, items: '', tokenId: '/id', label: '/description' },
      revoke: { ...byConnection, method: 'DELETE', url: 'https://vendor.example/{{token_id}}' }
    },
    connection: { account: 'bench' },
    sensitivity: 'normal',
    owner: { name: person('A'), email: person('a@example.org') },
    leadDays: 7,
    consumers: ports.map((port, i) => ({
      consumer: `consumer-${i}`, required: true, delivery: { kind: 'push', url: `http://127.0.0.1:${port}/deliveries` }, healthcheck: `http://127.0.0.1:${port}/health`, proof: { kind: 'possession' }
    }))
  }
}

const chancery = (rotation: () => Promise<Both>, pids: number[]): Contestant =>
  ({ name: 'chancery', pids: () => pids, slice: (milliseconds) => fanned(milliseconds, rotation) })

/** As many requests of the same size, all at once, with undici's own pool; an answer is read to its end. */
const plain = (ports: readonly number[], pids: number[]): Contestant => ({
  name: 'plain',
  pids: () => pids,
  slice: (milliseconds) => fanned(milliseconds, async () => {
    const dispatcher = new Agent()
    const body = JSON.stringify({ type: 'credential.rotation', timestamp: clock.now().toISOString(), data: { credential: 'credential-1', rotation_id: ids.next(), delivery_seq: 1, jwe: 'x'.repeat(480) } })
    const headers = { 'content-type': 'application/json', 'webhook-id': ids.next(), 'webhook-timestamp': '1795281066', 'webhook-signature': `v1,${'x'.repeat(44)}` }
    const all = async (ask: (port: number) => ReturnType<typeof request>): Promise<Took> => {
      const began = moment()
      await Promise.all(ports.map(async (port) => {
        const answer = await ask(port)
        if (answer.statusCode !== 200) throw new Error(`a consumer answered ${answer.statusCode}`)
        await answer.body.text()
      }))
      return between(began, moment())
    }
    const nonce = randomBytes(32).toString('base64url')
    const handed = await all((port) => request(`http://127.0.0.1:${port}/deliveries`, { dispatcher, method: 'POST', headers, body }))
    const asked = await all((port) => request(`http://127.0.0.1:${port}/health?credential=credential-1&nonce=${nonce}`, { dispatcher }))
    await dispatcher.close()
    return { handed, asked }
  })
})

const fanned = async (milliseconds: number, once: () => Promise<Both>): Promise<Fanned> => {
  const began = performance.now()
  const [handed, asked]: [Took[], Took[]] = [[], []]
  do {
    const took = await once()
    handed.push(took.handed)
    asked.push(took.asked)
  } while (performance.now() - began < milliseconds)
  return { operations: handed.length, seconds: (performance.now() - began) / 1000, latencies: handed.map(({ ms }) => ms), handed, asked }
}

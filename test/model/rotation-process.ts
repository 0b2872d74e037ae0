// One process of Chancery in the model: the real commands and reactors over ports that take their time, fail, and die with it.
import { createAggregates } from '../../src/commands/execute.ts'
import type { RotationRules } from '../../src/domain/rotation/rules.ts'
import type { LogEvent } from '../../src/domain/catalogue.ts'
import { intentMovesOf } from '../../src/domain/intents.ts'
import { LogOutcomeUnknown, LogUnavailable } from '../../src/log-errors.ts'
import type { EventStore, Ids } from '../../src/ports.ts'
import { oldValuesReactor } from '../../src/reactors/rotation/old-values.ts'
import type { FetchDeps } from '../../src/commands/rotations/deps.ts'
import { rotationReactor, type RotationReactorDeps } from '../../src/reactors/rotation/reactor.ts'
import type { Intent, Reactor } from '../../src/reactors/reactor.ts'
import type { SubscriberKeys, Tickets, VendorGateway } from '../../src/rotation-ports.ts'
import type { VirtualClock } from '../support/memory-clock.ts'
import type { MemoryDeliveries } from '../support/memory-deliveries.ts'
import type { MemoryLog } from '../support/memory-log.ts'
import type { MemoryValues } from '../support/memory-values.ts'
import type { MemoryVendor } from '../support/memory-vendor.ts'
import type { Checks } from './rotation-checks.ts'

export interface Surroundings {
  log: MemoryLog
  clock: VirtualClock
  draw: (below: number) => number
  sluggishMs: number
  ids: Ids
  vendor: MemoryVendor
  values: MemoryValues
  deliveries: MemoryDeliveries
  keys: SubscriberKeys
  tickets: Tickets
  rules: RotationRules
  checks: Checks
  /** Told of what a reactor throws: only what the world did to it may be thrown. */
  threw: (error: unknown) => void
  /** Somebody revokes by hand, where the vendor cannot be asked to. */
  byHand: (token: Parameters<VendorGateway['revoke']>[0]) => void
}

export interface CrashPlan { after: number, moment: 'before' | 'during' | 'after' }
export interface LogFault { fault: 'away' | 'lost' | 'unanswered', after: number }

type Deps = RotationReactorDeps & FetchDeps

export interface ModelProcess {
  readonly dead: boolean
  readonly deps: Deps
  die (): void
  /** Dies at a call to a port that is still to come. */
  crash (plan: CrashPlan): void
  failAppend (fault: LogFault): void
  /** Stands still at its next call to a port. */
  stall (ms: number): void
  heal (): void
  follow (event: LogEvent): void
}

const never = async (): Promise<never> => await new Promise(() => {})
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 30_000

export const startProcess = (around: Surroundings): ModelProcess => {
  const { log, clock, draw, vendor, values, deliveries, keys, tickets, checks } = around
  let dead = false
  let plan: CrashPlan | undefined
  let appendFault: LogFault | undefined
  let stallMs = 0

  /** Nothing that a dead process awaits ever comes back to it. */
  const port = <A extends unknown[], R>(act: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    if (draw(3) === 0) await clock.sleep(draw(1 + around.sluggishMs))
    if (stallMs > 0) {
      const ms = stallMs
      stallMs = 0
      await clock.sleep(ms)
    }
    const moment = plan !== undefined && plan.after-- <= 0 ? plan.moment : undefined
    if (moment === 'before') dead = true
    if (dead) return never()
    const acting = act(...args)
    if (moment === 'during') {
      dead = true
      acting.catch(() => {})
      return never()
    }
    try {
      const result = await acting
      // Unless all faults have ended meanwhile.
      if (moment === 'after' && plan !== undefined) dead = true
      if (!dead && draw(6) === 0) await clock.sleep(draw(40))
      return dead ? await never() : result
    } catch (error) {
      if (dead) return never()
      throw error
    }
  }

  const append = port(async (...args: Parameters<EventStore['append']>) => {
    const fault = appendFault !== undefined && appendFault.after-- <= 0 ? appendFault.fault : undefined
    if (fault !== undefined) appendFault = undefined
    if (fault === 'away') throw new LogUnavailable('the model took the log away')
    if (fault === 'lost') throw new LogOutcomeUnknown('the model lost the append')
    const appended = await log.append(...args)
    if (fault === 'unanswered') throw new LogOutcomeUnknown('the model lost the answer')
    return appended
  })
  const arrived = port(async () => {})
  const events: EventStore = {
    ...log,
    append,
    readStream: async function * (stream, options) {
      await arrived()
      yield * log.readStream(stream, options)
    }
  }

  const gateway: VendorGateway = {
    lists: vendor.lists,
    timeLimitMs: vendor.timeLimitMs,
    verify: port((...args) => vendor.verify(...args)),
    mint: port(async (request) => {
      checks.effect.mint(request.label)
      return vendor.mint(request)
    }),
    list: port(() => vendor.list()),
    revoke: port(async (token) => {
      checks.effect.revoke(token.tokenId, token.value)
      if (!vendor.lists) around.byHand(token)
      return vendor.revoke(token)
    }),
    probeRefused: port((value) => vendor.probeRefused(value))
  }
  const aggregates = createAggregates(events, around.ids)
  const holder = around.ids.next()
  const deps: Deps = {
    aggregates,
    events,
    ids: around.ids,
    clock,
    holder,
    pause: (milliseconds) => clock.sleep(milliseconds),
    rules: around.rules,
    keys: { keyOf: port((consumer) => keys.keyOf(consumer)) },
    values: {
      put: port((value) => values.put(value)),
      open: port(async (valueId) => {
        checks.effect.open(valueId)
        return values.open(valueId)
      }),
      destroy: port(async (valueId) => {
        checks.effect.destroy(valueId)
        return values.destroy(valueId)
      }),
      fingerprint: (secret) => values.fingerprint(secret)
    },
    vendors: { gateway: () => gateway, check: async () => [] },
    tickets: { check: port((ticket) => tickets.check(ticket)) },
    deliveries: {
      seal: port((content, to) => deliveries.seal(content, to)),
      push: port((to) => {
        checks.effect.push(to.subscriber.consumer, to.deliverySeq)
        return deliveries.push(to)
      }),
      announce: port((entries) => deliveries.announce(entries)),
      probe: port((of) => deliveries.probe(of))
    }
  }

  /** As the engine does it: every open intent in a loop of its own, woken by its clock, or by a fact of its stream. */
  const engine = (reactor: Reactor) => {
    const open = new Map<string, { stream: string, failures: number, woken: boolean, wake: () => void }>()
    const work = async (intent: Intent): Promise<void> => {
      const entry = { stream: intent.stream, failures: 0, woken: false, wake: () => {} }
      open.set(intent.id, entry)
      while (open.get(intent.id) === entry) {
        entry.woken = false
        let pause: number
        try {
          const again = await reactor.carryOut(intent)
          entry.failures = 0
          if (again === undefined) {
            open.delete(intent.id)
            return
          }
          pause = again
        } catch (error) {
          around.threw(error)
          pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** entry.failures++)
        }
        if (!entry.woken) await Promise.race([clock.sleep(pause), new Promise<void>((resolve) => { entry.wake = resolve })])
        if (dead) return
      }
    }
    return {
      add: (intent: Intent): void => { if (!open.has(intent.id)) void work(intent) },
      forget: (id: string): void => { open.delete(id) },
      wake: (stream: string): void => {
        for (const entry of open.values()) {
          // One that failed keeps its pause.
          if (entry.stream !== stream || entry.failures > 0) continue
          entry.woken = true
          entry.wake()
        }
      }
    }
  }
  const engines = [rotationReactor(deps), oldValuesReactor(deps)].map((reactor) => ({ reactor, engine: engine(reactor) }))
  const follow = (event: LogEvent): void => {
    for (const { intent, id, move } of intentMovesOf(event)) {
      for (const { reactor, engine } of engines) {
        if (reactor.intent !== intent) continue
        if (move === 'opens') engine.add({ id, stream: event.stream, eventId: event.id, correlationId: event.metadata.$correlationId })
        if (move === 'settles') engine.forget(id)
      }
    }
    for (const { reactor, engine } of engines) if (reactor.wakesOnStream === true) engine.wake(event.stream)
  }
  // What was settled later in the history is not taken up on the way through it.
  const settled = new Set(log.events.flatMap((event) => intentMovesOf(event)).filter(({ move }) => move === 'settles').map(({ intent, id }) => `${intent} ${id}`))
  for (const event of log.events) {
    if (intentMovesOf(event).some(({ intent, id, move }) => move === 'opens' && !settled.has(`${intent} ${id}`))) follow(event)
  }

  return {
    get dead () { return dead },
    deps,
    die: () => { dead = true },
    crash: (next) => { plan = { ...next } },
    failAppend: (fault) => { appendFault = { ...fault } },
    stall: (ms) => { stallMs = ms },
    heal: () => {
      plan = appendFault = undefined
      stallMs = 0
    },
    follow: (event) => {
      // What the log delivers live comes a little later.
      void clock.sleep(draw(4) === 0 ? draw(30) : 0).then(() => { if (!dead) follow(event) })
    }
  }
}

// One rotation over ports in memory: a vendor that can be made to answer otherwise, a clock that moves when somebody waits by it.
import { uuidIds } from '../../infra/ids.ts'
import { createAggregates } from '../../src/commands/execute.ts'
import type { CommandContext } from '../../src/commands/context.ts'
import { adoptValue, putManifest } from '../../src/commands/rotations/credentials.ts'
import type { FetchDeps } from '../../src/commands/rotations/deps.ts'
import { openRotation, takeStep } from '../../src/commands/rotations/rotations.ts'
import { credentialAggregate } from '../../src/domain/credential/credential.ts'
import type { VendorSettings } from '../../src/domain/credential/manifest.ts'
import type { KnownCredential } from '../../src/domain/credential/state.ts'
import type { Step } from '../../src/domain/rotation/steps.ts'
import type { Job } from '../../src/domain/rotation/state.ts'
import { jobView } from '../../src/domain/rotation/view.ts'
import { rotationReactor, type RotationReactorDeps } from '../../src/reactors/rotation/reactor.ts'
import type { MintOutcome, VendorGateway } from '../../src/rotation-ports.ts'
import { manifest, NAME } from '../domain/rotation/world.ts'
import { memoryDeliveries } from '../support/memory-deliveries.ts'
import { memoryLog } from '../support/memory-log.ts'
import { memoryTickets } from '../support/memory-tickets.ts'
import { memoryValues } from '../support/memory-values.ts'
import { memoryVendor } from '../support/memory-vendor.ts'

type ManualVendor = VendorSettings & { kind: 'manual' }

/** A clock that moves when somebody waits by it. */
export const world = async (vendorIs?: ManualVendor, labels = true) => {
  let now = Date.parse('2026-11-21T10:00:00.000Z')
  const clock = { now: () => new Date(now), sleep: async (ms: number) => { now += ms } }
  const log = memoryLog({ now: clock.now })
  const vendor = memoryVendor({ clock, labels, lists: vendorIs === undefined })
  const values = memoryValues()
  const deliveries = memoryDeliveries({ clock })
  const gateway: { -readonly [K in keyof VendorGateway]: VendorGateway[K] } = {
    lists: vendor.lists, timeLimitMs: vendor.timeLimitMs,
    verify: (value, options) => vendor.verify(value, options), mint: (request) => vendor.mint(request), list: () => vendor.list(),
    revoke: (token) => vendor.revoke(token), probeRefused: (value) => vendor.probeRefused(value)
  }
  const deps: RotationReactorDeps & FetchDeps = {
    aggregates: createAggregates(log, uuidIds), events: log, ids: uuidIds, clock, values, deliveries, holder: uuidIds.next(),
    keys: { keyOf: async (name) => deliveries.consumer(name).key }, tickets: memoryTickets(), vendors: { gateway: () => gateway, check: async () => [] },
    rules: { proofMaxAgeMs: 900_000, valueGraceMs: 1_000, alone: true }, pause: clock.sleep
  }
  const context = (): CommandContext => {
    const commandId = uuidIds.next()
    return { commandId, at: clock.now(), actor: { type: 'principal', id: 'operator' }, requestId: commandId, ticket: 'T-1' }
  }
  const first = vendor.issue('first')
  const consumers = [deliveries.consumer('one').subscriber()]
  const { connection, ...rest } = manifest(consumers)
  await putManifest(deps, { credential: NAME, manifest: vendorIs === undefined ? { ...rest, ...connection && { connection } } : { ...rest, vendor: vendorIs } }, context())
  await adoptValue(deps, { credential: NAME, value: first.secret, vendorTokenId: first.tokenId }, context())
  let { rotationId } = await openRotation(deps, { credential: NAME, mode: 'rotate', trigger: 'operator' }, context())
  const credential = async () => (await deps.aggregates.current(credentialAggregate, NAME)).state as KnownCredential
  const job = async () => (await credential()).job as Job
  const intent = { id: rotationId, stream: `credential-${NAME}`, eventId: rotationId, correlationId: rotationId }
  /** Opens the next rotation. */
  const next = async () => {
    ({ rotationId } = await openRotation(deps, { credential: NAME, mode: 'rotate', trigger: 'operator' }, context()))
    Object.assign(intent, { id: rotationId, eventId: rotationId, correlationId: rotationId })
  }
  const reactor = rotationReactor(deps)
  return {
    vendor, gateway, values, deliveries, log, deps, first, context, credential, job, intent, next,
    view: async () => jobView(await credential(), rotationId, clock.now(), deps.rules),
    pass: (ms: number) => { now += ms },
    /** Carries on until it waits for a human, or for a minute. */
    settle: async (by = reactor): Promise<string> => {
      for (let turns = 0; turns < 100; turns++) {
        const again = await by.carryOut(intent)
        if (again === undefined || again >= 60_000) break
        now += again
      }
      return (await job()).state
    },
    step: async (step: Step) => takeStep(deps, { credential: NAME, rotationId, transition: (await job()).transition, step }, context()),
    types: () => log.events.map(({ type }) => type as string)
  }
}

export type World = Awaited<ReturnType<typeof world>>

/** Brings it up to the minting, with what the vendor answers to it. */
export const mintAs = async (outcome?: (w: World) => Promise<MintOutcome>, labels = true) => {
  const w = await world(undefined, labels)
  if (outcome !== undefined) w.gateway.mint = () => outcome(w)
  await w.step({ kind: 'verify' })
  await w.settle()
  await w.step({ kind: 'distribute' })
  return w
}

/** From `distributed` to the end. */
export const finish = async (w: World): Promise<string> => {
  await w.step({ kind: 'validate' })
  await w.settle()
  await w.step({ kind: 'revoke', confirm: NAME })
  return await w.settle()
}
/** Ids of all tokens that work. */
export const live = ({ vendor }: World) => vendor.live().map(({ tokenId }) => tokenId).sort()
/** Ids of the orphans that were revoked. */
export const revokedIds = ({ log }: World) => log.events.flatMap((event) => event.type === 'rotation.orphan_revoked' ? [event.data.vendorTokenId] : [])

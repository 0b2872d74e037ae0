// What may happen to a rotation in the model: operators, consumers, vendor, crashes and time, as plain JSON that a fixture can keep.
import fc from 'fast-check'
import { rotationEvents } from '../../src/domain/rotation/events.ts'
import { stepNames } from '../../src/domain/rotation/job.ts'
import type { PushBehaviour, ProbeBehaviour } from '../support/memory-deliveries.ts'
import type { VendorCall, VendorFault } from '../support/memory-vendor.ts'

export const CONSUMERS = 4
export const VENDOR_LIMIT_MS = 5_000

const consumer = fc.nat(CONSUMERS - 1)
const process = fc.nat(1)
const by = fc.nat(1)
/** Time that passes after a step, in ms. */
const pause = fc.constantFrom(0, 0, 40, 300, 1_000, 2_000, 6_000)
const step = <K extends string, R extends object>(kind: K, weight: number, fields: { [Key in keyof R]: fc.Arbitrary<R[Key]> }) =>
  ({ weight, arbitrary: fc.record({ do: fc.constant(kind), pause, ...fields }) as fc.Arbitrary<{ do: K, pause: number } & R> })

const calls: readonly VendorCall[] = ['authenticate', 'metadata', 'may_mint', 'refuses_random', 'mint', 'list', 'revoke', 'refused']
const writing: readonly VendorCall[] = ['mint', 'mint', 'list', 'revoke']
const vendorFault: fc.Arbitrary<VendorFault> = fc.constantFrom<VendorFault>(
  { kind: 'error' }, { kind: 'no' }, { kind: 'away' }, { kind: 'timeout' }, { kind: 'applied_unanswered' }, { kind: 'applied_unanswered', timeout: true },
  { kind: 'late', afterMs: 5_500 }, { kind: 'late', afterMs: 9_500 }, { kind: 'slow', ms: 3_000 }, { kind: 'slow', ms: 5_500 })
const pushes: fc.Arbitrary<PushBehaviour[]> = fc.array(fc.constantFrom<PushBehaviour>('accept', 'refuse', 'away', 'silent', 'late', 'ignore'), { maxLength: 4 })
const probes: fc.Arbitrary<ProbeBehaviour[]> = fc.array(fc.constantFrom<ProbeBehaviour>('prove', 'unhealthy', 'away', 'bare'), { maxLength: 4 })

const anyStep = fc.oneof(
  step('open', 6, { by, process, mode: fc.constantFrom('rotate', 'rotate', 'rotate', 'replace'), stray: fc.boolean() }),
  /** What the view offers, the forward ones first: `pick` 0 takes the first. */
  step('go', 36, { by, process, pick: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1, 2) }),
  /** Whatever it is, offered or not; `stale`: on what this operator saw when it last looked. */
  step('ask', 8, { by, process, step: fc.constantFrom(...stepNames), stale: fc.boolean(), consumer, wrong: fc.boolean() }),
  step('look', 2, { by, process }),
  step('abort', 2, { by, process }),
  step('manifest', 6, { process, change: fc.constantFrom('join', 'join', 'leave', 'require', 'relax', 'move'), consumer, ticket: fc.boolean() }),
  /** The next time that this is recorded, something comes right after it. */
  step('when', 16, {
    by, process, consumer, fact: fc.oneof(fc.constantFrom(...Object.keys(rotationEvents)), fc.constantFrom('rotation.validated', 'rotation.revoke_requested', 'rotation.validation_started', 'rotation.abort_requested', 'rotation.mint_outcome_unknown')),
    then: fc.constantFrom('abort', 'crash', 'break', 'break', 'break', 'lie', 'join', 'leave', 'require', 'relax', 'move', 'use', 'strangers', 'go')
  }),
  /** Somebody who is required, and stands in no manifest yet, joins on the way to an end. */
  step('joiner', 8, { process, fact: fc.constantFrom('rotation.abort_requested', 'rotation.abort_started', 'rotation.proofs_recorded', 'rotation.new_revoke_started', 'rotation.revoke_started', 'rotation.revoke_answered') }),
  step('vendor', 8, { call: fc.oneof(fc.constantFrom(...calls), fc.constantFrom(...writing)), faults: fc.array(vendorFault, { minLength: 1, maxLength: 3 }) }),
  /** Somebody else makes tokens at the same vendor. */
  step('strangers', 3, { many: fc.constantFrom(1, 2) }),
  step('kill', 1, { which: fc.constantFrom('old', 'new') }),
  step('connection', 1, { up: fc.boolean() }),
  step('consumer', 8, { consumer, pushes, probes, flapping: fc.boolean(), slowMs: fc.constantFrom(0, 0, 0, 2_000, 6_000), lateMs: fc.constantFrom(100, 5_500, 9_000) }),
  step('standing', 2, { consumer, push: fc.constantFrom<PushBehaviour>('accept', 'refuse', 'away', 'silent', 'ignore'), probe: fc.constantFrom<ProbeBehaviour>('prove', 'unhealthy', 'away', 'bare') }),
  step('poll', 8, { consumer, process, acknowledge: fc.boolean(), holdMs: fc.constantFrom(0, 0, 20_000, 100_000) }),
  step('acknowledge', 2, { consumer, process, back: fc.nat(2) }),
  step('use', 2, { consumer }),
  step('key', 1, { consumer }),
  step('redis', 1, { away: fc.boolean() }),
  step('values', 2, { fault: fc.constantFrom('put_lost', 'put_unanswered', 'open_failed') }),
  step('log', 4, { process, fault: fc.constantFrom('away', 'lost', 'unanswered'), after: fc.nat(3) }),
  step('crash', 6, { process, after: fc.nat(30), moment: fc.constantFrom('before', 'during', 'after') }),
  /** A process that stands still for a while; beside another one no longer than that one waits for it. */
  step('stall', 2, { process, ms: fc.constantFrom(3_000, 8_000, 60_000) }),
  /** Sends the last request of this operator once more, unchanged. */
  step('again', 3, { by, process }),
  step('restart', 4, { process }),
  step('pass', 8, { ms: fc.constantFrom(100, 1_000, 5_000, 12_000, 70_000, 400_000, 1_000_000) })
)
export type Step = typeof anyStep extends fc.Arbitrary<infer S> ? S : never

/** How a world begins. */
const anySetup = fc.record({
  /** Seed of what is left to chance: who comes first, how long a port takes. */
  chance: fc.nat(2 ** 31 - 1),
  /** How long a call to a port may take, in ms: what comes in between comes in between more often. */
  sluggishMs: fc.constantFrom(0, 0, 400, 2_000),
  /** An operator goes on and on all the while: what happens meets a job that is far advanced. */
  eager: fc.boolean(),
  processes: fc.constantFrom(1, 1, 2),
  vendor: fc.constantFrom('http', 'http', 'http', 'unlabelled', 'manual'),
  /** The first ones of all; the others may join. */
  consumers: fc.array(fc.record({ required: fc.boolean(), pull: fc.boolean(), provable: fc.boolean(), keyed: fc.constantFrom(true, true, true, true, false) }), { minLength: CONSUMERS, maxLength: CONSUMERS }),
  members: fc.integer({ min: 1, max: CONSUMERS }),
  dead: fc.constantFrom(false, false, false, false, true)
})
export type Setup = typeof anySetup extends fc.Arbitrary<infer S> ? S : never

export interface Case { setup: Setup, steps: Step[] }
export const anyCase: fc.Arbitrary<Case> = fc.record({ setup: anySetup, steps: fc.array(anyStep, { minLength: 4, maxLength: 30, size: 'max' }) })

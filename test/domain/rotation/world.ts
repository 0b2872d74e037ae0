// A credential brought into each state of a rotation by the decisions themselves: for tests of what they do next.
import type { EventOf } from '../../../src/domain/catalogue.ts'
import { credentialAggregate } from '../../../src/domain/credential/credential.ts'
import type { Exchange } from '../../../src/domain/credential/fields.ts'
import type { Manifest, Subscriber } from '../../../src/domain/credential/manifest.ts'
import type { Credential, KnownCredential } from '../../../src/domain/credential/state.ts'
import { Clear } from '../../../src/domain/personal.ts'
import type { JobState, Mode } from '../../../src/domain/rotation/job.ts'
import { open } from '../../../src/domain/rotation/open.ts'
import {
  aborted, abortStarted, done, mintNotAsked, mintStarted, mintUnknown, minted, newRevokeAnswered, newRevokeStarted, onJob, refusalProbed, revokeAnswered,
  revokeStarted, unconfirmed, verified, type Outcome
} from '../../../src/domain/rotation/outcomes.ts'
import { deliveriesRecorded, deliveriesStarted, distributionEnded, proofsRecorded, validationEnded, validationStarted } from '../../../src/domain/rotation/outcomes-consumers.ts'
import type { DueRules } from '../../../src/domain/rotation/rules.ts'
import { takeStepOn, type StepCommand } from '../../../src/domain/rotation/steps.ts'
import type { Job } from '../../../src/domain/rotation/state.ts'

export const NAME = 'heroku-api'
const OLD = '11111111-1111-5111-8111-111111111111'
export const NEW = '22222222-2222-5222-8222-222222222222'
export const ROTATION = '33333333-3333-5333-8333-333333333333'
export const BEGIN = Date.parse('2026-11-21T10:00:00.000Z')
export const rules: DueRules = { proofMaxAgeMs: 900_000, valueGraceMs: 86_400_000, alone: true, holder: 'this-process', timeLimitMs: 5_000 }

export const exchange = (outcome: Exchange['outcome'], status = '200'): Exchange =>
  ({ probe: 'test', outcome, request: { method: 'GET', target: 'https://vendor.example/' }, answer: { status }, at: new Date(BEGIN).toISOString(), tookMs: 1 })

export const subscriber = (consumer: string, of: Partial<Subscriber> = {}): Subscriber => ({
  consumer, required: true, delivery: { kind: 'push', url: `https://${consumer}.example/deliveries` }, healthcheck: `https://${consumer}.example/health`, proof: { kind: 'possession' }, ...of
})

const call = (url: string): { method: 'GET', url: string, expect: number[] } => ({ method: 'GET', url, expect: [200] })

export const manifest = (consumers: Subscriber[], vendor = 'vendor.example'): Manifest => ({
  vendor: {
    kind: 'http', authenticate: call(`https://${vendor}/{{value}}`), metadata: call(`https://${vendor}/{{value}}/self`), mayMint: call(`https://${vendor}/{{connection}}`),
    mint: { call: call(`https://${vendor}/{{connection}}/{{label}}`), secret: '/token', tokenId: '/id' }, list: { call: call(`https://${vendor}/{{connection}}/list`), items: '', tokenId: '/id' },
    revoke: call(`https://${vendor}/{{connection}}/{{token_id}}`), refusedStatuses: [401]
  },
  connection: { account: 'vendor' }, sensitivity: 'critical', leadDays: 7, lifetimeDays: 90,
  owner: { name: new Clear('Ada', `credential-${NAME}`), email: new Clear('ada@example.org', `credential-${NAME}`) }, consumers
})

/** `one` is required, `two` is not. */
export const usual = (): Subscriber[] => [subscriber('one'), subscriber('two', { required: false })]

/** A credential that facts are told to, one command after the other, a second apart. */
export const tell = (mode: Mode = 'rotate', consumers = usual()) => {
  let state: Credential = credentialAggregate.initial
  let now = BEGIN
  let revision = 0n
  const fold = (facts: ReadonlyArray<EventOf<'credential'>>, actor: 'operator' | 'rotation', holder = rules.holder): void => {
    now += 1_000
    for (const fact of facts) {
      const occurredAt = new Date(now).toISOString()
      state = credentialAggregate.evolve(state, {
        ...fact, id: `${ROTATION.slice(0, -4)}${String(revision).padStart(4, '0')}`, stream: `credential-${NAME}`, revision: revision++,
        metadata: {
          $correlationId: ROTATION, $causationId: ROTATION, commandId: ROTATION, schemaVersion: 1, occurredAt,
          actor: actor === 'operator' ? { type: 'principal', id: 'operator' } : { type: 'system', id: 'rotation' }, requestId: holder
        }
      })
    }
  }
  const told = {
    get credential (): KnownCredential { return state as KnownCredential },
    get job (): Job { return told.credential.job as Job },
    get state (): JobState { return told.job.state },
    now: (): Date => new Date(now),
    pass: (ms: number) => { now += ms; return told },
    facts: (facts: ReadonlyArray<EventOf<'credential'>>) => { fold(facts, 'operator'); return told },
    /** Takes a step as an operator who saw the last transition. */
    step: (step: StepCommand['step']) => {
      fold(takeStepOn(state, { rotationId: ROTATION, transition: told.job.transition, step, ticket: 'format', at: new Date(now + 1_000) }, rules), 'operator')
      return told
    },
    /** What the reactor records. */
    record: (outcome: Outcome, holder?: string) => {
      fold(onJob(state, ROTATION, new Date(now + 1_000), outcome), 'rotation', holder)
      return told
    },
    deliver: (status: 'succeeded' | 'failed' | 'unreachable' | 'sent', names = [...told.job.consumers.keys()]) => told.record(deliveriesRecorded(names.map((consumer) => ({
      consumer, deliverySeq: told.job.consumers.get(consumer)?.delivery?.seq ?? 0, status, tries: 5, exchange: exchange(status === 'succeeded' ? 'passed' : 'failed'), at: new Date(now).toISOString()
    })))),
    prove: (names: readonly string[], outcome: 'proved' | 'unproved' = 'proved') => told.record(proofsRecorded(told.job.rounds, names.map((consumer) => ({
      consumer, outcome, exchange: exchange(outcome === 'proved' ? 'passed' : 'failed'), at: new Date(now).toISOString(), tries: told.job.consumers.get(consumer)?.probe?.round === told.job.rounds ? told.job.consumers.get(consumer)?.probe?.tries ?? 0 : 0
    }))))
  }
  told.facts([
    { type: 'credential.manifest_put', data: { credential: NAME, version: 1, manifest: manifest(consumers), putAt: new Date(now).toISOString() } },
    { type: 'credential.value_adopted', data: { credential: NAME, valueId: OLD, fingerprint: 'o'.repeat(43), vendorTokenId: 'token-old', adoptedAt: new Date(now).toISOString() } }
  ])
  return told.facts(open(state, { rotationId: ROTATION, mode, trigger: 'operator', confirm: NAME, ticket: 'format', at: new Date(now) }))
}

export type Told = ReturnType<typeof tell>

const started = (told: Told): Told => told.record(mintStarted(1, { valueId: NEW, label: 'label' }, []))
const proveAll = (told: Told): Told => told.prove([...told.job.consumers.keys()])

/** How each state is reached from one before it. */
const ways: Record<JobState, [from: JobState | undefined, on: (told: Told) => Told]> = {
  opened: [undefined, (told) => told],
  verifying: ['opened', (told) => told.step({ kind: 'verify' })],
  verified: ['verifying', (told) => told.record(verified(1, [exchange('passed')]))],
  verify_failed: ['verifying', (told) => told.record(verified(1, [exchange('passed'), exchange('failed', '401')]))],
  minting: ['verified', (told) => told.step({ kind: 'distribute' })],
  mint_failed: ['minting', (told) => told.record(mintNotAsked(1, [exchange('failed', '403')]))],
  mint_outcome_unknown: ['minting', (told) => started(told).record(mintUnknown(1, NEW, [exchange('unknown')]))],
  distributing: ['minting', (told) => started(told).record(minted(1, { valueId: NEW, fingerprint: 'n'.repeat(43), vendorTokenId: 'token-new' }, [exchange('passed')]))
    .record(deliveriesStarted(NEW, [...told.job.consumers.keys()]))],
  distribute_partial: ['distributing', (told) => told.deliver('failed', ['one']).deliver('succeeded', ['two']).record(distributionEnded)],
  distributed: ['distributing', (told) => told.deliver('succeeded').record(distributionEnded)],
  validating: ['distributed', (told) => told.step({ kind: 'validate' })],
  validation_failed: ['validating', (told) => told.prove(['one']).prove(['two'], 'unproved').record(validationEnded(1, 'validate'))],
  validated: ['validating', (told) => proveAll(told).record(validationEnded(1, 'validate'))],
  confirming: ['validated', (told) => told.step({ kind: 'revoke', confirm: NAME }).record(validationStarted('revoke', 2))],
  revoking: ['confirming', (told) => proveAll(told).record(revokeStarted(1, rules.proofMaxAgeMs))],
  revoke_unconfirmed: ['revoking', (told) => told.record(revokeAnswered(1, 'unknown', [exchange('unknown')])).record(unconfirmed)],
  abort_checking: ['distributed', (told) => told.step({ kind: 'abort' })],
  aborting: ['abort_checking', (told) => told.record(abortStarted([exchange('failed')]))],
  done: ['revoking', (told) => [0, 1, 2].reduce((on, n) => on.record(refusalProbed(n, true, [exchange('passed', '401')])), told.record(revokeAnswered(1, 'revoked', [])))
    .record(done(rules.valueGraceMs, []))],
  aborted: ['aborting', (told) => [0, 1, 2].reduce((on, n) => on.record(refusalProbed(n, true, [exchange('passed', '401')])),
    proveAll(told.deliver('succeeded').record(validationStarted('abort', 1))).record(newRevokeStarted(1)).record(newRevokeAnswered(1, 'revoked', []))).record(aborted(rules.valueGraceMs, false, []))]
}

export const into = (state: JobState, told: Told = tell()): Told => {
  const [from, on] = ways[state]
  return on(from === undefined ? told : into(from, told))
}

// A world of one credential: vendor, consumers, vault, log and processes in memory, and what may happen to them.
import type { CommandContext } from '../../src/commands/context.ts'
import { acknowledge, fetchValue } from '../../src/commands/rotations/consumers.ts'
import { adoptValue, putManifest } from '../../src/commands/rotations/credentials.ts'
import { credentialAggregate, type Credential } from '../../src/domain/credential/credential.ts'
import type { Manifest, Subscriber } from '../../src/domain/credential/manifest.ts'
import type { Secret } from '../../src/domain/credential/secret.ts'
import { Refusal } from '../../src/domain/codes.ts'
import { Clear } from '../../src/domain/personal.ts'
import { stepNames, type JobView, type StepName } from '../../src/domain/rotation/job.ts'
import type { RotationRules } from '../../src/domain/rotation/rules.ts'
import type { Job } from '../../src/domain/rotation/state.ts'
import { takeStepOn, type StepCommand } from '../../src/domain/rotation/steps.ts'
import { jobView } from '../../src/domain/rotation/view.ts'
import { LogOutcomeUnknown, LogUnavailable } from '../../src/log-errors.ts'
import { uuidIds } from '../../infra/ids.ts'
import type { Ids } from '../../src/ports.ts'
import { virtualClock } from '../support/memory-clock.ts'
import { memoryDeliveries } from '../support/memory-deliveries.ts'
import { memoryLog } from '../support/memory-log.ts'
import { memoryTickets } from '../support/memory-tickets.ts'
import { memoryValues } from '../support/memory-values.ts'
import { memoryVendor } from '../support/memory-vendor.ts'
import { seeded } from '../support/seeded.ts'
import { CANARY, createChecks } from './rotation-checks.ts'
import { startProcess, type ModelProcess, type Surroundings } from './rotation-process.ts'
import { VENDOR_LIMIT_MS, type Setup } from './rotation-steps.ts'

export const CREDENTIAL = 'vendor-token'
export const nameOf = (consumer: number): string => `consumer-${consumer}`
/** How long a caller waits for an answer of a process that may have died. */
const CALLER_PATIENCE_MS = 15_000
const HTTP_CALL = { method: 'GET' as const, url: 'https://vendor.example/{{value}}/{{connection}}/{{token_id}}', expect: [200] }

export type World = Awaited<ReturnType<typeof openWorld>>

/** What the world itself does to a call; everything else that is thrown is a mistake of the program. */
const isWorldly = (error: unknown): boolean =>
  error instanceof LogUnavailable || error instanceof LogOutcomeUnknown || error instanceof Refusal ||
  (error instanceof Error && (error.name === 'VaultAway' || error.message === 'Redis is away'))

const accepts = (work: () => unknown): boolean => {
  try {
    work()
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

const PASTED = { valueId: '00000000-0000-7000-8000-ffffffffffff', fingerprint: 'f'.repeat(43) }
/** The forms in which a step may be asked for. */
const formsOf = (kind: StepName, consumers: readonly string[], manual: boolean): Array<StepCommand['step']> => {
  if (kind === 'waive') return consumers.map((consumer) => ({ kind, consumer }))
  if (kind === 'revoke') return [{ kind, confirm: CREDENTIAL }]
  return [kind === 'distribute' ? { kind, ...manual && { pasted: PASTED } } : { kind }]
}

export const openWorld = async (setup: Setup) => {
  const draw = seeded(setup.chance)
  const clock = virtualClock(draw)
  let made = 0
  const ids: Ids = { next: (): string => `00000000-0000-7000-8000-${(++made).toString(16).padStart(12, '0')}`, derive: (...words) => uuidIds.derive(...words) }
  const log = memoryLog({ now: () => clock.now() })
  const vendor = memoryVendor({ clock, timeLimitMs: VENDOR_LIMIT_MS, lists: setup.vendor !== 'manual', labels: setup.vendor !== 'unlabelled' })
  const values = memoryValues()
  const deliveries = memoryDeliveries({ clock })
  const tickets = memoryTickets()
  const keyless = new Set(setup.consumers.flatMap(({ keyed }, n) => keyed ? [] : [nameOf(n)]))
  const rules: RotationRules = { proofMaxAgeMs: 15 * 60_000, valueGraceMs: 24 * 3_600_000, alone: setup.processes === 1 }
  const killed = new Set<string>()
  /** Value → token, of all that were issued by hand. */
  const issued = new Map<string, string>()
  /** What is to happen as soon as a fact is recorded. */
  const whens: Array<{ fact: string, run: () => void }> = []
  const checks = createChecks({ now: () => clock.now().getTime(), vendor, values, deliveries, labels: setup.vendor !== 'unlabelled', proofMaxAgeMs: rules.proofMaxAgeMs, killed: (secret) => killed.has(secret.reveal()) })
  /** What the facts add up to, by the program's own fold: only for what readers are shown. */
  let folded: Credential = credentialAggregate.initial
  let rotationId: string | undefined
  const given = new Map<string, number>()
  const processes: ModelProcess[] = []

  clock.onMoment = () => { checks.moment() }
  const job = (): Job | undefined => folded.status === 'known' ? folded.job : undefined
  const view = (): JobView | undefined => rotationId === undefined ? undefined : jobView(folded, rotationId, clock.now(), rules)

  /** What is offered is accepted, and what is not offered is refused. */
  const offersWhatItAccepts = (): void => {
    const shown = view()
    if (shown === undefined || rotationId === undefined) return
    if (JSON.stringify(shown).includes(CANARY)) checks.breaks('the view shows a value')
    for (const kind of stepNames) {
      const forms = formsOf(kind, shown.consumers.map(({ consumer }) => consumer), setup.vendor === 'manual')
      const accepted = forms.some((step) => accepts(() => takeStepOn(folded, { rotationId: shown.rotationId, transition: shown.transition, step, ticket: 'open', at: clock.now() }, rules)))
      const offered = shown.steps.includes(kind) && (kind !== 'revoke' || shown.gate.open)
      if (offered !== accepted) checks.breaks(`${kind} is ${offered ? 'offered' : 'not offered'} in ${shown.state}, and ${accepted ? 'accepted' : 'refused'}`)
    }
  }

  /** Nothing waits for who joins while the old token is being revoked; so it has to be said. */
  const tellsWhoIsLeft = (): void => {
    const shown = view()
    for (const { consumer, required } of shown?.consumers ?? []) {
      const held = deliveries.consumer(consumer).uses()
      if (!required || (held !== undefined && (vendor.accepts(held.value) || killed.has(held.value.reveal())))) continue
      if (!`${shown?.meaning ?? ''} ${shown?.alarm ?? ''}`.includes(consumer)) checks.breaks(`done, and nobody is told that ${consumer} holds nothing that the vendor accepts`)
    }
  }

  log.onAppend = (events) => {
    for (const event of events) {
      const before = given.get(event.metadata.commandId)
      if (before !== undefined && job()?.transition !== before) checks.breaks(`${event.type} was decided on transition ${before}, and the job stood at ${String(job()?.transition)}`)
      given.delete(event.metadata.commandId)
    }
    for (const event of events) {
      checks.onAppend(event)
      if (event.type === 'rotation.opened') rotationId = event.data.rotationId
      folded = credentialAggregate.evolve(folded, event as never)
      if (event.type === 'rotation.done') tellsWhoIsLeft()
    }
    checks.moment()
    // It costs as much as all the rest: each eighth fact will do.
    if (log.events.length % 8 === 0) offersWhatItAccepts()
    for (const { type } of events) {
      const at = whens.findIndex(({ fact }) => fact === type)
      for (const { run } of at < 0 ? [] : whens.splice(at, 1)) void clock.sleep(0).then(run)
    }
    for (const event of events) for (const process of processes) if (!process.dead) process.follow(event)
  }

  const tokenOf = (secret: Secret): string | undefined => issued.get(secret.reveal())
  const around: Surroundings = {
    log,
    clock,
    draw,
    sluggishMs: setup.sluggishMs,
    ids,
    vendor,
    values,
    deliveries,
    tickets,
    rules,
    checks,
    keys: { keyOf: async (consumer) => keyless.has(consumer) ? undefined : deliveries.consumer(consumer).key },
    threw: (error) => { if (!isWorldly(error)) checks.breaks(`a reactor threw ${String(error)} ${(error as Error).stack ?? ''}`) },
    byHand: ({ tokenId, value }) => {
      const token = tokenId ?? (value && tokenOf(value))
      if (token !== undefined) void clock.sleep(draw(20_000)).then(() => { vendor.kill(token) })
    }
  }

  const context = (actor: string, more: { ticket?: string } = {}): CommandContext => {
    const commandId = ids.derive('command', String(++made))
    return { commandId, fingerprint: commandId, at: clock.now(), actor: { type: 'principal', id: actor }, requestId: commandId, reason: new Clear('the model says so', `credential-${CREDENTIAL}`), ...more }
  }
  /** The answer of one call as its caller sees it: a code, nothing at all, or what it did. */
  const ask = async <T>(work: Promise<T>): Promise<{ done: T } | { code: string }> => {
    const answer = work.then((done) => ({ done }), (error: unknown) => {
      if (!isWorldly(error)) checks.breaks(`a command threw ${String(error)} ${(error as Error).stack ?? ''}`)
      return { code: error instanceof Refusal ? error.code : 'log' }
    })
    return Promise.race([answer, clock.sleep(CALLER_PATIENCE_MS).then(() => ({ code: 'unanswered' }))])
  }

  const members = new Map<string, Subscriber>()
  const subscriber = (n: number, of: { required?: boolean, url?: string } = {}): Subscriber => {
    const { required, pull, provable } = setup.consumers[n] ?? { required: true, pull: false, provable: true }
    const needed = of.required ?? required
    return deliveries.consumer(nameOf(n)).subscriber({
      required: needed, pull, proof: needed || provable ? { kind: 'possession' } : { kind: 'none', reason: 'the model' }, ...of.url !== undefined && { url: of.url }
    })
  }
  const manifest = (): Manifest => ({
    vendor: setup.vendor === 'manual'
      ? { kind: 'manual', instructions: 'by hand', authenticate: HTTP_CALL, refusedStatuses: [401] }
      : {
          kind: 'http', authenticate: HTTP_CALL, metadata: HTTP_CALL, mayMint: HTTP_CALL, mint: { call: HTTP_CALL, secret: '/secret', tokenId: '/id' },
          list: { call: HTTP_CALL, items: '/items', tokenId: '/id' }, revoke: HTTP_CALL, refusedStatuses: [401]
        },
    ...setup.vendor !== 'manual' && { connection: { account: 'vendor' } },
    sensitivity: 'high',
    owner: { name: new Clear('Ada', `credential-${CREDENTIAL}`), email: new Clear('ada@example.org', `credential-${CREDENTIAL}`) },
    leadDays: 7,
    consumers: [...members.values()]
  })

  const process = (n: number): ModelProcess | undefined => {
    const chosen = processes[n % processes.length]
    return chosen?.dead === false ? chosen : processes.find(({ dead }) => !dead)
  }
  const restart = (n: number): void => {
    const index = n % setup.processes
    processes[index]?.die()
    processes[index] = startProcess(around)
  }

  const world = {
    setup, log, clock, draw, vendor, values, deliveries, tickets, keyless, whens, rules, checks, killed, members, subscriber, processes, process, restart, context, ask, view, job, given,
    /** Consumers that pull go on asking. */
    pulling: true,
    /** No faults any more, and nothing random. */
    healed: false,
    current: () => folded,
    /** Of the manifest that holds. */
    consumers: (): readonly Subscriber[] => folded.status === 'known' ? folded.manifest.consumers : [],
    /** Makes a token by hand, as an operator does who pastes it. */
    issue: (label: string) => {
      const token = vendor.issue(label)
      issued.set(token.secret.reveal(), token.tokenId)
      return token
    },
    putManifest: (on: ModelProcess, ticket: boolean) => ask(putManifest(on.deps, { credential: CREDENTIAL, manifest: manifest() }, context('operator-0', ticket ? { ticket: 'T-1' } : {}))),
    /** A consumer fetches with its own token, takes what it got so much later, and reports it or not. */
    poll: async (n: number, on: ModelProcess, { report, holdMs }: { report: boolean, holdMs: number }): Promise<boolean> => {
      const consumer = nameOf(n)
      const fetched = await ask(fetchValue(on.deps, { consumer, credential: CREDENTIAL }, context(consumer)))
      if (!('done' in fetched)) return false
      if (holdMs > 0) await clock.sleep(holdMs)
      if (deliveries.consumer(consumer).take(fetched.done.jwe) !== 'taken') return false
      return report && world.acknowledge(n, on, fetched.done.deliverySeq)
    },
    acknowledge: async (n: number, on: ModelProcess, deliverySeq: number): Promise<boolean> =>
      'done' in await ask(acknowledge(on.deps, { consumer: nameOf(n), credential: CREDENTIAL, deliverySeq }, context(nameOf(n))))
  }

  for (let n = 0; n < setup.processes; n++) processes.push(startProcess(around))
  for (let n = 0; n < setup.members; n++) members.set(nameOf(n), subscriber(n))
  const first = world.issue('the first')
  const on = processes[0] as ModelProcess
  let ready = false
  void (async () => {
    const put = await world.putManifest(on, false)
    const adopted = await ask(adoptValue(on.deps, { credential: CREDENTIAL, value: first.secret, vendorTokenId: first.tokenId }, context('operator-0')))
    for (const answer of [put, adopted]) if ('code' in answer) checks.breaks(`the world could not begin: ${answer.code}`)
    ready = true
  })()
  const value = () => {
    const credential = world.current()
    return credential.status === 'known' ? credential.value : undefined
  }
  await clock.advanceUntil(() => ready, 60_000)
  // What its consumers use from before: each has it from its environment, as everywhere.
  for (const name of members.keys()) deliveries.consumer(name).give({ value: first.secret, valueId: value()?.valueId ?? '', deliverySeq: 0 })
  if (setup.dead) {
    killed.add(first.secret.reveal())
    vendor.kill(first.tokenId)
  }
  return world
}

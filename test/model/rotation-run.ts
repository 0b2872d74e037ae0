// Walks one case of the model: what happens happens, then all faults stop, and the job has to come to rest and to an end.
import { openRotation, takeStep } from '../../src/commands/rotations/rotations.ts'
import { jobStates, type JobView, type StepName } from '../../src/domain/rotation/job.ts'
import type { Step as Asked } from '../../src/domain/rotation/steps.ts'
import type { ModelProcess } from './rotation-process.ts'
import { CONSUMERS, type Case, type Step } from './rotation-steps.ts'
import { CREDENTIAL, nameOf, openWorld, type World } from './rotation-world.ts'

const HOUR_MS = 3_600_000
/** The first eight wait for a human (`jobStates`), the last two are ends. */
const restful = new Set<string>([...jobStates.slice(0, 8), ...jobStates.slice(-2)])
const forwards: readonly StepName[] = ['revoke', 'validate', 'distribute', 'retry', 'verify', 'waive', 'abort']

/** What an operator who types saw last, and what it has pasted. */
interface Operator { id: string, saw: JobView | undefined, last: ((on: ModelProcess) => Promise<unknown>) | undefined }

/** @param shown is given the world as soon as there is one, so that a broken one can be looked at */
export const walk = async ({ setup, steps }: Case, shown: (world: World) => void = () => {}): Promise<World> => {
  const world = await openWorld(setup)
  shown(world)
  const operators: Operator[] = [{ id: 'operator-0', saw: undefined, last: undefined }, { id: 'operator-1', saw: undefined, last: undefined }]
  if (setup.eager) {
    world.keyless.clear()
    pullAll(world)
    void goOnAndOn(world)
  }
  for (const step of steps) {
    happen(world, operators, step)
    await world.clock.advance(step.do === 'pass' ? step.ms : step.pause)
    throwBroken(world)
  }
  await heal(world)
  await bringToEnd(world)
  await forget(world)
  throwBroken(world)
  return world
}

const goOnAndOn = async (world: World): Promise<void> => {
  const operator: Operator = { id: 'operator-2', saw: undefined, last: undefined }
  for (let steps = 0; steps < 40; steps++) {
    await world.clock.sleep(500 + world.draw(2_500))
    if (world.healed) return
    const on = world.process(world.draw(2))
    if (on !== undefined) await go(world, on, operator, 0)
  }
}

const throwBroken = ({ checks }: World): void => { if (checks.broken.length > 0) throw new Error(checks.broken.join('\n')) }

const happen = (world: World, operators: Operator[], step: Step): void => {
  const { vendor, deliveries } = world
  const on = 'process' in step ? world.process(step.process) : undefined
  const operator = operators['by' in step ? step.by : 0] as Operator
  switch (step.do) {
    case 'open': if (on !== undefined) void openJob(world, on, operator, step.mode, step.stray); return
    case 'look': operator.saw = world.view(); return
    case 'go': if (on !== undefined) void go(world, on, operator, step.pick); return
    case 'ask': {
      const saw = step.stale ? operator.saw : operator.saw = world.view()
      if (on !== undefined && saw !== undefined) void ask(world, on, operator, saw, step.step, { consumer: nameOf(step.consumer), wrong: step.wrong })
      return
    }
    case 'abort': {
      const saw = operator.saw = world.view()
      if (on !== undefined && saw !== undefined) void ask(world, on, operator, saw, 'abort')
      return
    }
    case 'manifest': if (on !== undefined) change(world, on, step); return
    case 'when': {
      const { by, process, consumer, then } = step
      const on = { pause: 0, by, process, consumer }
      world.whens.push({
        fact: step.fact,
        run: () => {
          if (then === 'crash') world.process(process)?.die()
          else if (then === 'break') happen(world, operators, { do: 'standing', push: 'accept', probe: 'unhealthy', ...on })
          else if (then === 'lie') happen(world, operators, { do: 'standing', push: 'ignore', probe: 'prove', ...on })
          else if (then === 'use') happen(world, operators, { do: 'use', ...on })
          else if (then === 'strangers') happen(world, operators, { do: 'strangers', pause: 0, many: 2 })
          else if (then === 'go') happen(world, operators, { do: 'go', pick: 0, ...on })
          else if (then === 'abort') happen(world, operators, { do: 'abort', ...on })
          else happen(world, operators, { do: 'manifest', change: then, ticket: true, ...on })
        }
      })
      return
    }
    case 'joiner': if (on !== undefined) world.whens.push({ fact: step.fact, run: () => { joinAs(world, on) } }); return
    case 'vendor': vendor.fault(step.call, ...step.faults); return
    case 'strangers': for (let n = 0; n < step.many; n++) vendor.issue('a stranger'); return
    case 'kill': kill(world, step.which); return
    case 'connection': vendor.connected = step.up; return
    case 'consumer': {
      const consumer = deliveries.consumer(nameOf(step.consumer))
      consumer.pushes.push(...step.pushes)
      consumer.probes.push(...step.probes)
      consumer.flapping = step.flapping
      consumer.slowMs = step.slowMs
      consumer.lateMs = step.lateMs
      return
    }
    case 'standing': {
      const consumer = deliveries.consumer(nameOf(step.consumer))
      consumer.push = step.push
      consumer.probe = step.probe
      return
    }
    case 'poll': if (on !== undefined) void world.poll(step.consumer, on, { report: step.acknowledge, holdMs: step.holdMs }); return
    case 'acknowledge': {
      const seqs = deliveries.consumer(nameOf(step.consumer)).taken
      const seq = seqs.at(-1 - step.back)
      if (on !== undefined && seq !== undefined) void world.acknowledge(step.consumer, on, seq)
      return
    }
    case 'use': {
      const held = deliveries.consumer(nameOf(step.consumer)).uses()
      if (held !== undefined) vendor.use(held.value)
      return
    }
    case 'key': world.keyless.delete(nameOf(step.consumer)); return
    case 'redis': deliveries.redisAway = step.away; return
    case 'values': world.values.fault(step.fault); return
    case 'log': on?.failAppend(step); return
    case 'crash': on?.crash(step); return
    // Time passes in `walk`.
    case 'pass': return
    case 'stall': on?.stall(world.setup.processes === 1 ? step.ms : Math.min(step.ms, 8_000)); return
    case 'again': if (on !== undefined && operator.last !== undefined) void operator.last(on); return
    case 'restart': world.restart(step.process)
  }
}

const openJob = async (world: World, on: ModelProcess, operator: Operator, mode: 'rotate' | 'replace', stray = false): Promise<void> => {
  const replace = world.setup.dead && !stray ? 'replace' : mode
  const context = world.context(operator.id, replace === 'replace' ? { ticket: 'T-1' } : {})
  operator.last = (to) => world.ask(openRotation(to.deps, { credential: CREDENTIAL, mode: replace, trigger: 'operator', ...replace === 'replace' && { confirm: CREDENTIAL } }, context))
  await operator.last(on)
}

/** The offered step that leads on; `pick` above 0 takes the next one instead. Without an open job it opens one. */
const go = async (world: World, on: ModelProcess, operator: Operator, pick: number): Promise<void> => {
  const saw = operator.saw = world.view()
  if (saw === undefined || saw.endedAt !== undefined) return openJob(world, on, operator, 'rotate')
  const ways = forwards.filter((kind) => saw.steps.includes(kind) && (kind !== 'revoke' || saw.gate.open))
  const kind = ways[Math.min(pick, ways.length - 1)]
  if (kind !== undefined) await ask(world, on, operator, saw, kind)
}

const ask = async (world: World, on: ModelProcess, operator: Operator, saw: JobView, kind: StepName, { consumer, wrong = false }: { consumer?: string, wrong?: boolean } = {}): Promise<void> => {
  const waivable = saw.consumers.find(({ required, waived }) => !required && waived === undefined)?.consumer ?? nameOf(0)
  const token = kind === 'distribute' && world.setup.vendor === 'manual' ? world.issue('pasted') : undefined
  const step: Asked = kind === 'waive'
    ? { kind, consumer: consumer ?? waivable }
    : kind === 'revoke'
      ? { kind, confirm: wrong ? `${CREDENTIAL} ` : CREDENTIAL }
      : kind === 'distribute' && token !== undefined ? { kind, pasted: { value: token.secret, vendorTokenId: token.tokenId } } : { kind }
  const context = world.context(operator.id, { ticket: wrong ? 'no ticket!' : 'T-2' })
  world.given.set(context.commandId, saw.transition)
  const send = (to: ModelProcess) => world.ask(takeStep(to.deps, { credential: CREDENTIAL, rotationId: saw.rotationId, transition: saw.transition, step }, context))
  operator.last = send
  const answer = await send(on)
  // What was refused is of no use to anybody: whoever made it by hand takes it away again.
  if (token !== undefined && 'code' in answer && answer.code !== 'log' && answer.code !== 'unanswered') world.vendor.kill(token.tokenId)
}

const change = (world: World, on: ModelProcess, { change: what, consumer: n, ticket }: Step & { do: 'manifest' }): void => {
  const { members } = world
  const name = nameOf(n)
  members.clear()
  for (const member of world.consumers()) members.set(member.consumer, member)
  const member = members.get(name)
  if (what === 'join') members.set(name, member ?? world.subscriber(n))
  else if (what === 'leave') members.delete(name)
  else if (member === undefined) return
  else if (what === 'move') members.set(name, { ...world.subscriber(n, { required: member.required, url: `https://${name}-${String(world.draw(1_000))}.example` }) })
  else members.set(name, world.subscriber(n, { required: what === 'require' }))
  void world.putManifest(on, ticket)
}

const joinAs = (world: World, on: ModelProcess): void => {
  const { members } = world
  members.clear()
  for (const member of world.consumers()) members.set(member.consumer, member)
  const n = world.setup.consumers.findIndex((_, n) => !members.has(nameOf(n)))
  if (n < 0) return
  members.set(nameOf(n), world.subscriber(n, { required: true }))
  void world.putManifest(on, true)
}

/** Somebody outside revokes a token. */
const kill = (world: World, which: 'old' | 'new'): void => {
  const view = world.view()
  const credential = world.current()
  const current = credential.status === 'known' ? credential.value : undefined
  const target = which === 'new' && view?.endedAt === undefined ? view?.newValue : current
  const secret = target && world.values.peek(target.valueId)
  if (target?.vendorTokenId === undefined || secret === undefined) return
  world.killed.add(secret.reveal())
  world.vendor.kill(target.vendorTokenId)
}

/** All faults stop; consumers take what they are given, and those that pull ask again and again. */
const heal = async (world: World): Promise<void> => {
  const { vendor, values, deliveries, processes, setup } = world
  world.healed = true
  world.whens.length = 0
  vendor.heal()
  vendor.connected = true
  values.heal()
  deliveries.redisAway = false
  world.keyless.clear()
  for (let n = 0; n < CONSUMERS; n++) {
    const consumer = deliveries.consumer(nameOf(n))
    consumer.pushes.length = consumer.probes.length = 0
    Object.assign(consumer, { push: 'accept', probe: 'prove', flapping: false, slowMs: 0 })
  }
  if (!setup.eager) pullAll(world)
  for (let n = 0; n < setup.processes; n++) {
    processes[n]?.heal()
    if (processes[n]?.dead !== false) world.restart(n)
  }
  await rest(world)
}

const pullAll = (world: World): void => {
  for (let n = 0; n < CONSUMERS; n++) if (world.setup.consumers[n]?.pull === true) void pulling(world, n)
}

const pulling = async (world: World, n: number): Promise<void> => {
  const { inbox } = world.deliveries.consumer(nameOf(n))
  for (let reported = false; world.pulling;) {
    const on = world.process(n)
    if (on !== undefined && world.consumers().some(({ consumer }) => consumer === nameOf(n)) && (!reported || inbox.length > 0)) {
      inbox.length = 0
      reported = await world.poll(n, on, { report: true, holdMs: 0 })
    }
    await world.clock.sleep(5_000)
  }
}

/** Without faults every job comes to a state that waits for a human, or to its end, within hours. */
const rest = async (world: World): Promise<void> => {
  const resting = () => restful.has(world.job()?.state ?? 'done')
  await world.clock.advance(1_000)
  if (!await world.clock.advanceUntil(resting, 6 * HOUR_MS)) world.checks.breaks(`without faults the job does not come to rest: ${world.job()?.state ?? ''}`)
  throwBroken(world)
}

/** A patient operator brings it to an end: forwards as long as that leads somewhere, else back. */
const bringToEnd = async (world: World): Promise<void> => {
  const operator: Operator = { id: 'operator-0', saw: undefined, last: undefined }
  const visits = new Map<string, number>()
  for (let tries = 0; tries < 40; tries++) {
    const view = world.view()
    if (view === undefined || view.endedAt !== undefined) return
    const visited = (visits.get(view.state) ?? 0) + 1
    visits.set(view.state, visited)
    const ways = forwards.filter((kind) => view.steps.includes(kind) && (kind !== 'revoke' || view.gate.open))
    // Going round in a circle: the other ways come up one after the other, and then again.
    const kind = ways[Math.floor((visited - 1) / 2) % Math.max(1, ways.length)]
    const on = world.process(tries)
    // Where nothing is offered the service goes on by itself: a late acknowledgement may have made a partial distribution whole.
    let answered = on === undefined || kind === undefined
    if (on !== undefined && kind !== undefined) void ask(world, on, operator, view, kind).then(() => { answered = true })
    await world.clock.advanceUntil(() => answered, 20_000)
    await rest(world)
  }
  world.checks.breaks(`a patient operator cannot bring it to an end: ${[...visits].map(([state, times]) => `${state} ${String(times)}`).join(', ')}`)
}

/** Values out of use are destroyed once their grace time is over, and only those. */
const forget = async (world: World): Promise<void> => {
  const { clock, rules, values, log } = world
  world.pulling = false
  await clock.advance(rules.valueGraceMs + HOUR_MS)
  for (const event of log.events) {
    if (event.type === 'credential.value_superseded' && values.peek(event.data.valueId) !== undefined) world.checks.breaks('a value out of use outlives its grace time')
  }
  const credential = world.current()
  const used = credential.status === 'known' ? credential.value : undefined
  if (used !== undefined && values.peek(used.valueId) === undefined) world.checks.breaks('the value in use is lost')
}

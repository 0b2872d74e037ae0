// The rotations' reactor asks the vendor again before anything that cannot be undone, and each of its questions leaves a trace.
import t from 'tap'
import type { Exchange } from '../../src/domain/credential/fields.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import { rotationReactor } from '../../src/reactors/rotation/reactor.ts'
import { putManifest } from '../../src/commands/rotations/credentials.ts'
import { fetchValue } from '../../src/commands/rotations/consumers.ts'
import type { MintOutcome, VendorGateway } from '../../src/rotation-ports.ts'
import { manifest, NAME } from '../domain/rotation/world.ts'
import { live, mintAs, world, type World } from './rotation-world.ts'

const HOUR = 3_600_000

const distributed = async (): Promise<World> => {
  const w = await mintAs()
  if (await w.settle() !== 'distributed') throw new Error('it was to be distributed')
  return w
}
const validated = async (): Promise<World> => {
  const w = await distributed()
  await w.step({ kind: 'validate' })
  if (await w.settle() !== 'validated') throw new Error('it was to be validated')
  return w
}
const revoke = async (w: World): Promise<string> => {
  await w.step({ kind: 'revoke', confirm: NAME })
  return w.settle()
}
const exchanges = (w: World): Exchange[] => w.log.events.flatMap(({ data }) => (data as { exchanges?: Exchange[] }).exchanges ?? [])
const newSecret = async (w: World) => w.values.peek((await w.job()).newValue?.valueId ?? '')
const listFails = (w: World): (() => void) => {
  const { list } = w.gateway
  w.gateway.list = async () => {
    const { exchange } = await list()
    return { status: 'failed', exchange: { ...exchange, outcome: 'failed', answer: { status: '401' } } }
  }
  return () => { w.gateway.list = list }
}

t.test('every question to the vendor stands in a fact with its answer', async (t) => {
  const w = await world()
  let asked = 0
  const counting = <K extends 'list' | 'mint' | 'revoke' | 'probeRefused'>(call: K) => {
    const real = w.gateway[call] as (...of: unknown[]) => Promise<unknown>
    w.gateway[call] = (async (...of: unknown[]) => {
      asked++
      return real(...of)
    }) as VendorGateway[K]
  }
  for (const call of ['list', 'mint', 'revoke', 'probeRefused'] as const) counting(call)
  for (const [kind, state] of [['verify', 'verified'], ['distribute', 'distributed'], ['validate', 'validated']] as const) {
    await w.step({ kind })
    t.equal(await w.settle(), state)
  }
  t.equal(await revoke(w), 'done')
  const verified = 4
  t.equal(exchanges(w).length, asked + verified, 'as many exchanges as questions, with the four of stage 1')
})

t.test('what the vendor does not answer is asked again, later and later, and told', async (t) => {
  const w = await validated()
  const heal = listFails(w)
  const failing = w.gateway.list
  heal()
  const { list } = w.gateway
  // The one before the revoking is still read, the last one is not.
  w.gateway.list = async () => (await w.job()).revoking === undefined ? list() : failing()
  t.equal(await revoke(w), 'revoking')
  const vain = () => w.log.events.filter(({ type }) => type === 'rotation.asked_in_vain')
  t.ok(vain().length >= 5, `${vain().length} times`)
  t.match(await w.view(), { failure: { probe: 'list', answer: { status: '401' } }, alarm: undefined })
  w.pass(10 * 60_000)
  await w.settle()
  t.match((await w.view())?.alarm, /^For \d+ minutes the vendor's list could not be read, .* The old token was seen refused/)
  const times = vain().map(({ metadata }) => Date.parse(metadata.occurredAt))
  const pauses = times.slice(1).map((time, nth) => time - (times[nth] ?? 0))
  t.ok(pauses.every((pause, nth) => pause >= Math.min(300_000, 1_000 * 2 ** nth)), `pauses: ${pauses.join(', ')}`)
  heal()
  t.equal((await w.view())?.state, 'revoking')
  const { manifest: as } = await w.credential()
  await putManifest(w.deps, { credential: NAME, manifest: manifest(as.consumers) }, w.context())
  t.equal(await w.settle(), 'done', 'a manifest may have mended it: it is asked at once')
})

t.test('the old value is tried again before the new token is revoked on the way back', async (t) => {
  const w = await distributed()
  const one = w.deliveries.consumer('one')
  one.probe = 'away'
  await w.step({ kind: 'abort' })
  t.equal(await w.settle(), 'aborting')
  w.vendor.kill(w.first.tokenId)
  one.probe = 'prove'
  w.pass(HOUR)
  t.equal(await w.settle(), 'distributed', 'the old value is dead by now: the way is forward')
  const secret = await newSecret(w)
  t.ok(secret !== undefined && w.vendor.accepts(secret), 'the new one works')
  t.equal(one.uses()?.value.reveal(), secret?.reveal(), 'and is given to who had the old one back')
  t.match((await w.view())?.meaning, /Abort was refused: the old value is dead/)
  await w.step({ kind: 'validate' })
  t.equal(await w.settle(), 'validated')
  t.equal(await revoke(w), 'done')
})

t.test('a vendor that refuses everything for a moment has killed nothing', async (t) => {
  for (const refusals of [1, 2]) {
    const w = await distributed()
    const { probeRefused } = w.gateway
    let left = refusals
    w.gateway.probeRefused = async (value) => ({ ...await probeRefused(value), ...left-- > 0 && { status: 'refused' as const } })
    await w.step({ kind: 'abort' })
    t.equal(await w.settle(), 'aborted')
    t.equal(w.deliveries.consumer('one').uses()?.value.reveal(), w.first.secret.reveal(), 'it was given the old value back')
    t.strictSame(live(w), [w.first.tokenId])
  }
})

t.test('a new token that is gone already needs no revoking, whatever the vendor says to it', async (t) => {
  const w = await distributed()
  const { revoke: real } = w.gateway
  let answers = 0
  w.gateway.revoke = async (of) => {
    const { exchange } = await real(of)
    return answers++ === 0 ? { status: 'unknown', exchange: { ...exchange, outcome: 'unknown' } } : { status: 'refused', exchange: { ...exchange, outcome: 'failed', answer: { status: '422' } } }
  }
  await w.step({ kind: 'abort' })
  t.equal(await w.settle(), 'aborted')
})

t.test('who has the new value is handed no other while the old one is dead', async (t) => {
  const w = await distributed()
  // Its address changes, so the delivery has to be announced anew; nobody has done that yet.
  const subscriber = w.deliveries.consumer('one').subscriber()
  await putManifest(w.deps, { credential: NAME, manifest: manifest([{ ...subscriber, healthcheck: 'https://one.example/other' }]) }, w.context())
  await fetchValue(w.deps, { credential: NAME, consumer: 'one' }, w.context())
  t.match(w.log.events.at(-1), { type: 'credential.value_fetched', data: { valueId: (await w.job()).newValue?.valueId } })
})

t.test('proofs of hours ago do not begin the revoking, whatever stood still since', async (t) => {
  const w = await validated()
  const { probeRefused } = w.gateway
  let slept = false
  w.gateway.probeRefused = async (value) => {
    const answer = await probeRefused(value)
    if (!slept) w.pass(6 * HOUR)
    slept = true
    return answer
  }
  t.equal(await revoke(w), 'done')
  const rounds = w.log.events.filter(({ type }) => type === 'rotation.validation_started' || type === 'rotation.revoke_started').map(({ type }) => type)
  t.strictSame(rounds, ['rotation.validation_started', 'rotation.validation_started', 'rotation.validation_started', 'rotation.revoke_started'], 'another round was asked for in between')
})

t.test('only refusals after the vendor has confirmed lead to the end', async (t) => {
  const w = await validated()
  const { revoke: real, probeRefused } = w.gateway
  let revokes = 0
  // First it does nothing and says nothing, and its login is in trouble; then it says yes, and does it an hour later.
  w.gateway.revoke = async () => {
    const { exchange } = await w.gateway.list()
    return ++revokes === 1 ? { status: 'unknown', exchange: { ...exchange, outcome: 'unknown' } } : { status: 'revoked', exchange }
  }
  w.gateway.probeRefused = async (value) => ({ ...await probeRefused(value), ...revokes === 1 && { status: 'refused' as const } })
  t.equal(await revoke(w), 'revoke_unconfirmed')
  t.ok(w.vendor.accepts(w.first.secret))
  w.gateway.revoke = real
  w.pass(HOUR)
  t.equal(await w.settle(), 'done')
  t.notOk(w.vendor.accepts(w.first.secret))
})

t.test('a clock that steps back asks no vendor without a pause', async (t) => {
  const w = await validated()
  const { revoke: real, probeRefused } = w.gateway
  w.gateway.revoke = async () => {
    w.pass(-HOUR)
    return { status: 'unknown', exchange: { ...(await w.gateway.list()).exchange, outcome: 'unknown' } }
  }
  let probes = 0
  w.gateway.probeRefused = async (value) => {
    if (++probes > 20) throw new Error('it is asked without end')
    return probeRefused(value)
  }
  await w.step({ kind: 'revoke', confirm: NAME })
  t.type(await rotationReactor(w.deps).carryOut(w.intent), 'number', 'it comes to a pause')
  w.gateway.revoke = real
  w.gateway.probeRefused = probeRefused
  w.pass(2 * HOUR)
  t.equal(await w.settle(), 'done')
})

t.test('a value that the vault lost is not told as the vendor\'s refusal', async (t) => {
  const first = await world()
  await first.values.destroy((await first.job()).oldValue.valueId)
  await first.step({ kind: 'verify' })
  t.equal(await first.settle(), 'verify_failed')
  t.match(await first.view(), { failure: { probe: 'vault', failure: 'value_missing' }, meaning: /the vendor was not asked: the vault does not hold the value in use.* adopt it again/ })

  const gate = await validated()
  const { list } = gate.gateway
  // After the last proofs.
  gate.gateway.list = async () => {
    await gate.values.destroy((await gate.job()).newValue?.valueId ?? '')
    return list()
  }
  t.equal(await revoke(gate), 'validation_failed')
  t.match(await gate.view(), { gate: { closedBy: [{ why: 'new_value_missing' }] }, meaning: /the vault does not hold the new value/ })

  const back = await distributed()
  await back.values.destroy((await back.job()).oldValue.valueId)
  await back.step({ kind: 'abort' })
  t.equal(await back.settle(), 'distributed')
  t.match((await back.view())?.meaning, /Abort was refused: the vault does not hold the old value/)

  const half = await mintAs()
  const { values } = half
  half.deps.values = { ...values, open: async (valueId) => valueId === (await half.job()).newValue?.valueId ? undefined : values.open(valueId) }
  t.equal(await half.settle(), 'distribute_partial')
  t.equal((await half.view())?.consumers[0]?.lastError, 'Nothing was sent: the vault does not hold the value.')
})

t.test('an abort looks at the list as long as something of an unknown minting may come', async (t) => {
  const w = await mintAs()
  w.vendor.fault('mint', { kind: 'late', afterMs: 120_000 })
  t.equal(await w.settle(), 'verified')
  await w.step({ kind: 'distribute' })
  w.pass(HOUR)
  await w.step({ kind: 'abort' })
  t.equal(await w.settle(), 'aborted')
  t.strictSame(live(w), [w.first.tokenId])
})

t.test('of a minted value that does not work the id that came with it is revoked, whatever the list tells', async (t) => {
  const w = await mintAs(async ({ vendor }) => {
    const made = await vendor.mint({ label: 'of somebody else', valueId: '' })
    vendor.issue()
    return { ...made, secret: new Secret('the wrong field of the answer') } as MintOutcome
  }, false)
  await w.settle()
  t.notOk(live(w).includes('memory-token-2'))
})

t.test('nothing is minted where an unknown outcome could not be told from a thousand tokens without labels', async (t) => {
  const w = await mintAs(undefined, false)
  for (let made = 0; made <= 1_000; made++) w.vendor.issue()
  t.equal(await w.settle(), 'mint_failed')
  t.match(await w.job(), { failure: { probe: 'list', failure: 'too_many_tokens' } })
})

t.test('a consumer that becomes required without the new value makes the distribution partial', async (t) => {
  const w = await mintAs()
  const [one, two] = [w.deliveries.consumer('one').subscriber(), w.deliveries.consumer('two')]
  const put = (required: boolean) => putManifest(w.deps, { credential: NAME, manifest: manifest([one, two.subscriber({ required })]) }, w.context())
  await put(false)
  two.push = 'away'
  t.equal(await w.settle(), 'distributed')
  await put(true)
  t.equal((await w.job()).state, 'distribute_partial')
  two.push = 'accept'
  await w.step({ kind: 'retry' })
  t.equal(await w.settle(), 'distributed')
})

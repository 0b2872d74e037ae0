// A campaign, kept out of `npm test`: the model of rotations ten thousand times in memory, every edge of the state machine on the
// real service, and random rotations on real processes (`npm run campaign -- rotation`; MODEL, EDGES, RUNS and SEED change it).
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import t from 'tap'
import { crashGround, walkThroughDeaths } from '../support/rotation-crash.ts'
import { seeded } from '../support/seeded.ts'
import type { SmallVendor, VendorFaultOrder } from '../support/small-vendor.ts'

const runs = Number(process.env['RUNS'] ?? 100)
const cases = process.env['MODEL'] ?? '10000'
const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
const edges = process.env['EDGES'] ?? 'all'

const also = (file: string, env: Record<string, string>): number | null =>
  spawnSync(process.execPath, ['--import', 'tsx', file], { stdio: 'inherit', env: { ...process.env, ...env } }).status

t.setTimeout(0)
if (cases !== '0') t.equal(also('test/model/rotation.test.ts', { RUNS: cases, TAP_CHILD_ID: '1' }), 0, `${cases} cases of the model`)
if (edges !== 'none') t.equal(also('test/service/rotation-crash.test.ts', { EDGES: edges, TAP_CHILD_ID: '2' }), 0, 'every edge')

const FACTS = [
  'verify_started', 'verified', 'distribute_requested', 'mint_started', 'minted', 'deliveries_started', 'deliveries_recorded', 'validation_started',
  'proofs_recorded', 'revoke_requested', 'revoke_started', 'revoke_answered', 'refusals_probed', 'done'
]
const BACK = ['abort_requested', 'abort_started', 'validation_started', 'proofs_recorded', 'new_revoke_started', 'new_revoke_answered', 'aborted']
const CALLS: readonly VendorFaultOrder['call'][] = ['authenticate', 'metadata', 'may_mint', 'mint', 'mint', 'list', 'revoke']
const KINDS: readonly VendorFaultOrder['kind'][] = ['error', 'no', 'timeout', 'applied_unanswered', 'applied_timeout', 'garbled', 'slow']
const STATES = [undefined, undefined, 'verified', 'distribute_partial', 'distributed', 'validated']

t.test(`${runs} random rotations on real processes, seed ${seed}`, async (t) => {
  t.setTimeout(0)
  const draw = seeded(seed)
  const one = <T>(of: readonly T[]): T => of[draw(of.length)] as T
  const names = Array.from({ length: runs }, (_, n) => `token-${n}`)
  const ground = await crashGround(t, names)
  const { vendor } = ground.world
  const tokensOf = async (name: string): Promise<Awaited<ReturnType<SmallVendor['look']>>['tokens']> => {
    const others = new Set(first.filter(({ description }) => description !== name).map(({ id }) => id))
    return (await vendor.look()).tokens.filter(({ id }) => !others.has(id) && !settled.has(id))
  }
  const { tokens: first } = await vendor.look()
  const settled = new Set<string>()
  const ends = new Map<string, number>()
  let deathsInAll = 0
  for (const [n, name] of names.entries()) {
    // In the order in which they come up, or a later one would never be met.
    const some = (facts: readonly string[], oneIn: number) => facts.filter(() => draw(oneIn) === 0).map((fact) => `append.${one(['before', 'after'])}:rotation.${fact}`)
    const wanted = some(FACTS, 8)
    const abortIn = one(STATES)
    for (let faults = draw(3); faults > 0; faults--) await vendor.fault({ call: one(CALLS), kind: one(KINDS), ms: 2_000 })
    for (const consumer of ground.consumers) Object.assign(consumer, { unhealthy: draw(6) === 0, slowMs: draw(6) === 0 ? 1_500 : 0 })
    const healed = setTimeout(() => {
      for (const consumer of ground.consumers) Object.assign(consumer, { unhealthy: false, slowMs: 0 })
      void vendor.heal()
    }, 8_000)
    const edgesOf = abortIn === undefined ? wanted : [...wanted.filter((edge) => /verif|distribute_requested/.test(edge)), ...some(BACK, 4)]
    const { end, deaths, service } = await walkThroughDeaths(ground, name, { edges: edgesOf, orLess: true, ...abortIn !== undefined && { abortIn } })
    clearTimeout(healed)
    await vendor.heal()
    const said = `run ${n}, seed ${seed}, ${end}, after ${deaths.join()}`
    const left = await tokensOf(name)
    const old = first.find(({ description }) => description === name)?.id
    if (left.length !== 1 || left.some(({ id }) => id === old) !== (end === 'aborted')) t.fail(`${said}: ${JSON.stringify(left)}`)
    for (const { id } of left) settled.add(id)
    for (const consumer of ground.consumers) {
      const value = consumer.value(name)
      if (value === undefined) continue
      const { status } = await fetch(`${vendor.url}/account`, { headers: { authorization: `Bearer ${value}` } })
      if (status !== 200) t.fail(`${said}: ${consumer.name} holds what the vendor refuses`)
    }
    await service.stop()
    ends.set(end, (ends.get(end) ?? 0) + 1)
    deathsInAll += deaths.length
    if ((n + 1) % 10 === 0) t.comment(`${n + 1} rotations: ${[...ends].map(([word, count]) => `${word} ${count}`).join(', ')}; ${deathsInAll} deaths`)
  }
  t.ok(t.passing(), `${runs} rotations: one token each, and who uses it is served`)
})

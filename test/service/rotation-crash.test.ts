// A rotation and the way back, in a service that is killed at one edge of the state machine after the other: the same end.
import t, { type Test } from 'tap'
import { rotationEvents } from '../../src/domain/rotation/events.ts'
import { logOf } from '../support/log.ts'
import { crashGround, walkThroughDeaths } from '../support/rotation-crash.ts'

/** `EDGES=all`: every edge, which takes minutes; else some of each stage. */
const ALL = process.env['EDGES'] === 'all'
t.setTimeout(ALL ? 1_800_000 : 240_000)

/** In the order in which they come up; each once before and once after it is recorded. `distributed` and `validated` are recorded with what came before them (ADR 0183). */
const FORWARD = [
  'opened', 'verify_started', 'verified', 'distribute_requested', 'mint_started', 'minted', 'deliveries_started', 'deliveries_recorded', 'validation_started',
  'proofs_recorded', 'revoke_requested', 'revoke_started', 'revoke_answered', 'refusals_probed', 'done'
]
const BACK = ['abort_requested', 'abort_started', 'deliveries_started', 'deliveries_recorded', 'validation_started', 'proofs_recorded', 'new_revoke_started', 'new_revoke_answered', 'aborted']
const everyEdge = (facts: readonly string[]): string[] => facts.flatMap((fact) => [`append.before:rotation.${fact}`, `append.after:rotation.${fact}`])
const some = {
  forward: ['before:rotation.minted', 'after:rotation.deliveries_started', 'before:rotation.validated', 'after:rotation.revoke_started', 'before:rotation.done'],
  back: ['after:rotation.mint_started', 'after:rotation.abort_requested', 'after:rotation.abort_started', 'before:rotation.proofs_recorded', 'before:rotation.aborted']
}

const through = (wanted: 'done' | 'aborted', edges: readonly string[]) => async (t: Test): Promise<void> => {
  const began = Date.now()
  const name = 'mail-api'
  const ground = await crashGround(t, [name])
  const { vendor } = ground.world
  const [old] = (await vendor.look()).tokens.filter(({ description }) => description === name)
  const stillWork = async (edge: string): Promise<void> => {
    const live = new Set((await vendor.look()).tokens.map(({ id }) => id))
    if (wanted === 'aborted' || !/revoke_started|revoke_answered|refusals_probed|done/.test(edge)) t.ok(live.has(old?.id ?? ''), `the old token lives, after ${edge}`)
    const orphans = [...live].filter((id) => id !== old?.id && id !== vendor.connection.id).length
    t.ok(orphans <= 2, 'the new one, and at most one that nobody holds')
  }
  const { end, deaths, job, service } = await walkThroughDeaths(ground, name, { edges, ...wanted === 'aborted' && { abortIn: 'distributed' }, each: stillWork })
  t.equal(end, wanted)
  t.strictSame(deaths, edges, 'it died at every edge')

  const { tokens } = await vendor.look()
  const left = tokens.filter(({ id }) => id !== vendor.connection.id)
  t.equal(left.length, 1, 'one token, and no orphan')
  t.equal(left.some(({ id }) => id === old?.id), wanted === 'aborted')
  for (const consumer of ground.consumers) {
    const status = (await fetch(`${vendor.url}/account`, { headers: { authorization: `Bearer ${consumer.value(name) ?? 'none'}` } })).status
    t.equal(status, 200, `${consumer.name} holds what the vendor accepts`)
  }
  const log = await logOf(t, ground.world.service.env)
  const told: string[] = []
  for await (const { type } of log.readStream(`credential-${name}`)) told.push(type)
  const { body } = await service.request('GET', `/api/v1/credentials/${name}`)
  t.match(body, { open_rotation: null })
  t.equal(told.filter((type) => type === 'rotation.opened').length, 1)
  t.equal(told.filter((type) => type === `rotation.${wanted}`).length, 1)
  t.comment(`${deaths.length} deaths, ${job.rotation_id}, ${((Date.now() - began) / 1_000).toFixed(1)} s`)
}

t.jobs = 2
t.test('forward', through('done', ALL ? everyEdge(FORWARD) : some.forward.map((edge) => `append.${edge}`)))
t.test('and back', through('aborted', ALL ? everyEdge([...FORWARD.slice(0, 8), ...BACK]) : some.back.map((edge) => `append.${edge}`)))
t.test('the edges are those of the state machine', async (t) => {
  for (const fact of [...FORWARD, ...BACK]) t.ok(`rotation.${fact}` in rotationEvents, fact)
})

// One contract for all vendors: the one in memory, that the model of rotations rests on, and the real ones end each scenario alike.
import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Exchange } from '../../../src/domain/credential/fields.ts'
import { ExchangeField } from '../../../src/domain/credential/fields.ts'
import { Value } from '@sinclair/typebox/value'
import type { VendorGateway } from '../../../src/rotation-ports.ts'
import { createScanner, inWords } from '../../support/canary.ts'
import { until } from '../../support/until.ts'
import { chanceryWorld, httpWorld, memoryWorld, postgresWorld, redisWorld, type World } from './worlds.ts'

const outcomes = (exchanges: readonly Exchange[]) => exchanges.map(({ probe, outcome }) => [probe, outcome])
const labelOf = () => `rotation.${randomUUID()}.1`
const idsIn = async ({ tokens }: World) => (await tokens()).map(({ tokenId }) => tokenId).sort()

/** All that a gateway shows of its calls: each must fit into an event. */
const watched = (vendor: VendorGateway, seen: Exchange[]): VendorGateway => {
  const keep = async <T extends { exchange: Exchange }>(outcome: Promise<T>): Promise<T> => {
    seen.push((await outcome).exchange)
    return outcome
  }
  return {
    ...vendor,
    verify: async (value, options) => {
      const exchanges = await vendor.verify(value, options)
      seen.push(...exchanges)
      return exchanges
    },
    mint: (request) => keep(vendor.mint(request)), list: () => keep(vendor.list()),
    revoke: (token) => keep(vendor.revoke(token)), probeRefused: (value) => keep(vendor.probeRefused(value))
  }
}

const honest = async (t: Test, world: World, vendor: VendorGateway) => {
  const { old, dead } = world
  const oldToken = { ...(old.tokenId !== undefined && { tokenId: old.tokenId }), value: old.secret }
  const before = await idsIn(world)
  t.same(outcomes(await vendor.verify(old.secret, { replace: false })), [['authenticate', 'passed'], ['metadata', 'passed'], ['may_mint', 'passed'], ['refuses_random', 'passed']], 'three probes pass, and a made-up value is refused')
  t.same(outcomes(await vendor.verify(dead, { replace: false })), [['authenticate', 'failed']], 'a dead one stops at the first')
  t.same(outcomes(await vendor.verify(dead, { replace: true })), [['may_mint', 'passed'], ['refuses_random', 'passed']], 'who replaces it needs only the last two')
  t.same(await idsIn(world), before, 'and nothing was changed')

  const label = labelOf()
  const minted = await vendor.mint({ label, valueId: randomUUID() })
  if (minted.status !== 'minted') throw new Error(`not minted: ${JSON.stringify(minted.exchange)}`)
  t.equal(minted.exchange.outcome, 'passed')
  const list = await vendor.list()
  t.equal(list.status, 'listed')
  const listed = list.status === 'listed' ? list.tokens : []
  t.same(listed.map(({ tokenId }) => tokenId).filter((id) => before.includes(id)).sort(), before, 'the list shows all there were')
  const found = listed.filter(({ tokenId }) => tokenId === minted.tokenId)
  t.equal(found.length, 1, 'and the new one')
  if (world.labels) t.equal(found[0]?.label, label, 'under its label')
  t.ok(listed.every(({ label }) => (label !== undefined) === world.labels), 'a list that shows labels shows of each whether it has one: nobody else\'s is taken for ours')
  t.same([(await vendor.probeRefused(old.secret)).status, (await vendor.probeRefused(minted.secret)).status, (await vendor.probeRefused(dead)).status], ['accepted', 'accepted', 'refused'], 'both work')

  t.equal((await vendor.revoke(oldToken)).status, 'revoked')
  t.same([(await vendor.probeRefused(old.secret)).status, (await vendor.probeRefused(minted.secret)).status], ['refused', 'accepted'], 'one works')
  t.equal((await vendor.revoke(oldToken)).status, 'revoked', 'gone already is revoked')
  t.notOk((await idsIn(world)).includes(old.tokenId ?? '-'))
  return { ...minted, tokenId: minted.tokenId ?? '' }
}

const disconnected = async (t: Test, world: World, vendor: VendorGateway, value: World['old']['secret']) => {
  const before = await idsIn(world)
  t.same(outcomes(await vendor.verify(value, { replace: false })), [['authenticate', 'passed'], ['metadata', 'passed'], ['may_mint', 'failed']])
  t.same([(await vendor.mint({ label: labelOf(), valueId: randomUUID() })).status, (await vendor.list()).status, (await vendor.revoke({ tokenId: before[0] ?? '', value })).status], ['refused', 'failed', 'refused'])
  t.same(await idsIn(world), before)
}

/** What was never sent was never done. */
const away = async (t: Test, vendor: VendorGateway) => {
  const minted = await vendor.mint({ label: labelOf(), valueId: randomUUID() })
  t.same([minted.status, minted.exchange.outcome, minted.exchange.failure], ['refused', 'failed', 'connection_refused'])
  t.equal((await vendor.list()).status, 'failed')
}

const faults = async (t: Test, world: World, vendor: VendorGateway, impatient: VendorGateway, fault: NonNullable<World['fault']>) => {
  const mint = (by: VendorGateway) => by.mint({ label: labelOf(), valueId: randomUUID() })
  const before = await idsIn(world)
  for (const [kind, expected] of [['error', 'unknown'], ['no', 'refused'], ['timeout', 'unknown']] as const) {
    await fault('mint', kind)
    const { status, exchange } = await mint(kind === 'timeout' ? impatient : vendor)
    t.same([status, exchange.outcome], [expected, expected === 'refused' ? 'failed' : 'unknown'], `minting, ${kind}`)
    t.same(await idsIn(world), before, 'nothing was made')
  }
  for (const kind of ['applied_unanswered', 'applied_timeout', 'late'] as const) {
    await fault('mint', kind)
    t.equal((await mint(kind === 'applied_unanswered' ? vendor : impatient)).status, 'unknown', `minting, ${kind}`)
    await until(async () => (await idsIn(world)).length > before.length)
    const orphan = (await idsIn(world)).find((id) => !before.includes(id)) ?? ''
    const list = await vendor.list()
    t.ok(list.status === 'listed' && list.tokens.some(({ tokenId, label }) => tokenId === orphan && label?.startsWith('rotation.') === true), 'the orphan is listed under its label')
    t.equal((await vendor.revoke({ tokenId: orphan, value: undefined })).status, 'revoked', 'and revoked by its id alone')
    t.same(await idsIn(world), before)
  }
  await fault('list', 'error')
  t.equal((await vendor.list()).status, 'failed', 'a list that fails')

  const fresh = await mint(vendor)
  if (fresh.status !== 'minted') throw new Error('not minted')
  const token = { tokenId: fresh.tokenId ?? '', value: fresh.secret }
  await fault('authenticate', 'error')
  t.equal((await vendor.probeRefused(fresh.secret)).status === 'refused', false, 'an error is no refusal')
  for (const [kind, expected, left] of [['error', 'unknown', 1], ['no', 'refused', 1], ['timeout', 'unknown', 1], ['applied_unanswered', 'unknown', 0]] as const) {
    await fault('revoke', kind)
    t.equal((await (kind === 'timeout' ? impatient : vendor).revoke(token)).status, expected, `revoking, ${kind}`)
    t.equal((await idsIn(world)).length, before.length + left)
  }
  t.equal((await vendor.revoke(token)).status, 'revoked', 'asked again it is gone')
}

const worlds: Record<string, (t: Test) => Promise<World>> = {
  memory: memoryWorld, http: httpWorld, 'chancery-token': chanceryWorld, 'postgres-role': postgresWorld, 'redis-acl': redisWorld
}

for (const [name, open] of Object.entries(worlds)) {
  t.test(name, { timeout: 60_000 }, async (t) => {
    const world = await open(t)
    const seen: Exchange[] = []
    const vendor = watched(world.vendor, seen)
    t.equal(vendor.lists, true)
    const minted = await honest(t, world, vendor)
    if (world.disconnected !== undefined) await disconnected(t, world, watched(world.disconnected, seen), minted.secret)
    if (world.away !== undefined) await away(t, watched(world.away, seen))
    if (world.fault !== undefined && world.impatient !== undefined) await faults(t, world, vendor, watched(world.impatient, seen), world.fault)

    for (const exchange of seen) t.ok(Value.Check(ExchangeField(), exchange), 'an exchange fits into an event', { exchange })
    const scanner = createScanner([world.old.secret, world.dead, minted.secret].map((secret, index) => ({ what: `value ${index}`, text: secret.reveal() })))
    scanner.text(JSON.stringify(seen), 'the exchanges')
    t.equal(inWords(scanner.findings()), '', 'no exchange shows a value')
  })
}

// The rotations' reactor where a new value is not what it seems, or a process not as quick as it thinks: over ports in memory.
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { uuidIds } from '../../infra/ids.ts'
import { adoptValue } from '../../src/commands/rotations/credentials.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import { labelOf } from '../../src/domain/rotation/orphans.ts'
import { meaningOf } from '../../src/domain/rotation/offered.ts'
import { rotationReactor } from '../../src/reactors/rotation/reactor.ts'
import type { MintOutcome } from '../../src/rotation-ports.ts'
import { NAME } from '../domain/rotation/world.ts'
import { finish, live, mintAs, revokedIds, world } from './rotation-world.ts'

const exchange = { probe: 'mint', outcome: 'passed' as const, request: { method: 'POST', target: 'https://vendor.example/' }, answer: { status: '201' }, at: '2026-11-21T10:00:00.000Z', tookMs: 1 }

t.test('a token id with a slip in it shows in stage 1, and not where there is no way back', async (t) => {
  const w = await world()
  const { list } = w.gateway
  w.gateway.list = async () => {
    const seen = await list()
    return seen.status === 'listed' ? { ...seen, tokens: seen.tokens.map((token) => ({ ...token, tokenId: `${token.tokenId}-another` })) } : seen
  }
  await w.step({ kind: 'verify' })
  t.equal(await w.settle(), 'verify_failed')
  t.match(await w.job(), { failure: { probe: 'list', outcome: 'failed', failure: 'token_not_listed' } })
  t.match(meaningOf(await w.job()), /does not show the token id .* adopt the value again with its right vendor_token_id/)
  w.gateway.list = list
  await w.step({ kind: 'verify' })
  t.equal(await w.settle(), 'verified')
})

t.test('a minted value that the vendor does not accept reaches nobody, and its token is revoked', async (t) => {
  const w = await mintAs(async ({ vendor }) => {
    const made = await vendor.mint({ label: `chancery-rotation-${(await w.job()).rotationId}-1`, valueId: '' })
    return { ...made, secret: new Secret('the wrong field of the answer') } as MintOutcome
  })
  t.equal(await w.settle(), 'verified', 'it may be asked again')
  t.notOk(w.types().includes('rotation.minted'))
  t.notOk(w.types().includes('rotation.deliveries_started'))
  t.ok(w.types().includes('rotation.orphan_revoked'))
  t.strictSame(w.vendor.live().map(({ tokenId }) => tokenId), [w.first.tokenId])
})

t.test('why a minted value was not taken is told until the next minting', async (t) => {
  for (const [killed, sentence] of [[false, /does not take the new value \(the answer was 401\).*mint\.secret/], [true, /did not say whether it takes the new value \(the answer was 503\)/]] as const) {
    const w = await mintAs(async ({ vendor }) => {
      const made = await vendor.mint({ label: labelOf((await w.job()).rotationId, 1), valueId: '' })
      if (killed) vendor.fault('refused', { kind: 'error' }, { kind: 'error' }, { kind: 'error' })
      return killed ? made : { ...made, secret: new Secret('the wrong field of the answer') } as MintOutcome
    })
    t.equal(await w.settle(), 'verified')
    t.match(await w.view(), { failure: { probe: 'authenticate' }, meaning: sentence })
    w.gateway.mint = (request) => w.vendor.mint(request)
    await w.step({ kind: 'distribute' })
    t.equal((await w.view())?.failure, undefined)
    t.equal(await w.settle(), 'distributed')
  }
  const lost = await mintAs()
  lost.vendor.fault('mint', { kind: 'timeout' })
  t.equal(await lost.settle(), 'verified')
  t.match(await lost.view(), { failure: undefined, meaning: /Distribute next/ }, 'what was settled needs nobody')
})

t.test('a list without labels: one new token after an unknown minting is ours', async (t) => {
  const w = await mintAs(undefined, false)
  w.vendor.fault('mint', { kind: 'applied_unanswered' })
  t.equal(await w.settle(), 'verified')
  t.equal(revokedIds(w).length, 1)
  t.strictSame(live(w), [w.first.tokenId])
  const stranger = w.vendor.issue('a stranger')
  await w.step({ kind: 'distribute' })
  t.equal(await w.settle(), 'distributed')
  t.equal(await finish(w), 'done')
  t.strictSame(live(w), [stranger.tokenId, (await w.credential()).value?.vendorTokenId].sort(), 'what comes later is left alone')
  t.strictSame((await w.view())?.unexplained, [stranger.tokenId], 'and told')
})

t.test('a list without labels: a token that comes later than any request may take is told before the end, and may be anybody\'s', async (t) => {
  for (const when of ['before the next minting', 'after it'] as const) {
    const w = await mintAs(undefined, false)
    w.vendor.fault('mint', { kind: 'late', afterMs: 40_000 })
    t.equal(await w.settle(), 'verified')
    if (when === 'before the next minting') w.pass(60_000)
    await w.step({ kind: 'distribute' })
    t.equal(await w.settle(), 'distributed')
    w.pass(60_000)
    const [late] = live(w).filter((id) => id !== w.first.tokenId && id !== w.vendor.minted().at(-1))
    t.equal(live(w).length, 3, when)
    t.equal(await finish(w), 'done')
    t.strictSame(revokedIds(w), [])
    t.match(await w.view(), { unexplained: [late], alarm: new RegExp(`: ${late}\\. At most one`) }, when)
  }
})

t.test('a list without labels: of two new tokens none is revoked, and both are told', async (t) => {
  const strangers: string[] = []
  const w = await mintAs(async ({ vendor }) => {
    const made = await vendor.mint({ label: '', valueId: '' })
    strangers.push(vendor.issue('a stranger').tokenId)
    return { status: 'unknown', exchange: made.exchange }
  }, false)
  t.equal(await w.settle(), 'verified', 'it may be asked again')
  const both = live(w).filter((id) => id !== w.first.tokenId)
  t.match(await w.view(), { unexplained: both, alarm: new RegExp(`${both.join(', ')}.*nobody can tell which, and none is revoked`) })
  // The stranger takes theirs away: the other one must not become ours by that.
  w.vendor.kill(strangers[0] ?? '')
  strangers.push(w.vendor.issue('a stranger').tokenId)
  w.gateway.mint = (request) => w.vendor.mint(request)
  await w.step({ kind: 'distribute' })
  await w.settle()
  t.equal(await finish(w), 'done', 'the job does not wait for it')
  t.strictSame(revokedIds(w), [])
  t.match((await w.view())?.alarm, /new since a minting whose outcome is unknown/, 'said after the end as well')
  t.equal(live(w).length, 3)
})

t.test('what an earlier rotation of the credential left behind is revoked by the next one; what it brought into use is not', async (t) => {
  const w = await mintAs()
  const again = async () => {
    await w.next()
    await w.step({ kind: 'verify' })
    await w.settle()
    await w.step({ kind: 'distribute' })
    await w.settle()
    t.equal(await finish(w), 'done')
  }
  w.vendor.fault('mint', { kind: 'late', afterMs: 40_000 })
  await w.settle()
  await w.step({ kind: 'abort' })
  t.equal(await w.settle(), 'aborted')
  w.pass(60_000)
  t.equal(live(w).length, 2, 'it came after the end')
  await again()
  t.equal(revokedIds(w).length, 1)
  const inUse = (await w.credential()).value?.vendorTokenId
  t.strictSame(live(w), [inUse])
  const byHand = w.vendor.issue('by hand')
  await adoptValue(w.deps, { credential: NAME, value: byHand.secret, vendorTokenId: byHand.tokenId }, w.context())
  await again()
  t.equal(revokedIds(w).length, 1)
  t.ok(live(w).includes(inUse ?? ''), 'somebody may go on with what was in use')
})

t.test('an orphan revoked by hand, which the vendor refuses to revoke again, is gone', async (t) => {
  const w = await mintAs(async ({ vendor, gateway, job }) => {
    const made = await vendor.mint({ label: `chancery-rotation-${(await job()).rotationId}-1`, valueId: '' })
    gateway.revoke = async ({ tokenId }) => {
      vendor.kill(tokenId ?? '')
      return { status: 'refused', exchange }
    }
    return { ...made, secret: new Secret('the wrong field of the answer') } as MintOutcome
  })
  t.equal(await w.settle(), 'verified')
  t.ok(w.types().includes('rotation.orphan_revoked'))
})

t.test('a vendor that gives the token in use once more has minted nothing', async (t) => {
  for (const tokenId of ['another-id', undefined]) {
    const w = await mintAs(async ({ first }) => ({ status: 'minted', secret: first.secret, tokenId: tokenId ?? first.tokenId, exchange }))
    t.equal(await w.settle(), 'mint_failed')
    t.ok(w.vendor.accepts(w.first.secret), 'and the one in use lives')
  }
  const sameId = await mintAs(async ({ first }) => ({ status: 'minted', secret: new Secret('x'), tokenId: first.tokenId, exchange }))
  t.equal(await sameId.settle(), 'mint_failed')
})

t.test('a token that the vendor makes long after it was given up is found before an abort ends', async (t) => {
  const w = await mintAs(async () => ({ status: 'unknown', exchange }))
  t.equal(await w.settle(), 'verified', 'nothing was listed for long enough')
  await w.vendor.mint({ label: labelOf((await w.job()).rotationId, 1), valueId: '' })
  await w.step({ kind: 'abort' })
  t.equal(await w.settle(), 'aborted')
  t.strictSame(w.vendor.live().map(({ tokenId }) => tokenId), [w.first.tokenId])
  t.strictSame(w.types().slice(-3), ['rotation.orphan_found', 'rotation.orphan_revoked', 'rotation.aborted'])
})

t.test('a pasted value is tried before anybody is given it', async (t) => {
  const w = await world({ kind: 'manual', instructions: 'by hand', authenticate: { method: 'GET', url: 'https://vendor.example/{{value}}', expect: [200] }, refusedStatuses: [401] })
  await w.step({ kind: 'verify' })
  await w.settle()
  await w.step({ kind: 'distribute', pasted: { value: new Secret('mistyped') } })
  t.equal(await w.settle(), 'mint_failed')
  t.notOk(w.types().includes('rotation.deliveries_started'))
  t.equal((await w.credential()).superseded.size, 1, 'what was pasted is to be destroyed')
  await t.rejects(w.step({ kind: 'distribute', pasted: { value: w.first.secret } }), { code: 'invalid_request' }, 'the one in use is no new one')
  await t.rejects(w.step({ kind: 'distribute', pasted: { value: new Secret('x'), vendorTokenId: w.first.tokenId } }), { code: 'invalid_request' })
  await w.step({ kind: 'distribute', pasted: { value: w.vendor.issue('pasted').secret } })
  t.equal(await w.settle(), 'distributed')
})

t.test('the new value is tried once more before the old one is revoked', async (t) => {
  const w = await mintAs()
  t.equal(await w.settle(), 'distributed')
  await w.step({ kind: 'validate' })
  t.equal(await w.settle(), 'validated')
  w.vendor.kill((await w.job()).newValue?.vendorTokenId ?? '')
  await w.step({ kind: 'revoke', confirm: NAME })
  t.equal(await w.settle(), 'validation_failed')
  t.match((await w.job()).gateClosed, { why: 'new_value_refused' })
  t.ok(w.vendor.accepts(w.first.secret), 'the old one works on')
})

t.test('where the vendor refuses both values, the job can be ended', async (t) => {
  const w = await mintAs()
  await w.settle()
  w.vendor.kill((await w.job()).newValue?.vendorTokenId ?? '')
  w.vendor.kill(w.first.tokenId)
  await w.step({ kind: 'abort' })
  t.equal(await w.settle(), 'aborted')
})

t.test('a token revoked by hand, which the vendor refuses to revoke again, ends the job', async (t) => {
  const w = await mintAs()
  await w.settle()
  await w.step({ kind: 'validate' })
  await w.settle()
  w.gateway.revoke = async () => {
    w.vendor.kill(w.first.tokenId)
    return { status: 'refused', exchange }
  }
  await w.step({ kind: 'revoke', confirm: NAME })
  await w.settle()
  t.equal((await w.job()).state, 'done')
})

t.test('a process that was given up while it minted leaves no token behind', async (t) => {
  let answer = (): void => {}
  const w = await mintAs(async ({ vendor }) => {
    const made = await vendor.mint({ label: 'late', valueId: '' })
    await new Promise<void>((resolve) => { answer = resolve })
    return made
  })
  const byZombie = rotationReactor(w.deps)
  const zombie = byZombie.carryOut(w.intent)
  while (!w.types().includes('rotation.mint_started')) await delay(1)
  while (w.vendor.live().length < 2) await delay(1)
  await w.settle(rotationReactor({ ...w.deps, holder: uuidIds.next() }))
  await w.step({ kind: 'abort' })
  await w.settle(rotationReactor({ ...w.deps, holder: uuidIds.next() }))
  t.equal((await w.job()).state, 'aborted')
  const { revoke } = w.gateway
  w.gateway.revoke = async () => ({ status: 'unknown', exchange })
  answer()
  await t.rejects(zombie, { name: 'TokenLeftBehind' }, 'the engine writes down what nobody else would hear of')
  w.gateway.revoke = revoke
  await byZombie.carryOut(w.intent)
  t.strictSame(w.vendor.live().map(({ tokenId }) => tokenId), [w.first.tokenId])
})

t.test('nor where what it made does not work', async (t) => {
  let answer = (): void => {}
  const w = await mintAs(async ({ vendor }) => {
    const made = await vendor.mint({ label: 'nobody\'s', valueId: '' })
    await new Promise<void>((resolve) => { answer = resolve })
    return { ...made, secret: new Secret('the wrong field') } as MintOutcome
  })
  const byZombie = rotationReactor(w.deps)
  const zombie = byZombie.carryOut(w.intent)
  while (w.vendor.live().length < 2) await delay(1)
  await w.settle(rotationReactor({ ...w.deps, holder: uuidIds.next() }))
  await w.step({ kind: 'abort' })
  await w.settle(rotationReactor({ ...w.deps, holder: uuidIds.next() }))
  t.equal((await w.job()).state, 'aborted')
  answer()
  for (let again = await zombie; again !== undefined && w.vendor.live().length > 1; again = await byZombie.carryOut(w.intent)) w.pass(again)
  t.strictSame(w.vendor.live().map(({ tokenId }) => tokenId), [w.first.tokenId])
})

t.test('an old value that the vault lost: what cannot be tried has to be gone from the vendor\'s list', async (t) => {
  const w = await mintAs()
  await w.settle()
  await w.step({ kind: 'validate' })
  await w.settle()
  await w.values.destroy((await w.job()).oldValue.valueId)
  const { list } = w.gateway
  w.gateway.list = async () => {
    const seen = await list()
    return seen.status === 'listed' ? { ...seen, tokens: [...seen.tokens, { tokenId: w.first.tokenId }] } : seen
  }
  await w.step({ kind: 'revoke', confirm: NAME })
  t.equal(await w.settle(), 'revoke_unconfirmed', 'as long as it is listed')
  w.gateway.list = list
  w.pass(600_000)
  t.equal(await w.settle(), 'done')
})

// A credential that serves as the connection of another one while it is rotated itself (ADR 0196).
import t from 'tap'
import { lendValue } from '../../src/commands/rotations/lend.ts'
import { lendable } from '../../src/domain/credential/lend.ts'
import { jobStates, type JobState } from '../../src/domain/rotation/job.ts'
import { into, NAME, NEW } from '../domain/rotation/world.ts'
import { mintAs, type World } from './rotation-world.ts'

const CALL = { for: 'borrower', address: 'https://vendor.example/' }

/** What a rotation that borrows it uses in a request now. */
const borrow = async ({ deps }: World) => {
  const secret = await lendValue(deps, NAME, CALL)
  if (secret === undefined || secret === 'elsewhere') throw new Error('nothing is lent')
  return secret
}
const distributed = async (): Promise<World> => {
  const w = await mintAs()
  await w.settle()
  return w
}
const validate = async (w: World): Promise<World> => {
  await w.step({ kind: 'validate' })
  await w.settle()
  return w
}
const revoke = async (w: World): Promise<string> => {
  await w.step({ kind: 'revoke', confirm: NAME })
  return w.settle()
}

t.test('which value is lent in which state', async (t) => {
  const news: readonly JobState[] = ['validated', 'confirming', 'revoking', 'revoke_unconfirmed', 'done']
  for (const state of jobStates) {
    const { credential } = into(state)
    t.equal((lendable(credential, CALL.address) as { valueId: string }).valueId === NEW, news.includes(state), `${state}: the ${news.includes(state) ? 'new' : 'old'} one`)
  }
})

t.test('what is borrowed once all have proved the new value does not close the gate', async (t) => {
  const w = await validate(await distributed())
  w.pass(60_000)
  w.vendor.use(await borrow(w))
  t.equal(await revoke(w), 'done')
})

t.test('one that began right before is no use by somebody else', async (t) => {
  const w = await distributed()
  const old = await borrow(w)
  await validate(w)
  w.pass(w.gateway.timeLimitMs)
  w.vendor.use(old)
  t.equal(await revoke(w), 'done')
})

t.test('of a value that was lent, too, a use that comes later closes the gate; of one that was not, any', async (t) => {
  const lent = await distributed()
  const old = await borrow(lent)
  await validate(lent)
  lent.pass(2 * lent.gateway.timeLimitMs + 1_000)
  lent.vendor.use(old)
  t.equal(await revoke(lent), 'validation_failed')
  t.match(await lent.view(), { gate: { closedBy: [{ why: 'old_value_used' }] } })
  t.not((await borrow(lent)).reveal(), (await lent.values.open((await lent.job()).newValue?.valueId ?? ''))?.reveal(), 'and the old one is lent again')

  const own = await validate(await distributed())
  own.pass(1_000)
  own.vendor.use(own.first.secret)
  t.equal(await revoke(own), 'validation_failed')
})

t.test('an abort takes the loan back before the new value is revoked', async (t) => {
  const w = await validate(await distributed())
  const borrowed = await borrow(w)
  await w.step({ kind: 'abort' })
  t.equal((await borrow(w)).reveal(), w.first.secret.reveal(), 'as soon as it is asked for')
  const { revoke } = w.gateway
  let accepted: boolean | undefined
  w.gateway.revoke = async (token) => {
    accepted = w.vendor.accepts(await borrow(w))
    return revoke(token)
  }
  t.equal(await w.settle(), 'aborted')
  t.equal(accepted, true)
  t.equal(w.vendor.accepts(borrowed), false, 'a request that is still under way with the new one is refused by the vendor, like any other')
  t.equal((await borrow(w)).reveal(), w.first.secret.reveal())
})

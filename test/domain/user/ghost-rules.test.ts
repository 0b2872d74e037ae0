// The pure rules of links, verdicts and resets, without any store: folds that never throw, verdicts that only ever harden.
import fc from 'fast-check'
import t from 'tap'
import { normalise } from '../../../src/commands/address.ts'
import type { RecordedOf } from '../../../src/domain/catalogue.ts'
import { claimEmail, emailAggregate, releaseEmail, reserveTesterEmail } from '../../../src/domain/reservation/reservation.ts'
import { currentToken, testerAggregate, type Tester } from '../../../src/domain/tester/tester.ts'
import { ghostDelete } from '../../../src/domain/user/ghost-delete.ts'
import { userAggregate, type User } from '../../../src/domain/user/user.ts'

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
t.comment(`seed ${seed}`)
const property = (p: fc.IProperty<never> | fc.IProperty<unknown>) => { fc.assert(p as fc.IProperty<unknown>, { seed, numRuns: 300 }) }

const start = Date.parse('2026-03-01T12:00:00.000Z')
const iso = (ms: number) => new Date(start + ms).toISOString()
const sealed = { sealed: 'v1' as const, subject: 's', at: 'a', value: 'v' }
const metadata = { $correlationId: 'c', $causationId: 'c', commandId: 'c', schemaVersion: 1, occurredAt: iso(0), actor: { type: 'system' as const, id: 'x' }, requestId: 'r' }
const fold = <State, E>(initial: State, evolve: (state: State, event: E) => State, facts: object[]): State =>
  facts.reduce<State>((state, fact, index) => evolve(state, { ...fact, id: `e${index}`, stream: 's-1', revision: BigInt(index), metadata } as unknown as E), initial)

const userFact = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 700_000 }), fc.constantFrom('a', 'b')).map(([kind, ms, challengeId]) => [
  { type: 'user.created', data: { userId: 'u', testerId: 't', email: sealed, addressHash: 'h', createdAt: iso(ms) } },
  { type: 'user.enrolment.options_issued', data: { userId: 'u', challengeId, issuedAt: iso(ms), expiresAt: iso(ms + 300_000) } },
  { type: 'user.enrolment.challenge_used', data: { userId: 'u', challengeId, usedAt: iso(ms) } },
  { type: 'user.enrolment.verification_failed', data: { userId: 'u', challengeId, failedAt: iso(ms), cause: 'x' } },
  { type: 'user.passkey_registered', data: { userId: 'u', challengeId, credentialId: 'k', registeredAt: iso(ms) } },
  { type: 'user.imported', data: { userId: 'u', testerId: 't', email: sealed, addressHash: 'h', createdAt: iso(ms), passkeyPlaceholders: ms % 2 } },
  { type: 'user.sanctioned', data: { userId: 'u' } }
][kind] ?? {})

const deed = (user: User, judgedMs: number): string => {
  try {
    const [fact] = ghostDelete(user, {
      testerId: 't', userId: 'u', resetId: 'r', linkOpenedAt: iso(0), judgedAt: new Date(start + judgedMs), at: iso(judgedMs), graceMs: 300_000, position: 1n
    })
    return fact?.type ?? 'nothing'
  } catch (error) {
    return (error as { code: string }).code
  }
}

t.test('what refused a reset refuses it for ever: judged as of one moment, no later fact makes a ghost of it', async (t) => {
  property(fc.property(fc.array(userFact, { maxLength: 8 }), userFact, fc.integer({ min: 0, max: 900_000 }), (facts, more, judgedMs) => {
    // What comes later is later by its own time too, as in a stream that one clock writes.
    const at = Math.max(judgedMs, 0)
    const later = JSON.parse(JSON.stringify(more), (key, value: unknown) => typeof value === 'string' && key.endsWith('At') ? iso(at + 1) : value) as object
    const user = fold<User, RecordedOf<'user'>>(userAggregate.initial, userAggregate.evolve, facts)
    const before = deed(user, judgedMs)
    if (before === 'account.ghost_reset') return
    const after = deed(fold<User, RecordedOf<'user'>>(userAggregate.initial, userAggregate.evolve, [...facts, later]), judgedMs)
    if (after === 'account.ghost_reset') throw new Error(`${before} became a deletion`)
  }))
  t.pass('held')
})

t.test('an account with anything but an enrolment, or with a credential, is never deleted', async (t) => {
  property(fc.property(fc.array(userFact, { maxLength: 8 }), fc.integer({ min: 0, max: 10_000_000 }), (facts, judgedMs) => {
    const real = facts.some((fact) => 'type' in fact && (fact.type === 'user.sanctioned' || fact.type === 'user.passkey_registered'))
    const user = fold<User, RecordedOf<'user'>>(userAggregate.initial, userAggregate.evolve, facts)
    if (real && deed(user, judgedMs) === 'account.ghost_reset') throw new Error('a real account was deleted')
  }))
  t.pass('held')
})

t.test('a fold never throws, whatever order facts come in', async (t) => {
  const id = fc.constantFrom('1', '2', '3')
  const testerFact = fc.tuple(fc.constantFrom(
    'tester.invited', 'tester.imported', 'walkthrough_token.minted', 'walkthrough_token.imported', 'walkthrough_token.consumed', 'walkthrough_token.revoked',
    'mail.requested', 'mail.attempted', 'mail.sent', 'mail.failed', 'console.beta.ghost_reset.initiated', 'console.beta.ghost_reset.refused',
    'console.beta.ghost_reset.completed', 'tester.of_a_newer_version'
  ), id, id, id).map(([type, tokenId, mailId, resetId]) => ({
    type, data: { testerId: 't', email: sealed, addressHash: 'h', invitedAt: iso(0), tokenId, userId: `u${tokenId}`, mailId, resetId, freshTokenId: tokenId, freshUserId: 'u', kind: 'invitation', attempt: 1, final: true, mintedAt: iso(0), consumedAt: iso(1), revokedAt: iso(2), requestedAt: iso(2), attemptedAt: iso(2), sentAt: iso(2), failedAt: iso(2), initiatedAt: iso(2), completedAt: iso(3), refusedAt: iso(3), expiresAt: iso(9), code: 'x', evidence: [] }
  }))
  property(fc.property(fc.array(testerFact, { maxLength: 30 }), (facts) => {
    const state = fold<Tester, RecordedOf<'tester'>>(testerAggregate.initial, testerAggregate.evolve, facts)
    if (state.status === 'present' && state.resets.filter(({ status }) => status === 'open').length > 0) currentToken(state)
  }))
  t.pass('held')
})

t.test('an address is claimed by one account at a time, and freed only by its holder', async (t) => {
  const at = iso(0)
  const held = fold(emailAggregate.initial, emailAggregate.evolve, claimEmail({ status: 'free' }, { userId: 'a', ruleVersion: 1, at }))
  t.strictSame(held, { status: 'held', by: 'a', since: at })
  t.strictSame(claimEmail(held, { userId: 'b', ruleVersion: 1, at }), [], 'not taken over')
  t.strictSame(claimEmail(held, { userId: 'b', ruleVersion: 1, at, gone: 'a' }).map(({ type }) => type), ['email.released', 'email.claimed'], 'but from one who was reset')
  t.strictSame(releaseEmail(held, 'b', at), [])
  t.strictSame(releaseEmail({ status: 'free' }, 'a', at), [])
  t.strictSame(reserveTesterEmail({ status: 'held', by: 'a', since: at }, { testerId: 'b', ruleVersion: 1, at }), [])
  t.equal(reserveTesterEmail({ status: 'held', by: 'a', since: at }, { testerId: 'b', ruleVersion: 1, at, gone: 'a' }).length, 1)
})

t.test('the address rule: which spellings are one address', async (t) => {
  for (const [text, same] of [
    [' Ada@Example.ORG ', 'ada@example.org'], ['jo\u0308rg@bu\u0308cher.example', 'jörg@xn--bcher-kva.example'], ['a@EXAMPLE。org', 'a@example.org'], ['o\'neil+tag@example.org', 'o\'neil+tag@example.org']
  ] as const) t.equal(normalise(text), same, JSON.stringify(text))
  for (const text of ['', '@', 'a@', 'a@localhost', 'a@1.2.3.4', 'a b@c.de', `${'a'.repeat(65)}@c.de`, `a@${'b'.repeat(64)}.de`, 'a\u0000@b.de', 'a@b..de', 'a,b@c.de', 'a\u202e@b.de']) {
    t.equal(normalise(text), undefined, JSON.stringify(text))
  }
})

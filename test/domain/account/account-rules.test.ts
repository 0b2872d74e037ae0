// The pure rules of accounts, without any store: eligibility against a plain reading of it, sanctions, names, folds.
import fc from 'fast-check'
import t from 'tap'
import { foldUserName, readUserName, requireDisplayName } from '../../../src/commands/users/user-name.ts'
import { newAccount, type Account } from '../../../src/domain/account/account.ts'
import { limitCatalogue, limitCodes, markers, sanctionCatalogue, sanctionCodes } from '../../../src/domain/account/catalogues.ts'
import { deleteAccount } from '../../../src/domain/account/delete.ts'
import { eligibilityOf } from '../../../src/domain/account/eligibility.ts'
import { updateSelf, voidClaim } from '../../../src/domain/account/profile.ts'
import { register, standingOf } from '../../../src/domain/account/register.ts'
import { applySanction, removeSanction, type NewSanction } from '../../../src/domain/account/sanctions.ts'
import { setTariff } from '../../../src/domain/account/tariff.ts'
import type { EventOf, RecordedOf } from '../../../src/domain/catalogue.ts'
import { Refusal } from '../../../src/domain/codes.ts'
import { Clear } from '../../../src/domain/personal.ts'
import { claimUserName, releaseUserName, userNameAggregate } from '../../../src/domain/reservation/user-name.ts'
import { userAggregate, type User } from '../../../src/domain/user/user.ts'

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
t.comment(`seed ${seed}`)
const property = (p: fc.IProperty<never> | fc.IProperty<unknown>, numRuns = 500) => { fc.assert(p as fc.IProperty<unknown>, { seed, numRuns }) }

const start = Date.parse('2026-03-01T12:00:00.000Z')
const moment = (minute: number) => new Date(start + minute * 60_000)
const iso = (minute: number) => moment(minute).toISOString()
const userId = '00000000-0000-5000-8000-000000000001'
const email = new Clear('a@example.com', `user-${userId}`)
const metadata = { $correlationId: 'c', $causationId: 'c', commandId: 'c', schemaVersion: 1, occurredAt: iso(0), actor: { type: 'system' as const, id: 'x' }, requestId: 'r' }
const fold = (user: User, facts: ReadonlyArray<EventOf<'user'>>, from = 0): User => facts.reduce<User>((state, fact, index) =>
  userAggregate.evolve(state, { ...fact, id: `e${from + index}`, stream: `user-${userId}`, revision: BigInt(from + index), metadata }), user)
const registered = fold(userAggregate.initial, register(userAggregate.initial, { userId, email, addressHash: 'h', at: moment(0) }))
const accountOf = (user: User): Account => user.status === 'present' ? user.account : newAccount
const refusal = (run: () => unknown): string | undefined => {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}
const lifecycle = (minute: number) => ({ userId, at: moment(minute), source: 'service', actor: { type: 'principal' as const, id: 'p' }, reasonCode: 'test' })

const scopes = ['platform', 'game:1', 'game:2']
const spans = fc.record({
  code: fc.constantFrom(...sanctionCodes), scope: fc.constantFrom(...scopes), starts: fc.integer({ min: 0, max: 100 }), lasts: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined })
})
const sanctionsArb = fc.array(spans, { maxLength: 12 }).map((list) => list.map(({ code, scope, starts, lasts }, n) => ({
  sanctionId: `s${n}`, code, scope, startsAt: iso(starts), atOnce: false, ...lasts !== undefined && { expiresAt: iso(starts + lasts) }, cause: { eventId: `e${n}`, revision: BigInt(n) }
})))

t.test('eligibility is what a plain reading of the catalogue says, at every moment and in every game', async (t) => {
  property(fc.property(sanctionsArb, fc.integer({ min: -5, max: 200 }), fc.constantFrom(...scopes), (sanctions, minute, scope) => {
    const at = moment(minute)
    const { markers: verdicts } = eligibilityOf({ ...newAccount, sanctions }, at, scope)
    for (const marker of markers) {
      const against = sanctions.filter(({ code, scope: where, startsAt, expiresAt }) =>
        (sanctionCatalogue[code].takes as readonly string[]).includes(marker) && (where === 'platform' || where === scope) &&
        startsAt <= at.toISOString() && (expiresAt === undefined || at.toISOString() < expiresAt))
      const verdict = verdicts[marker]
      if (verdict.allowed ? against.length > 0 : verdict.because?.sanctionId !== against[0]?.sanctionId) return false
    }
    return true
  }))
  const block = { sanctionId: 's', code: 'permanent_block' as const, scope: 'platform', startsAt: iso(0), atOnce: true, cause: { eventId: 'e', revision: 0n } }
  for (const scope of scopes) {
    t.ok(markers.every((marker) => !eligibilityOf({ ...newAccount, sanctions: [block] }, moment(0), scope).markers[marker].allowed), `a permanent block takes all away (${scope})`)
  }
})

t.test('limits: one of its own, else the default', async (t) => {
  property(fc.property(fc.dictionary(fc.constantFrom(...limitCodes), fc.integer({ min: 0, max: 1_000_000 })), (own) => {
    const limits = Object.fromEntries(Object.entries(own).map(([code, value]) => [code, { value, setAt: iso(0), cause: { eventId: 'e', revision: 1n } }]))
    const found = eligibilityOf({ ...newAccount, limits }, moment(0)).limits
    return limitCodes.every((code) => found[code].value === (own[code] ?? limitCatalogue[code].default) && (found[code].cause !== undefined) === (code in own))
  }))
  t.end()
})

t.test('sanctions: of one code and scope never two at a time, whatever is applied and removed', async (t) => {
  const wish = fc.record({
    code: fc.constantFrom(...sanctionCodes), scope: fc.constantFrom(...scopes), starts: fc.option(fc.integer({ min: -3, max: 40 }), { nil: undefined }),
    lasts: fc.option(fc.integer({ min: -2, max: 30 }), { nil: undefined }), remove: fc.boolean()
  })
  let applied = 0
  let refused = 0
  property(fc.property(fc.array(wish, { maxLength: 30 }), (wishes) => {
    let user = registered
    let revision = 1
    for (const [minute, { code, scope, starts, lasts, remove }] of wishes.entries()) {
      const sanctionId = `s${minute}`
      const begins = starts === undefined ? undefined : iso(minute + starts)
      const sanction: NewSanction = {
        ...lifecycle(minute), sanctionId, code, scope, ...begins !== undefined && { startsAt: begins }, ...lasts !== undefined && { expiresAt: iso(minute + (starts ?? 0) + lasts) }
      }
      let facts: ReadonlyArray<EventOf<'user'>> = []
      const before = accountOf(user).sanctions
      if (remove && before[0] !== undefined) {
        const { sanctionId: first, expiresAt } = before[0]
        const code = refusal(() => { facts = removeSanction(user, { userId, sanctionId: first, at: moment(minute) }) })
        if ((code === 'conflict') !== (expiresAt !== undefined && expiresAt <= iso(minute))) return false
      } else {
        const outcome = refusal(() => { facts = applySanction(user, sanction) })
        const kind = sanctionCatalogue[code]
        const invalid = (scope !== 'platform' && !kind.games) || (!kind.expires && (lasts !== undefined || starts !== undefined)) || (starts ?? 0) < 0 || (lasts ?? 1) <= 0
        if ((outcome === 'sanction_invalid') !== invalid) return false
        if (outcome === undefined) applied++
        else refused++
        if (outcome === undefined && (facts.some(({ type }) => type === 'user.lifecycle.permanent_blocked') !== (code === 'permanent_block'))) return false
      }
      user = fold(user, facts, revision)
      revision += facts.length
      for (let at = 0; at < 80; at++) {
        const counting = accountOf(user).sanctions.filter(({ startsAt, expiresAt }) => startsAt <= iso(at) && (expiresAt === undefined || iso(at) < expiresAt))
        if (new Set(counting.map((one) => `${one.code} ${one.scope}`)).size !== counting.length) return false
      }
    }
    return true
  }), 200)
  t.ok(applied > 100 && refused > 100, `${applied} applied, ${refused} refused`)
})

t.test('a sanction at once counts from its fact on, also by a clock that is behind the applying one', async (t) => {
  const later = fold(registered, applySanction(registered, { ...lifecycle(60), sanctionId: 's', code: 'permanent_block', scope: 'platform' }), 1)
  t.match(standingOf(later, 'h', moment(0)), { outcome: 'blocked', reasonCode: 'permanent_block' })
  t.equal(refusal(() => updateSelf(later, { userId, at: moment(0), preferredLanguage: 'de' })), 'conflict')
  const ending = fold(registered, applySanction(registered, { ...lifecycle(60), sanctionId: 's', code: 'login_block', scope: 'platform', expiresAt: iso(70) }), 1)
  t.notOk(eligibilityOf(accountOf(ending), moment(0)).markers.can_login.allowed)
  t.ok(eligibilityOf(accountOf(ending), moment(70)).markers.can_login.allowed, 'its end is left to the clock')
  t.equal(refusal(() => applySanction(ending, { ...lifecycle(0), sanctionId: 's2', code: 'login_block', scope: 'platform', expiresAt: iso(10) })), 'conflict', 'and no second one beside it')
  const begins = fold(registered, applySanction(registered, { ...lifecycle(0), sanctionId: 's', code: 'login_block', scope: 'platform', startsAt: iso(5) }), 1)
  t.strictSame([4, 5].map((minute) => eligibilityOf(accountOf(begins), moment(minute)).markers.can_login.allowed), [true, false], 'a start that was given is the clock\'s')
})

t.test('a deletion announces itself once, and after it nothing is decided', async (t) => {
  const facts = deleteAccount(registered, { ...lifecycle(5), purgeAfterMs: 1000, traceId: '0'.repeat(31) + '1' })
  t.strictSame(facts, [
    { type: 'user.deleted', data: { userId, deletedAt: iso(5), purgeAfter: new Date(start + 301_000).toISOString() } },
    {
      type: 'user.lifecycle.deleted',
      data: { userId, occurredAtMs: start + 300_000, source: 'service', actorType: 'principal', actorId: 'p', reasonCode: 'test', traceId: '0'.repeat(31) + '1' }
    }
  ])
  const deleted = fold(registered, facts, 1)
  const after: Array<[string, () => unknown]> = [
    ['delete', () => deleteAccount(deleted, { ...lifecycle(6), purgeAfterMs: 1 })],
    ['sanction', () => applySanction(deleted, { ...lifecycle(6), sanctionId: 's', code: 'login_block', scope: 'platform' })],
    ['remove', () => removeSanction(deleted, { userId, sanctionId: 's', at: moment(6) })],
    ['tariff', () => setTariff(deleted, { userId, code: 'gold', at: moment(6) })],
    ['profile', () => updateSelf(deleted, { userId, at: moment(6), preferredLanguage: 'de' })]
  ]
  for (const [name, run] of after) t.equal(refusal(run), 'subject_not_found', name)
  t.ok(markers.every((marker) => !eligibilityOf(accountOf(deleted), moment(6)).markers[marker].allowed), 'nor may it do anything')
  t.strictSame(register(deleted, { userId, email, addressHash: 'h', at: moment(6) }), [], 'and it is not made again')
  t.strictSame(standingOf(deleted, 'h', moment(6)), { outcome: 'blocked', reasonCode: 'account_deleted' })
})

t.test('user names', async (t) => {
  const good = ['abc', 'Karl-1', 'Ä_ö.ü', 'x'.repeat(32), '1st', '名前です', 'नमस्ते', 'ΟΔΟΣ']
  for (const name of good) t.ok(foldUserName(name), name)
  const bad = ['', 'ab', 'x'.repeat(33), '-abc', '.abc', 'a b c', 'a@b.c', 'abc\u0000', 'abc\u200d', 'a/b', '\u0301abc', '<b>', '😀😀😀', 'abc\u202e', 'ᾳbc']
  for (const name of bad) t.equal(foldUserName(name), undefined, `${encodeURIComponent(name)} is none`)
  const same: Array<[string, string]> = [['Karl', ' kARL '], ['Ä_ö', 'a\u0308_O\u0308'], ['Straße', 'STRASSE'], ['Straẞe', 'strasse'], ['ΟΔΟΣ', 'οδος'], ['οδοσ', 'οδος']]
  for (const [one, other] of same) t.equal(foldUserName(one), foldUserName(other), `${one} is ${other}`)
  t.not(foldUserName('a.b'), foldUserName('a_b'))

  const letters = fc.string({ unit: fc.oneof(fc.constantFrom('a', 'B', 'ß', 'ẞ', 'Σ', 'ς', 'İ', 'ı', 'é', 'e\u0301', '_', '-', '.', '7', 'ﬁ', 'ŉ', 'ǰ', 'ά', '\u0345', '\u0307'), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 })), maxLength: 36 })
  let taken = 0
  property(fc.property(letters, (text) => {
    const folded = foldUserName(text)
    if (folded === undefined) return true
    taken++
    const again = [text.normalize('NFD'), ` ${text} `, text.normalize('NFC').toUpperCase(), text.normalize('NFC').toLowerCase(), folded].map((variant) => foldUserName(variant) ?? folded)
    return folded === folded.normalize('NFC') && again.every((variant) => variant === folded)
  }), 3000)
  t.ok(taken > 300, `${taken} names were taken`)
  const keys = { userNameHash: (normalised: string) => normalised }
  t.strictSame(readUserName(keys, ' Karl '), { text: 'Karl', hash: '1:karl' }, 'the hash holds the version of the rule, the text stays as it was written')
  t.equal(requireDisplayName('  Karl der Große 😀 '), 'Karl der Große 😀')
  for (const text of ['', '   ', 'x'.repeat(65), 'a\nb', 'a\u0007', 'a\u2028b', '\u202eabc', 'a\u2066b', '\u200b', ' \u200d\u2060', '\u3164', '\u2800']) t.equal(refusal(() => requireDisplayName(text)), 'invalid_request', `${encodeURIComponent(text)} is none`)
  t.equal([...requireDisplayName('😀'.repeat(64))].length, 64, 'characters are counted, not units')
})

t.test('claims of user names: whoever releases or takes over names the claim, and never another', async (t) => {
  const at = moment(1)
  const step = (state: ReturnType<typeof userNameAggregate.evolve>, facts: ReadonlyArray<EventOf<'userName'>>) =>
    facts.reduce((held, fact) => userNameAggregate.evolve(held, fact as RecordedOf<'userName'>), state)
  const held = step(userNameAggregate.initial, claimUserName(userNameAggregate.initial, { userId: 'a', claimId: 'c1', ruleVersion: 1, at }))
  t.strictSame(claimUserName(held, { userId: 'b', claimId: 'c2', ruleVersion: 1, at }), [], 'held')
  t.strictSame(claimUserName(held, { userId: 'b', claimId: 'c2', ruleVersion: 1, at, gone: 'c0' }), [], 'another claim than the voided one')
  const over = claimUserName(held, { userId: 'b', claimId: 'c2', ruleVersion: 1, at, gone: 'c1' })
  t.strictSame(over.map(({ type, data }) => [type, data.userId, data.claimId]), [['user_name.released', 'a', 'c1'], ['user_name.claimed', 'b', 'c2']])
  t.strictSame(step(held, over), { status: 'held', by: 'b', claimId: 'c2' })
  t.strictSame(releaseUserName(step(held, over), { claimId: 'c1', at, cause: 'renamed' }), [], 'a late release of the old claim frees nothing')
  const named = fold(registered, updateSelf(registered, { userId, at, userName: { text: email, hash: 'n', claimId: 'c1', same: false } }), 1)
  t.strictSame(voidClaim(named, { userId, claimId: 'c1', hash: 'n', at }), [], 'what became a name is not voided')
  t.equal(voidClaim(registered, { userId, claimId: 'c1', hash: 'n', at }).length, 1)
})

t.test('folds never throw, whatever stands in the stream', async (t) => {
  const facts = fc.constantFrom('user.sanction_removed', 'user.limit_removed', 'user.deleted', 'user.erasure_started', 'account.purged', 'user.legal_hold_lifted', 'user.user_name_claim_voided', 'user.registered', 'user.profile_updated', 'user.unheard_of')
    .map((type) => ({ type, data: { userId, sanctionId: 's', code: 'login_block', claimId: 'c', erasureId: 'e', deletedAt: iso(0), purgeAfter: iso(1), purgedAt: iso(2), holdId: 'h', email, addressHash: 'h', registeredAt: iso(0) } }))
  property(fc.property(fc.array(facts, { maxLength: 20 }), (list) => {
    const user = fold(userAggregate.initial, list as unknown as Array<EventOf<'user'>>)
    return user.status !== 'present' || !user.shell
  }))
  t.end()
})

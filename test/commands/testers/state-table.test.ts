// The state table of the ghost as data: link × account × credential × clock, against the pure rule, the SQL query and the deed.
import t from 'tap'
import { ghostCheckOne } from '../../../src/commands/accounts/ghost-check.ts'
import { ghostReset } from '../../../src/commands/testers/ghost-reset.ts'
import { inviteTester } from '../../../src/commands/testers/invite.ts'
import { listTesters, showTester } from '../../../src/commands/testers/overview.ts'
import { resendLink } from '../../../src/commands/testers/resend.ts'
import type { ChanceryEvent } from '../../../src/domain/catalogue.ts'
import { Refusal } from '../../../src/domain/codes.ts'
import { Clear } from '../../../src/domain/personal.ts'
import { enrolmentOf, judge } from '../../../src/domain/user/verdict.ts'
import { userAggregate } from '../../../src/domain/user/user.ts'
import type { AuditIndex } from '../../../src/queries.ts'
import { facts, GRACE, ghostGround, type TestTester } from '../../support/ghosts.ts'

const MINUTE = 60_000
const opening = new Date('2026-03-01T12:00:00.000Z')
const after = (ms: number) => new Date(opening.getTime() + ms)

/** What happened to the account, and how long after the opening the last event of the ceremony was. */
const accounts: Record<string, { facts: (tester: TestTester) => ChanceryEvent[], lastAt: number, row: boolean, credential: boolean }> = {
  'no account': { facts: () => [], lastAt: 0, row: false, credential: false },
  'an account made with the first options': {
    facts: (who) => [facts.created(who, after(MINUTE)), facts.optionsIssued(who, after(MINUTE))], lastAt: MINUTE, row: true, credential: false
  },
  'options asked for again': {
    facts: (who) => [facts.created(who, after(MINUTE)), facts.optionsIssued(who, after(MINUTE)), facts.optionsIssued(who, after(2 * MINUTE))],
    lastAt: 2 * MINUTE, row: true, credential: false
  },
  'a failed verification': {
    facts: (who) => [facts.created(who, after(MINUTE)), facts.optionsIssued(who, after(MINUTE)), facts.verificationFailed(who, after(90_000))],
    lastAt: 90_000, row: true, credential: false
  },
  'options without an account': { facts: (who) => [facts.optionsIssued(who, after(MINUTE))], lastAt: MINUTE, row: false, credential: false },
  'an account older than its link': { facts: (who) => [facts.created(who, after(-MINUTE))], lastAt: 0, row: true, credential: false },
  'an account with a passkey': {
    facts: (who) => [facts.created(who, after(MINUTE)), facts.optionsIssued(who, after(MINUTE)), facts.passkey(who, after(MINUTE))],
    lastAt: MINUTE, row: true, credential: true
  }
}

/** Since the last event of the ceremony. */
const clocks: Record<string, number> = { '0.000': 0, '4:59.999': GRACE - 1, '5:00.000': GRACE, '5:00.001': GRACE + 1, 'a day': 1440 * MINUTE }

const expected = (row: boolean, credential: boolean, since: number): string => {
  if (credential) return 'healthy'
  if (since < GRACE) return 'mid_enrollment'
  return row ? 'ghost_empty_shell' : 'ghost_no_users_row'
}

t.test('the state table', async (t) => {
  const ground = await ghostGround(t)
  const { deps, clock, caughtUp, context, typesOf } = ground

  for (const [account, { facts: make, lastAt, row, credential }] of Object.entries(accounts)) {
    for (const [reading, since] of Object.entries(clocks)) {
      await t.test(`${account}, ${reading} after`, async (t) => {
        clock.at = new Date(opening.getTime() - MINUTE)
        const who = await ground.invited()
        await ground.state(who.tester, [facts.opened(who, opening)])
        const made = make(who)
        if (made.length > 0) await ground.state(who.user, made)
        await caughtUp()
        clock.at = after(lastAt + since)
        const state = expected(row, credential, since)
        const becomesGhostAt = after(lastAt + GRACE).toISOString()

        const { state: user } = await deps.aggregates.current(userAggregate, who.userId)
        if (user.status === 'reset') throw new Error('not yet')
        const pure = judge(enrolmentOf(user, opening.toISOString()), clock.now(), GRACE)
        const [shown] = await deps.accounts.ghostCheck([{ testerId: who.testerId, userId: who.userId, linkOpenedAt: opening.toISOString() }])
        t.equal(pure.state, state, 'the pure rule')
        t.equal(shown?.state, state, 'the query')
        t.equal(shown?.rule, pure.rule, 'name the same rule')
        t.strictSame(shown?.evidence.map(({ revision, type, occurredAt }) => ({ revision: BigInt(revision), type, at: occurredAt })), pure.evidence, 'on the same evidence')
        t.equal(shown?.thresholdMs, GRACE)
        t.equal(shown?.becomesGhostAt, state === 'mid_enrollment' ? becomesGhostAt : undefined)
        t.equal(pure.state === 'mid_enrollment' ? pure.becomesGhostAt : undefined, shown?.becomesGhostAt)
        t.equal(shown?.accountPosition, (await ground.streamOf(who.user)).at(-1)?.position ?? 0n)

        const before = await typesOf(who.user)
        if (state.startsWith('ghost')) {
          const reset = await ghostReset(deps, { testerId: who.testerId }, context())
          t.equal(reset.state, state)
          t.strictSame(await typesOf(who.user), [...before, 'account.ghost_reset'])
        } else {
          await t.rejects(ghostReset(deps, { testerId: who.testerId }, context()), {
            code: state === 'healthy' ? 'account_healthy' : 'mid_enrollment', ...(state === 'mid_enrollment' && { fields: { becomes_ghost_at: becomesGhostAt } })
          })
          t.strictSame(await typesOf(who.user), before, 'nothing was deleted')
          t.notOk((await typesOf(who.tester)).includes('console.beta.ghost_reset.initiated'), 'and nothing was begun')
        }
      })
    }
  }
})

t.test('an account that is deleted or more than an enrolment is no ghost, and no list stumbles over it', async (t) => {
  const ground = await ghostGround(t)
  const { deps, accountsDeps, clock, context, typesOf } = ground
  const at = opening.toISOString()
  const sanction = ({ userId }: TestTester) => ({ userId, sanctionId: userId, code: 'game_join_block', scope: 'platform' } as const)
  const applied = (who: TestTester): ChanceryEvent => ({ type: 'user.sanction_applied', data: { ...sanction(who), appliedAt: at, startsAt: at } })
  const deleted = ({ userId }: TestTester): ChanceryEvent => ({ type: 'user.deleted', data: { userId, deletedAt: at, purgeAfter: at } })
  const cases: Record<string, { code?: string, after: (who: TestTester) => ChanceryEvent[] }> = {
    sanctioned: { code: 'account_not_a_shell', after: (who) => [facts.created(who, opening), applied(who)] },
    'sanctioned once': {
      code: 'account_not_a_shell', after: (who) => [facts.created(who, opening), applied(who), { type: 'user.sanction_removed', data: { ...sanction(who), removedAt: at } }]
    },
    'made by ensure-by-email': {
      code: 'account_not_a_shell',
      after: ({ userId }) => [{ type: 'user.registered', data: { userId, email: new Clear('a@example.org', `user-${userId}`), addressHash: 'b'.repeat(64), registeredAt: at } }]
    },
    deleted: { code: 'subject_not_found', after: (who) => [facts.created(who, opening), deleted(who)] },
    'with a passkey, deleted': { code: 'subject_not_found', after: (who) => [facts.created(who, opening), facts.passkey(who, opening), deleted(who)] },
    'with a passkey, sanctioned': { after: (who) => [facts.created(who, opening), facts.passkey(who, opening), applied(who)] },
    'a ghost': { after: (who) => [facts.created(who, opening)] }
  }
  const people = new Map<string, TestTester>()
  for (const [name, { after: made }] of Object.entries(cases)) {
    const who = await ground.invited()
    people.set(name, who)
    await ground.state(who.tester, [facts.opened(who, opening)])
    await ground.state(who.user, made(who))
  }
  clock.at = after(GRACE)
  await ground.caughtUp()
  const audit: Pick<AuditIndex, 'search'> = { search: () => Promise.resolve([]) }
  const states = Object.fromEntries((await listTesters({ ...deps, audit, positions: ground.positions }, {}, 100)).views.map(({ row, verdict }) => [row.testerId, verdict?.state]))
  for (const [name, { code }] of Object.entries(cases)) {
    const who = people.get(name)
    if (who === undefined) throw new Error(name)
    const state = name === 'a ghost' ? 'ghost_empty_shell' : code === undefined ? 'healthy' : undefined
    t.equal(states[who.testerId], state, `${name}: in the list`)
    t.equal((await showTester({ ...deps, audit, positions: ground.positions }, who.testerId)).verdict?.state, state, `${name}: alone`)
    const one = await ghostCheckOne(accountsDeps, { testerId: who.testerId, userId: who.userId, linkOpenedAt: at }).then((verdict) => verdict.state, (error: Refusal) => error.code)
    t.equal(one, code ?? state, `${name}: asked about`)
    if (name === 'a ghost') continue
    const before = await typesOf(who.tester)
    await t.rejects(ghostReset(deps, { testerId: who.testerId }, context()), { code: code === undefined ? 'account_healthy' : 'account_not_a_shell' }, `${name}: no reset`)
    t.strictSame(await typesOf(who.tester), before, `${name}: nothing was begun`)
  }
})

t.test('a link that was never used has no ghost, whatever the clock says', async (t) => {
  const ground = await ghostGround(t)
  for (const since of [0, GRACE, 48 * 60 * MINUTE]) {
    const who = await ground.invited()
    ground.clock.at = new Date(ground.clock.at.getTime() + since)
    await t.rejects(ghostReset(ground.deps, { testerId: who.testerId }, ground.context()), { code: 'link_not_used' })
    t.strictSame(await ground.typesOf(who.user), [])
  }
  await t.rejects(ghostReset(ground.deps, { testerId: ground.ids.next() }, ground.context()), { code: 'subject_not_found' })
})

t.test('a link minted less than 60.000 s ago is used again', async (t) => {
  const ground = await ghostGround(t)
  const { deps, clock, context, typesOf } = ground
  const aGhost = async () => {
    const who = await ground.invited()
    await ground.state(who.tester, [facts.opened(who, clock.at)])
    clock.at = new Date(clock.at.getTime() + GRACE)
    await ground.caughtUp()
    return who
  }
  const later = (ms: number) => { clock.at = new Date(clock.at.getTime() + ms) }

  await t.test('by a second reset after 59.999 s', async (t) => {
    const who = await aGhost()
    const first = await ghostReset(deps, { testerId: who.testerId }, context())
    const facts = await typesOf(who.tester)
    later(59_999)
    t.strictSame(await ghostReset(deps, { testerId: who.testerId }, context()), first)
    t.strictSame(await typesOf(who.tester), facts, 'nothing more was recorded')
  })
  await t.test('not after 60.000 s: then it is a link that was not used', async (t) => {
    const who = await aGhost()
    await ghostReset(deps, { testerId: who.testerId }, context())
    later(60_000)
    await t.rejects(ghostReset(deps, { testerId: who.testerId }, context()), { code: 'link_not_used' })
  })
  await t.test('not once it was used', async (t) => {
    const who = await aGhost()
    const { freshTokenId: tokenId, freshUserId: userId } = await ghostReset(deps, { testerId: who.testerId }, context())
    await ground.state(who.tester, [facts.opened({ ...who, tokenId, userId }, clock.at)])
    await ground.caughtUp()
    const refused = await ghostReset(deps, { testerId: who.testerId }, context()).catch((error: unknown) => error)
    t.ok(refused instanceof Refusal)
    t.equal((refused as Refusal).code, 'mid_enrollment')
  })
  for (const [age, again] of [[59_999, true], [60_000, false]] as const) {
    await t.test(`minted ${age} ms before the old link is replaced: ${again ? 'used again' : 'another is minted'}`, async (t) => {
      // An unused link beside the used one: as an older version, or a reset under way elsewhere, may have left it.
      const now = clock.at
      clock.at = new Date(now.getTime() - age)
      const who = await ground.invited()
      clock.at = now
      const used = { ...who, tokenId: ground.ids.next(), userId: ground.ids.next() }
      const { testerId, tokenId, userId } = used
      const opened = new Date(now.getTime() - GRACE)
      await ground.state(who.tester, [
        { type: 'walkthrough_token.minted', data: { testerId, tokenId, userId, mintedAt: opened.toISOString(), expiresAt: new Date(opened.getTime() + 86_400_000).toISOString() } },
        facts.opened(used, opened)
      ])
      await ground.caughtUp()
      const reset = await ghostReset(deps, { testerId: who.testerId }, context())
      t.equal(reset.freshTokenId === who.tokenId, again)
      t.equal((await typesOf(who.tester)).filter((type) => type === 'walkthrough_token.minted').length, again ? 2 : 3)
    })
  }
})

t.test('a link that expired unused is replaced by resend', async (t) => {
  const ground = await ghostGround(t)
  const who = await ground.invited()
  ground.clock.at = new Date(ground.clock.at.getTime() + 86_399_999)
  t.equal((await resendLink(ground.deps, { testerId: who.testerId }, ground.context())).tokenId, who.tokenId)
  ground.clock.at = new Date(ground.clock.at.getTime() + 1)
  const fresh = await resendLink(ground.deps, { testerId: who.testerId }, ground.context())
  t.not(fresh.tokenId, who.tokenId)
  t.ok((await ground.typesOf(who.tester)).includes('walkthrough_token.revoked'))
})

t.test('one key for two testers makes two links, two mails and two accounts', async (t) => {
  const ground = await ghostGround(t)
  const [one, other] = [await ground.invited(), await ground.invited()]
  ground.clock.at = new Date(ground.clock.at.getTime() + 86_400_000)
  const context = ground.context('the same key')
  const first = await resendLink(ground.deps, { testerId: one.testerId }, { ...context, fingerprint: 'a' })
  const second = await resendLink(ground.deps, { testerId: other.testerId }, { ...context, fingerprint: 'b' })
  t.not(first.tokenId, second.tokenId)
  t.not(first.mailId, second.mailId)
  const invited = await inviteTester(ground.deps, { email: 'third@example.org' }, { ...context, fingerprint: 'c' })
  t.equal(new Set([first.tokenId, second.tokenId, invited.tokenId]).size, 3, 'nor does an invitation share one')
  t.equal(new Set([first.mailId, second.mailId, invited.mailId]).size, 3)
})

t.test('a timeline that is too long shows its newest facts, in order', async (t) => {
  const ground = await ghostGround(t)
  const who = await ground.invited()
  const created = ground.clock.at.toISOString()
  await ground.state(who.tester, Array.from({ length: 510 }, () => facts.opened(who, ground.clock.at)))
  await ground.caughtUp()
  // The index as it answers, over the log itself.
  const search: AuditIndex['search'] = async ({ stream = '' }, { limit, direction }) => {
    const all = (await ground.streamOf(stream)).map(({ id, metadata, ...event }) => ({
      ...event, eventId: id, created, occurredAt: metadata.occurredAt, actorType: metadata.actor.type, actorId: metadata.actor.id, commandId: metadata.commandId
    }))
    return (direction === 'backwards' ? all.reverse() : all).slice(0, limit)
  }
  const { timeline } = await showTester({ ...ground.deps, audit: { search }, positions: ground.positions }, who.testerId)
  const last = (await ground.streamOf(who.tester)).at(-1)?.revision
  t.equal(timeline.length, 500)
  t.equal(timeline.at(-1)?.revision, last, 'the newest is there')
  t.equal(timeline[0]?.revision, (last ?? 0n) - 499n)
})

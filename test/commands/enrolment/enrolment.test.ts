// Enrolment on the real parts: links, challenges that are good once, claims that are completed, and what a crash leaves.
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { readToken, tokenText } from '../../../src/commands/enrolment/link.ts'
import { openLink } from '../../../src/commands/enrolment/open.ts'
import { issueOptions } from '../../../src/commands/enrolment/options.ts'
import { verifyAnswer } from '../../../src/commands/enrolment/verify.ts'
import type { EnrolmentDeps } from '../../../src/commands/enrolment/deps.ts'
import { createAuthenticator, type CreationOptions, type Faults } from '../../../src/cli/demo/authenticator.ts'
import type { Code } from '../../../src/domain/codes.ts'
import { Clear } from '../../../src/domain/personal.ts'
import { emailAggregate } from '../../../src/domain/reservation/reservation.ts'
import { testerAggregate } from '../../../src/domain/tester/tester.ts'
import { issueChallenge, registerPasskey } from '../../../src/domain/user/enrolment.ts'
import { userAggregate } from '../../../src/domain/user/user.ts'
import { LogUnavailable } from '../../../src/log-errors.ts'
import type { EventStore } from '../../../src/ports.ts'
import { enrolmentWorld, LINK_TTL_MS, PUBLIC_URL, resetFact, type Invited } from '../../support/enrolment.ts'

const world = await enrolmentWorld(t)
const { deps, context, invite, clock, types, ids, keys } = world

const rejectsWith = (t: Test, promise: Promise<unknown>, code: Code, name: string = code) => t.rejects(promise, { code }, name)
const opened = async (email?: string): Promise<Invited> => {
  const link = await invite(email)
  await openLink(deps, link, context())
  return link
}
const optionsOf = async (link: Invited, by: EnrolmentDeps = deps): Promise<CreationOptions> =>
  (await issueOptions(by, link, context())).publicKey as CreationOptions
const answerTo = (options: CreationOptions, faults?: Faults) => createAuthenticator().register(options, PUBLIC_URL, faults)
const userTypes = ({ userId }: Invited) => types(`user-${userId}`)

t.test('a whole enrolment', async (t) => {
  const link = await invite('Canary.Person@Example.com')
  const first = await openLink(deps, link, context())
  t.equal(first.openedAt, clock.at.toISOString())
  clock.pass(1000)
  const again = await openLink(deps, link, context())
  t.same([again.openedAt, again.revision], [first.openedAt, first.revision], 'opening again records nothing')
  t.same(await types(`tester-${link.testerId}`), ['tester.invited', 'walkthrough_token.minted', 'mail.requested', 'walkthrough_token.consumed'])
  t.same(await userTypes(link), [], 'opening makes no account')

  const { publicKey, expiresAt, userId } = await issueOptions(deps, link, context())
  t.equal(userId, link.userId)
  t.equal(Date.parse(expiresAt) - clock.at.getTime(), 300_000, 'good for five minutes')
  t.match(publicKey, { user: { name: 'Canary.Person@Example.com' }, rp: { id: 'localhost' } })
  const options = publicKey as CreationOptions
  const answer = answerTo(options)
  const enrolled = await verifyAnswer(deps, link, answer, context())
  t.equal(enrolled.userId, link.userId)
  t.same(await userTypes(link), ['user.created', 'user.enrolment.options_issued', 'user.enrolment.challenge_used', 'user.passkey_registered'])

  await rejectsWith(t, issueOptions(deps, link, context()), 'account_healthy', 'the link has done its work')
  await rejectsWith(t, verifyAnswer(deps, link, answer, context()), 'account_healthy')
  const stored = await world.stored()
  t.notMatch(stored, /canary/i, 'the address stands nowhere in the log')
  t.notOk(stored.includes(options.challenge), 'nor the challenge')
  t.notOk(stored.includes(link.token.split('.')[2] ?? 'x'), 'nor the secret of the link')
  t.ok(stored.includes(answer.id), 'while the search does find what is there')
})

t.test('links', async (t) => {
  const link = await invite()
  const parts = link.token.split('.')
  const flip = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
  const rubbish = [
    '', '.', '..', '...', 'x', link.token.slice(0, -1), `${link.token}A`, `${link.token}=`, ` ${link.token}`, `${link.token}.`, link.token.toUpperCase(),
    parts.slice(0, 2).join('.'), parts.slice(1).join('.'), parts.toReversed().join('.'), `${link.token}é`, '\0'.repeat(100),
    ...Array.from(link.token, (character, at) => character === '.' ? `${link.token}-` : flip(link.token, at)),
    // The last character of each id carries four bits that mean nothing: only one spelling is ours.
    `${parts[0]?.slice(0, -1)}${parts[0]?.endsWith('B') ? 'C' : 'B'}.${parts[1]}.${parts[2]}`
  ]
  for (const text of rubbish) {
    if (text === link.token) continue
    // A change to the tester's id alone is found out by the tester's stream, all others before any stream is read.
    const attempt = async () => openLink(deps, readToken({ keys, ids }, text), context())
    await rejectsWith(t, attempt(), 'link_not_found', JSON.stringify(text))
  }
  const other = await invite()
  const mixed = tokenText(keys, other.testerId, link.tokenId)
  await rejectsWith(t, openLink(deps, readToken({ keys, ids }, mixed), context()), 'link_not_found', 'mixed from two')
  t.same(readToken({ keys, ids }, link.token), { testerId: link.testerId, tokenId: link.tokenId, userId: link.userId })

  await rejectsWith(t, issueOptions(deps, link, context()), 'link_not_used', 'options before the click')
  const late = new Date(clock.at.getTime() + LINK_TTL_MS)
  await openLink(deps, link, context(undefined, new Date(late.getTime() - 1)))
  await rejectsWith(t, openLink(deps, link, context(undefined, late)), 'link_expired')
  await rejectsWith(t, issueOptions(deps, link, context(undefined, late)), 'link_expired')

  const elsewhere = world.process()
  await issueOptions(elsewhere, link, context())
  await world.onTester(link.testerId, { type: 'walkthrough_token.revoked', data: { testerId: link.testerId, tokenId: link.tokenId, revokedAt: clock.at.toISOString(), cause: 'test' } })
  for (const command of [openLink, issueOptions]) await rejectsWith(t, command(elsewhere, link, context()), 'link_superseded', 'revoked, seen by a process that had it cached')
  await rejectsWith(t, verifyAnswer(elsewhere, link, answerTo({ challenge: 'AA', rp: { id: 'localhost' }, pubKeyCredParams: [] }), context()), 'link_superseded')

  const imported = { ...other, tokenId: ids.next() }
  await world.onTester(other.testerId, {
    type: 'walkthrough_token.imported', data: { testerId: other.testerId, tokenId: imported.tokenId, userId: ids.next(), mintedAt: clock.at.toISOString() }
  })
  await rejectsWith(t, openLink(deps, imported, context()), 'link_not_found', 'an imported token opens nothing')
})

t.test('a link whose account was reset creates nothing', async (t) => {
  const link = await opened()
  const options = await optionsOf(link)
  await world.onUser(link.userId, resetFact(link, clock.at))
  const before = await userTypes(link)
  for (const command of [openLink, issueOptions]) await rejectsWith(t, command(deps, link, context()), 'link_superseded')
  await rejectsWith(t, verifyAnswer(deps, link, answerTo(options), context()), 'link_superseded')
  t.same(await userTypes(link), before)
})

t.test('the reset comes while options are under way', async (t) => {
  const link = await opened()
  const { state } = await deps.aggregates.current(testerAggregate, link.testerId)
  const hash = state.status === 'present' ? state.addressHash : ''
  // Between the look at the account and its creation: once the address is claimed.
  const racing = world.process((log) => between(log, 'email.claimed', async () => { await world.onUser(link.userId, resetFact(link, clock.at)) }))
  await rejectsWith(t, issueOptions(racing, link, context()), 'link_superseded')
  t.same(await userTypes(link), ['account.ghost_reset'])
  t.same((await deps.aggregates.current(emailAggregate, hash)).state, { status: 'free' }, 'the address was given back')
})

/** A log on which something happens right after an append of one type. */
const between = (log: EventStore, type: string, happens: () => Promise<void>): EventStore => {
  let done = false
  return {
    ...log,
    append: async (...args) => {
      const appended = await log.append(...args)
      if (!done && args[2].some((event) => event.type === type)) { done = true; await happens() }
      return appended
    }
  }
}

t.test('challenges', async (t) => {
  const link = await opened()
  const stranger = await opened()
  const first = await optionsOf(link)
  const foreign = await optionsOf(stranger)
  const before = await userTypes(link)
  await rejectsWith(t, verifyAnswer(deps, link, answerTo(foreign), context()), 'ceremony_failed', 'issued to somebody else')
  await rejectsWith(t, verifyAnswer(deps, link, answerTo({ ...first, challenge: randomBytes(32).toString('base64url') }), context()), 'ceremony_failed', 'made up')
  await rejectsWith(t, verifyAnswer(deps, link, { ...answerTo(first), type: 'rubbish' }, context()), 'ceremony_failed', 'an answer that cannot be read')
  clock.pass(300_000)
  await rejectsWith(t, verifyAnswer(deps, link, answerTo(first), context()), 'ceremony_failed', 'five minutes later')
  t.same(await userTypes(link), before, 'none of which records anything')

  const second = await optionsOf(link)
  clock.pass(299_999)
  await rejectsWith(t, verifyAnswer(deps, link, answerTo(second, { flags: 0x41 }), context()), 'ceremony_failed', 'nobody verified')
  t.same((await userTypes(link)).slice(-2), ['user.enrolment.challenge_used', 'user.enrolment.verification_failed'])
  const used = await userTypes(link)
  await rejectsWith(t, verifyAnswer(deps, link, answerTo(second), context()), 'ceremony_failed', 'good once, also after a failure')
  t.same(await userTypes(link), used)

  const third = await optionsOf(link)
  t.equal((await verifyAnswer(deps, link, answerTo(third), context())).userId, link.userId, 'and the same link goes on')
})

t.test('fifty answers to one challenge at once, from two processes: one succeeds', async (t) => {
  const link = await opened()
  const options = await optionsOf(link)
  const processes = [deps, world.process()]
  const results = await Promise.allSettled(Array.from({ length: 50 }, (_, n) =>
    verifyAnswer(processes[n % 2] ?? deps, link, answerTo(options), context())))
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of results) {
    if (result.status === 'rejected') t.match((result.reason as { code: string }).code, /^(ceremony_failed|account_healthy|conflict)$/)
  }
  t.same((await userTypes(link)).slice(2), ['user.enrolment.challenge_used', 'user.passkey_registered'])
})

t.test('ten challenges of one link, answered at once: one passkey', async (t) => {
  const link = await opened()
  const all: CreationOptions[] = []
  for (let n = 0; n < 10; n++) all.push(await optionsOf(link))
  t.equal(new Set(all.map(({ challenge }) => challenge)).size, 10)
  const before = await userTypes(link)
  await rejectsWith(t, issueOptions(deps, link, context()), 'too_many_attempts', 'there is no eleventh')
  t.same(await userTypes(link), before, 'and none is recorded')
  const processes = [deps, world.process()]
  const results = await Promise.allSettled(all.map((options, n) => verifyAnswer(processes[n % 2] ?? deps, link, answerTo(options), context())))
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  t.equal((await userTypes(link)).filter((type) => type === 'user.passkey_registered').length, 1)
})

t.test('ten failed verifications end the ceremony', async (t) => {
  const link = await opened()
  const all: CreationOptions[] = []
  for (let n = 0; n < 10; n++) all.push(await optionsOf(link))
  for (const options of all) await rejectsWith(t, verifyAnswer(deps, link, answerTo(options, { rpId: 'evil' }), context()), 'ceremony_failed')
  const before = await userTypes(link)
  await rejectsWith(t, verifyAnswer(deps, link, answerTo(all[0] as CreationOptions), context()), 'too_many_attempts')
  await rejectsWith(t, issueOptions(deps, link, context()), 'too_many_attempts')
  t.same(await userTypes(link), before, 'the refusal records nothing, so the grace does not move')
})

t.test('one credential id, registered by ten accounts at once: one has it', async (t) => {
  const links = await Promise.all(Array.from({ length: 10 }, () => opened()))
  const credentialId = randomBytes(32)
  const answers = await Promise.all(links.map(async (link) => answerTo(await optionsOf(link), { credentialId })))
  const processes = [deps, world.process()]
  const results = await Promise.allSettled(links.map((link, n) => verifyAnswer(processes[n % 2] ?? deps, link, answers[n] as never, context())))
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of results) if (result.status === 'rejected') t.match(result.reason, { code: 'ceremony_failed' }, 'no other answer than for any bad answer')
  const late = await opened()
  await rejectsWith(t, verifyAnswer(deps, late, answerTo(await optionsOf(late), { credentialId }), context()), 'ceremony_failed')
  const causes: unknown[] = []
  for await (const event of world.log.readStream(`user-${late.userId}`)) if (event.type === 'user.enrolment.verification_failed') causes.push(event.data.cause)
  t.same(causes, ['credential_known'])
})

t.test('claims of an address', async (t) => {
  const link = await opened()
  const { state } = await deps.aggregates.current(testerAggregate, link.testerId)
  const hash = state.status === 'present' ? state.addressHash : ''
  const holder = ids.next()
  const claim = (userId: string) => deps.aggregates.execute({
    aggregate: emailAggregate, id: hash, context: context(),
    decide: () => [{ type: 'email.claimed' as const, data: { userId, ruleVersion: 1, claimedAt: clock.at.toISOString() } }]
  })
  await claim(holder)
  await rejectsWith(t, issueOptions(deps, link, context()), 'conflict', 'claimed for an account that is not there yet')
  t.same(await types(`user-${holder}`), ['user.created'], 'which is completed, not taken over')
  await rejectsWith(t, issueOptions(deps, link, context()), 'conflict', 'claimed by a living account')
  t.same(await userTypes(link), [])
  await world.onUser(holder, resetFact({ ...link, userId: holder }, clock.at))
  await optionsOf(link)
  t.same(await types(`email-${hash}`), ['email.claimed', 'email.released', 'email.claimed'], 'free once its account was reset')
  t.same((await deps.aggregates.current(emailAggregate, hash)).state, { status: 'held', by: link.userId, since: clock.at.toISOString() })
})

t.test('the same request again', async (t) => {
  const link = await opened()
  const key = ids.next()
  const options = (await issueOptions(deps, link, context(key))).publicKey
  t.same((await issueOptions(world.process(), link, context(key))).publicKey, options, 'the same challenge')
  t.same(await userTypes(link), ['user.created', 'user.enrolment.options_issued'])
  await rejectsWith(t, issueOptions(deps, link, { ...context(key), fingerprint: 'g' }), 'idempotency_key_reused')

  const answer = answerTo(options as CreationOptions)
  const verification = ids.next()
  const failing = world.process((log) => ({
    ...log, append: (...args) => args[2].some(({ type }) => type === 'user.passkey_registered') ? Promise.reject(new LogUnavailable('away')) : log.append(...args)
  }))
  await t.rejects(verifyAnswer(failing, link, answer, context(verification)), LogUnavailable, 'broken off after the challenge was used up')
  t.same((await userTypes(link)).at(-1), 'user.enrolment.challenge_used')
  await rejectsWith(t, verifyAnswer(deps, link, answer, context()), 'ceremony_failed', 'another request cannot use it')
  const enrolled = await verifyAnswer(deps, link, answer, context(verification))
  t.same(await verifyAnswer(world.process(), link, answer, context(verification)), enrolled, 'its own goes on, and gets the same answer ever after')
  t.equal((await userTypes(link)).filter((type) => type === 'user.passkey_registered').length, 1)

  const failed = await opened()
  const bad = answerTo(await optionsOf(failed), { rpId: 'evil' })
  const attempt = ids.next()
  for (const by of [deps, world.process()]) await rejectsWith(t, verifyAnswer(by, failed, bad, context(attempt)), 'ceremony_failed')
  t.equal((await userTypes(failed)).filter((type) => type === 'user.enrolment.verification_failed').length, 1)
})

t.test('an account that is deleted while an answer is looked at gets no fact of the ceremony any more', async (t) => {
  for (const rpId of ['evil', undefined]) {
    const link = await opened()
    const answer = answerTo(await optionsOf(link), rpId === undefined ? {} : { rpId })
    const at = clock.at.toISOString()
    const deleting = world.process((log) => ({
      ...log,
      append: async (...args) => {
        const appended = await log.append(...args)
        if (args[2].some(({ type }) => type === 'user.enrolment.challenge_used')) {
          await world.onUser(link.userId, { type: 'user.deleted', data: { userId: link.userId, deletedAt: at, purgeAfter: at } })
        }
        return appended
      }
    }))
    await rejectsWith(t, verifyAnswer(deleting, link, answer, context()), 'subject_not_found')
    t.equal((await userTypes(link)).at(-1), 'user.deleted')
  }
})

t.test('a link that leads to the account of another tester enrols nobody', async (t) => {
  const [owner, other] = [await opened(), await opened()]
  const answer = answerTo(await optionsOf(owner))
  const user = { userId: owner.userId, testerId: other.testerId }
  const at = clock.at
  const { state } = await deps.aggregates.current(userAggregate, owner.userId)
  const passkey = { credentialId: 'Y3JlZA', publicKey: 'a2V5', algorithm: -7, counter: 0, aaguid: '00000000-0000-0000-0000-000000000000', backedUp: false, transports: [] }
  t.throws(() => issueChallenge(state, { ...user, email: new Clear('x@example.com', `user-${owner.userId}`), addressHash: 'a'.repeat(64), challengeId: ids.next(), at }), { code: 'conflict' })
  t.throws(() => registerPasskey(state, { ...user, challengeId: ids.next(), passkey, at }), { code: 'conflict' })

  // A link of the other tester that names the same account, as a shared key made them once.
  await world.onTester(other.testerId, { type: 'walkthrough_token.minted', data: { testerId: other.testerId, tokenId: owner.tokenId, userId: owner.userId, mintedAt: at.toISOString(), expiresAt: new Date(at.getTime() + LINK_TTL_MS).toISOString() } },
    { type: 'walkthrough_token.consumed', data: { testerId: other.testerId, tokenId: owner.tokenId, userId: owner.userId, consumedAt: at.toISOString() } })
  const shared = { ...owner, testerId: other.testerId }
  await rejectsWith(t, issueOptions(deps, shared, context()), 'conflict')
  await rejectsWith(t, verifyAnswer(deps, shared, answer, context()), 'conflict')
  t.equal((await verifyAnswer(deps, owner, answer, context())).userId, owner.userId, 'its own tester goes on')
})

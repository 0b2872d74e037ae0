// Accounts under attack: many processes want the same address, name, sanction or deletion at once, or die half-way.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { uuidIds as ids } from '../../../infra/ids.ts'
import { createAuthenticator, type CreationOptions } from '../../../src/cli/demo/authenticator.ts'
import type { CommandContext } from '../../../src/commands/context.ts'
import { claimAddress } from '../../../src/commands/enrolment/claim.ts'
import { openLink } from '../../../src/commands/enrolment/open.ts'
import { issueOptions } from '../../../src/commands/enrolment/options.ts'
import { verifyAnswer } from '../../../src/commands/enrolment/verify.ts'
import { createAggregates } from '../../../src/commands/execute.ts'
import { applySanction, removeSanction, setLimit } from '../../../src/commands/users/administer.ts'
import { ensureByEmail, resolveByEmail } from '../../../src/commands/users/by-email.ts'
import { deleteUser } from '../../../src/commands/users/delete.ts'
import type { UserDeps } from '../../../src/commands/users/deps.ts'
import { updateSelf } from '../../../src/commands/users/self.ts'
import { requireUserName } from '../../../src/commands/users/user-name.ts'
import type { ChanceryEvent, LogEvent } from '../../../src/domain/catalogue.ts'
import { Refusal } from '../../../src/domain/codes.ts'
import { userNameAggregate } from '../../../src/domain/reservation/user-name.ts'
import { testerAggregate } from '../../../src/domain/tester/tester.ts'
import { userAggregate } from '../../../src/domain/user/user.ts'
import { LogUnavailable } from '../../../src/log-errors.ts'
import type { EventStore } from '../../../src/ports.ts'
import { enrolmentWorld, PUBLIC_URL, resetFact } from '../../support/enrolment.ts'

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
t.comment(`seed ${seed}`)

const world = async (t: Test) => {
  const ground = await enrolmentWorld(t)
  const { log, keys, vault } = ground
  /** Another process: a cache of its own, and what the test puts between it and the log. */
  const process = (between: (log: EventStore) => EventStore = (log) => log): UserDeps => {
    const events = between(log)
    return { aggregates: createAggregates(events, ids), events, ids, keys, vault, purgeAfterMs: 1000 }
  }
  const context = (commandId = ids.next()): CommandContext => ({ ...ground.context(commandId), at: new Date() })
  const account = async (deps: UserDeps, email = `${ids.next()}@example.com`): Promise<string> => {
    const ensured = await ensureByEmail(deps, { email }, context())
    return 'userId' in ensured ? ensured.userId : ''
  }
  const facts = async (stream: string): Promise<LogEvent[]> => {
    const found: LogEvent[] = []
    for await (const event of log.readStream(stream)) found.push(event)
    return found
  }
  const nameStream = (name: string) => `userName-${requireUserName(keys, name).hash}`
  return { ...ground, process, context, account, facts, nameStream }
}

const outcomes = async <T>(work: ReadonlyArray<Promise<T>>): Promise<Array<T | string>> =>
  (await Promise.allSettled(work)).map((result) => {
    if (result.status === 'fulfilled') return result.value
    if (result.reason instanceof Refusal) return result.reason.code
    throw result.reason as Error
  })

t.test('100 ensures of one new address from three processes: one account, one id for all', async (t) => {
  const { process, context, facts, types } = await world(t)
  const processes = [process(), process(), process()]
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => ensureByEmail(processes[n % 3] ?? process(), { email: n % 2 === 0 ? 'One@example.com' : ' one@EXAMPLE.com' }, context())))
  const [first] = answers
  t.equal(new Set(answers.map((answer) => 'userId' in answer ? answer.userId : answer.outcome)).size, 1)
  t.equal(answers.filter(({ outcome }) => outcome === 'created').length, 1, 'made once')
  t.equal(answers.filter(({ outcome }) => outcome === 'existing').length, 99)
  const userId = first !== undefined && 'userId' in first ? first.userId : ''
  t.strictSame(await types(`user-${userId}`), ['user.registered'])
  const hash = (await facts(`user-${userId}`)).flatMap((event) => event.type === 'user.registered' ? [event.data.addressHash] : [])[0] ?? ''
  t.strictSame(await types(`email-${hash}`), ['email.claimed'])
})

t.test('an address that was claimed and no more', async (t) => {
  const { process, context, account, facts, onUser, clock } = await world(t)
  /** Fails the first append of this type, so that the command stops there. */
  const without = (type: ChanceryEvent['type']) => process((log) => ({
    ...log, append: (stream, expected, events) => events.some((event) => event.type === type) ? Promise.reject(new LogUnavailable('for the test')) : log.append(stream, expected, events)
  }))
  const deps = process()
  const key = context('11111111-1111-5111-8111-111111111111')

  await t.rejects(ensureByEmail(without('user.registered'), { email: 'a@example.com' }, key), LogUnavailable)
  t.strictSame(await resolveByEmail(deps, 'a@example.com', new Date()), { outcome: 'creatable' })
  const other = await ensureByEmail(deps, { email: 'a@example.com' }, context())
  t.match(other, { outcome: 'created', userId: ids.derive('user', key.commandId) }, 'whoever comes next completes it, under the id that it names')
  t.match(await ensureByEmail(deps, { email: 'a@example.com' }, key), { outcome: 'existing', userId: ids.derive('user', key.commandId) })

  const twice = context('22222222-2222-5222-8222-222222222222')
  await t.rejects(ensureByEmail(without('user.registered'), { email: 'b@example.com' }, twice), LogUnavailable)
  t.match(await ensureByEmail(deps, { email: 'c@example.com' }, twice), { outcome: 'created' }, 'the same key, used for another address after the crash')
  const b = await ensureByEmail(deps, { email: 'b@example.com' }, context())
  t.match(b, { outcome: 'created' })
  t.not('userId' in b && b.userId, ids.derive('user', twice.commandId), 'the account with the other address does not hold this one')
  await t.rejects(ensureByEmail(deps, { email: 'd@example.com' }, { ...twice, fingerprint: 'another' }), { code: 'idempotency_key_reused' })
  t.strictSame(await resolveByEmail(deps, 'd@example.com', new Date()), { outcome: 'creatable' }, 'and claimed nothing')

  // A ghost reset is the one thing that frees an address.
  const shell = await account(deps, 'e@example.com')
  await onUser(shell, resetFact({ userId: shell, testerId: ids.next(), tokenId: ids.next() }, clock.at))
  const again = await ensureByEmail(deps, { email: 'e@example.com' }, context())
  t.match(again, { outcome: 'created' })
  t.not('userId' in again && again.userId, shell)
  t.equal((await facts(`user-${shell}`)).length, 2)
})

t.test('two want one user name at once, from two processes: one has it, and the account and its reservation agree', async (t) => {
  const { process, context, account, facts, nameStream } = await world(t)
  const [first, second] = [process(), process()]
  for (let round = 0; round < 10; round++) {
    const name = `wanted-${round}`
    const users = await Promise.all(Array.from({ length: 6 }, (_, n) => account(n % 2 === 0 ? first : second)))
    const answers = await outcomes(users.map((userId, n) => updateSelf(n % 2 === 0 ? first : second, { userId, userName: name }, context())))
    const winners = answers.filter((answer) => typeof answer !== 'string')
    t.equal(winners.length, 1, `${winners.length} have it; ${answers.filter((answer) => answer === 'user_name_taken').length} were refused`)
    const holder = (await facts(nameStream(name))).findLast((event) => event.type === 'user_name.claimed')
    t.equal(holder?.type === 'user_name.claimed' && holder.data.userId, winners[0] !== undefined && typeof winners[0] !== 'string' && winners[0].userId)
  }
})

t.test('a claim without its profile is voided in its holder\'s stream before it is taken over', async (t) => {
  const { process, context, account, types, nameStream } = await world(t)
  let open = () => {}
  const gate = new Promise<void>((resolve) => { open = resolve })
  let reached = () => {}
  const there = new Promise<void>((resolve) => { reached = resolve })
  // A process that is stopped between its claim and its profile: the zombie that comes back later.
  const paused = process((log) => ({
    ...log,
    append: async (stream, expected, events) => {
      if (events.some(({ type }) => type === 'user.profile_updated')) {
        reached()
        await gate
      }
      return log.append(stream, expected, events)
    }
  }))
  const deps = process()
  const [slow, fast] = [await account(deps), await account(deps)]
  const late = outcomes([updateSelf(paused, { userId: slow, userName: 'Contended' }, context())])
  await there
  t.match(await updateSelf(deps, { userId: fast, userName: 'contended' }, context()), { changed: true })
  t.strictSame(await types(`user-${slow}`), ['user.registered', 'user.user_name_claim_voided'])
  open()
  t.strictSame(await late, ['user_name_taken'], 'the one that comes back finds its claim voided')
  t.strictSame(await types(`user-${slow}`), ['user.registered', 'user.user_name_claim_voided'])
  t.strictSame(await types(nameStream('contended')), ['user_name.claimed', 'user_name.released', 'user_name.claimed'])
})

t.test('renames: the old name is free, and a late release of it takes nothing away', async (t) => {
  const { process, context, account, nameStream, types } = await world(t)
  const deps = process()
  const userId = await account(deps)
  for (const userName of ['First', 'Second', 'First', 'FIRST', 'Second']) t.match(await updateSelf(deps, { userId, userName }, context()), { changed: true }, userName)
  t.strictSame(await types(nameStream('first')), ['user_name.claimed', 'user_name.released', 'user_name.claimed', 'user_name.released'])
  t.match(await updateSelf(deps, { userId: await account(deps), userName: 'first' }, context()), { changed: true })

  // A release that never came: the name is still held, and is taken over from whom it does not belong to.
  const forgetful = process((log) => ({
    ...log, append: (stream, expected, events) => events.some(({ type }) => type === 'user_name.released') ? Promise.reject(new LogUnavailable('for the test')) : log.append(stream, expected, events)
  }))
  const another = await account(deps)
  await updateSelf(deps, { userId: another, userName: 'Third' }, context())
  t.match(await updateSelf(forgetful, { userId: another, userName: 'Fourth' }, context()), { changed: true }, 'a release that fails fails nothing')
  t.match(await updateSelf(deps, { userId, userName: 'Third' }, context()), { changed: true })
  await t.rejects(updateSelf(deps, { userId, userName: 'Fourth' }, context()), { code: 'user_name_taken' })
})

t.test('whatever order renames come in, no name has two accounts', async (t) => {
  const { process, context, account, aggregates, keys } = await world(t)
  const names = ['Ada', 'Bob', 'Cyd', 'Dan']
  const step = fc.record({ user: fc.nat(4), name: fc.constantFrom(...names), at: fc.nat(2), fails: fc.constantFrom('none', 'none', 'user.profile_updated', 'user_name.released') })
  let renamed = 0
  await fc.assert(fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 }), async (rounds) => {
    const deps = process()
    const users = await Promise.all(Array.from({ length: 5 }, () => account(deps)))
    // Names of this run alone: the accounts of another one keep theirs.
    const run = ids.next().slice(-8)
    for (const round of rounds) {
      const fails = new Set(round.map((one) => one.fails))
      const processes = Array.from({ length: 3 }, (_, n) => process((log) => ({
        ...log,
        append: (stream, expected, events) => n === 0 && events.some(({ type }) => fails.has(type as never)) ? Promise.reject(new LogUnavailable('for the test')) : log.append(stream, expected, events)
      })))
      const answers = await Promise.allSettled(round.map(({ user, name, at }) => updateSelf(processes[at] ?? deps, { userId: users[user] ?? '', userName: `${name}-${run}` }, context())))
      renamed += answers.filter(({ status }) => status === 'fulfilled').length
      const held = new Map<string, string>()
      for (const userId of users) {
        const { state } = await aggregates.current(userAggregate, userId)
        const hash = state.status === 'present' ? state.account.userNameHash : undefined
        if (hash === undefined) continue
        if (held.has(hash)) return false
        held.set(hash, userId)
      }
      for (const name of names) {
        const { hash } = requireUserName(keys, `${name}-${run}`)
        const { state } = await aggregates.current(userNameAggregate, hash)
        const holder = held.get(hash)
        // Whoever has a name holds its reservation; a reservation of somebody without the name is one to be taken over.
        if (holder !== undefined && (state.status === 'free' || state.by !== holder)) return false
      }
    }
    return true
  }), { seed, numRuns: 15 })
  t.ok(renamed > 20, `${renamed} renames came through`)
})

t.test('100 applies of one permanent block from three processes: one sanction, one event', async (t) => {
  const { process, context, account, types } = await world(t)
  const processes = [process(), process(), process()]
  const userId = await account(process())
  const answers = await outcomes(Array.from({ length: 100 }, (_, n) =>
    applySanction(processes[n % 3] ?? process(), { userId, code: 'permanent_block', scope: 'platform', reasonCode: 'test' }, context())))
  t.equal(answers.filter((answer) => typeof answer !== 'string').length, 1)
  t.equal(answers.filter((answer) => answer === 'conflict').length, 99)
  t.strictSame(await types(`user-${userId}`), ['user.registered', 'user.sanction_applied', 'user.lifecycle.permanent_blocked'])
  const key = context()
  const again = await Promise.all(Array.from({ length: 30 }, (_, n) => setLimit(processes[n % 3] ?? process(), { userId, code: 'max_owned_private_games', value: 9 }, key)))
  t.equal(new Set(again.map(({ position }) => position)).size, 1, 'one command id, thirty times: one fact, one answer')
  t.equal((await types(`user-${userId}`)).length, 4)
})

t.test('a deletion races sanctions, renames and itself: nothing comes after it', async (t) => {
  const { process, context, account, types } = await world(t)
  const processes = [process(), process(), process()]
  for (let round = 0; round < 8; round++) {
    const userId = await account(process())
    const [one, two, three] = processes as [UserDeps, UserDeps, UserDeps]
    const answers = await outcomes<unknown>([
      applySanction(one, { userId, code: 'permanent_block', scope: 'platform', reasonCode: 'test' }, context()),
      updateSelf(two, { userId, userName: `racer-${round}` }, context()),
      deleteUser(three, { userId, reasonCode: 'test' }, context()),
      deleteUser(one, { userId, reasonCode: 'test' }, context()),
      updateSelf(three, { userId, preferredLanguage: 'de' }, context())
    ])
    const facts = await types(`user-${userId}`)
    t.equal(facts.filter((type) => type === 'user.deleted').length, 1)
    const after = facts.slice(facts.indexOf('user.lifecycle.deleted') + 1)
    t.strictSame(after.filter((type) => type !== 'user.user_name_claim_voided'), [], 'a claim of a name may be voided after it, and nothing else is said')
    t.equal(facts.filter((type) => type === 'user.lifecycle.permanent_blocked').length, facts.filter((type) => type === 'user.sanction_applied').length)
    t.ok([answers[2], answers[3]].filter((answer) => answer === 'subject_not_found').length === 1, 'one delete wins, the other finds nothing')
  }
})

t.test('the first answer of a repeated key stands, also after what came since', async (t) => {
  const { process, context, account, types } = await world(t)
  const deps = process()
  const userId = await account(deps)
  const [rename, sanction, lift, limit] = [context(), context(), context(), context()]
  const renamed = await updateSelf(deps, { userId, userName: 'Repeated' }, rename)
  const applied = await applySanction(deps, { userId, code: 'login_block', scope: 'platform', reasonCode: 'test' }, sanction)
  const lifted = await removeSanction(deps, { userId, sanctionId: applied.sanctionId }, lift)
  const limited = await setLimit(deps, { userId, code: 'max_owned_private_games', value: 1 }, limit)
  await applySanction(deps, { userId, code: 'permanent_block', scope: 'platform', reasonCode: 'test' }, context())
  await deleteUser(deps, { userId, reasonCode: 'test' }, context())
  const facts = await types(`user-${userId}`)
  for (const again of [deps, process()]) {
    t.strictSame(await updateSelf(again, { userId, userName: 'Repeated' }, rename), renamed)
    t.match(await applySanction(again, { userId, code: 'login_block', scope: 'platform', reasonCode: 'test' }, sanction), { position: applied.position, sanctionId: applied.sanctionId, replayed: true })
    t.match(await removeSanction(again, { userId, sanctionId: applied.sanctionId }, lift), { position: lifted.position, replayed: true })
    t.match(await setLimit(again, { userId, code: 'max_owned_private_games', value: 1 }, limit), { position: limited.position, replayed: true })
    await t.rejects(updateSelf(again, { userId, userName: 'Repeated' }, context()), { code: 'subject_not_found' })
  }
  t.strictSame(await types(`user-${userId}`), facts)
})

t.test('an enrolment meets an account that ensure made, a deletion, a permanent block', async (t) => {
  const { invite, deps, process, context, types, ids } = await world(t)
  const users = process()
  const at = (commandId = ids.next()): CommandContext => ({ ...context(commandId), at: new Date('2026-03-01T10:00:00.000Z') })
  const opened = async (email: string) => {
    const link = await invite(email)
    await openLink(deps, link, at())
    return link
  }
  const taken = await opened('made@example.com')
  await ensureByEmail(users, { email: 'made@example.com' }, at())
  await t.rejects(issueOptions(deps, taken, at()), { code: 'conflict' })
  t.strictSame(await types(`user-${taken.userId}`), [], 'no second account of the address')

  const enrolling = await opened('deleted@example.com')
  const { publicKey } = await issueOptions(deps, enrolling, at())
  t.match(await resolveByEmail(users, 'deleted@example.com', new Date()), { outcome: 'existing', userId: enrolling.userId }, 'an account under enrolment is one')
  const { sanctionId } = await applySanction(users, { userId: enrolling.userId, code: 'permanent_block', scope: 'platform', reasonCode: 'test' }, at())
  await t.rejects(issueOptions(deps, enrolling, at()), { code: 'conflict', fields: { reason: 'permanent_block' } })
  await removeSanction(users, { userId: enrolling.userId, sanctionId }, at())
  await deleteUser(users, { userId: enrolling.userId, reasonCode: 'test' }, at())
  await t.rejects(issueOptions(deps, enrolling, at()), { code: 'subject_not_found' })
  await t.rejects(verifyAnswer(deps, enrolling, createAuthenticator().register(publicKey as CreationOptions, PUBLIC_URL), at()), { code: 'subject_not_found' })
  t.notOk((await types(`user-${enrolling.userId}`)).includes('user.passkey_registered'), 'nobody sets up a passkey for an account that is gone')
  // Another link to the same address, as after a reset or by an import elsewhere.
  const { state: tester } = await users.aggregates.current(testerAggregate, enrolling.testerId)
  const addressHash = tester.status === 'absent' ? '' : tester.addressHash
  await t.rejects(claimAddress(deps, { userId: ids.next(), testerId: enrolling.testerId, addressHash, email: () => { throw new Error('nothing is made') } }, at()),
    { code: 'conflict', fields: { reason_code: 'account_deleted' } })
})

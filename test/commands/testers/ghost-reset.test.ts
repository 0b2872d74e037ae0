// The ghost reset against faults, crowds and attacks: real store, vault, Postgres, projections and reactor.
import t, { type Test } from 'tap'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { openCeremonies } from '../../../infra/webauthn/index.ts'
import { readToken, tokenText } from '../../../src/commands/enrolment/link.ts'
import { openLink } from '../../../src/commands/enrolment/open.ts'
import { issueOptions } from '../../../src/commands/enrolment/options.ts'
import { ghostReset } from '../../../src/commands/testers/ghost-reset.ts'
import { resendLink } from '../../../src/commands/testers/resend.ts'
import { Clear } from '../../../src/domain/personal.ts'
import { LogOutcomeUnknown, LogUnavailable } from '../../../src/log-errors.ts'
import type { EventStore, MailOutcome } from '../../../src/ports.ts'
import { facts, GRACE, ghostGround, type TestTester } from '../../support/ghosts.ts'

/** Planted troubles; each strikes once. */
const planted: {
  /** The log fails at an append of this type: before it, or after it as if the answer were lost. */
  fault?: { type: string, when: 'before' | 'after' }
  /** Runs after the verdict, just before its append. */
  beforeAppend?: () => Promise<unknown>
  /** Runs just before the accounts side deletes. */
  beforeDelete?: () => Promise<unknown>
  mail?: MailOutcome
} = {}

const strike = async (what: 'beforeAppend' | 'beforeDelete'): Promise<void> => {
  const work = planted[what]
  delete planted[what]
  await work?.()
}

const ground = await ghostGround(t, {
  around: (log: EventStore) => ({
    ...log,
    append: async (stream, expected, events) => {
      if (events.some(({ type }) => type === 'account.ghost_reset')) await strike('beforeAppend')
      const { fault } = planted
      if (fault === undefined || !events.some(({ type }) => type === fault.type)) return log.append(stream, expected, events)
      delete planted.fault
      if (fault.when === 'before') throw new LogUnavailable('planted')
      await log.append(stream, expected, events)
      throw new LogOutcomeUnknown('planted')
    }
  }),
  gateway: (inner) => ({
    ...inner,
    ghostDelete: async (request) => {
      await strike('beforeDelete')
      return inner.ghostDelete(request)
    }
  }),
  send: async () => {
    const { mail } = planted
    delete planted.mail
    return mail ?? { status: 'sent', replyCode: 250 }
  }
})

/** A tester who opened the link, got options, and left: a ghost since this moment. */
const aGhost = async (shell = true): Promise<TestTester> => {
  const who = await ground.invited()
  await ground.state(who.tester, [facts.opened(who, ground.clock.at)])
  if (shell) {
    const hash = addressHashOf(who)
    await ground.state(`email-${hash}`, [{ type: 'email.claimed', data: { userId: who.userId, ruleVersion: 1, claimedAt: ground.clock.at.toISOString() } }])
    await ground.state(who.user, [facts.created(who, ground.clock.at, hash), facts.optionsIssued(who, ground.clock.at)])
  }
  ground.clock.at = new Date(ground.clock.at.getTime() + GRACE)
  await ground.caughtUp()
  return who
}
const addressHashOf = ({ testerId }: TestTester) => testerId.replaceAll('-', '').repeat(2)

/** Everything about a tester in the order of the log, as short words. */
const history = async (who: TestTester, freshUserId?: string): Promise<string[]> => {
  const streams = [who.tester, who.user, `email-${addressHashOf(who)}`, ...(freshUserId === undefined ? [] : [`user-${freshUserId}`])]
  const all = (await Promise.all(streams.map((stream) => ground.streamOf(stream)))).flat()
  return all.sort((a, b) => Number(a.position - b.position) || Number(a.revision - b.revision)).map(({ type }) => type)
}
const begun = ['tester.invited', 'walkthrough_token.minted', 'mail.requested']
const reset = [
  'console.beta.ghost_reset.initiated', 'account.ghost_reset', 'email.released', 'walkthrough_token.revoked',
  'walkthrough_token.minted', 'mail.requested', 'mail.attempted', 'mail.sent', 'console.beta.ghost_reset.completed'
]
/** Facts since the reset was asked for. */
const sinceReset = (types: string[]): string[] => types.includes(reset[0] ?? '') ? types.slice(types.indexOf(reset[0] ?? '')) : []
const count = (types: string[], type: string): number => types.filter((each) => each === type).length

t.test('each step is recorded before the next begins, and nothing is left of the account', async (t) => {
  const who = await aGhost()
  const answer = await ghostReset(ground.deps, { testerId: who.testerId }, ground.context())
  const types = await history(who)
  t.strictSame(types.slice(0, 3), begun)
  t.strictSame(sinceReset(types), reset)
  t.match(answer, { state: 'ghost_empty_shell', mail: 'sent', thresholdMs: GRACE, rule: 'account_without_credential_after_grace' })
  t.strictSame(answer.evidence.map(({ type }) => type), ['walkthrough_token.consumed', 'user.created', 'user.enrolment.options_issued'])
  t.not(answer.freshUserId, who.userId, 'the fresh link makes another account')
  t.equal(answer.linkExpiresAt, new Date(ground.clock.at.getTime() + 86_400_000).toISOString())

  const { rows } = await ground.pool.query('select user_id from users where user_id = $1 union select user_id from ceremonies where user_id = $1', [who.userId])
  t.strictSame(rows, [], 'the row is gone when the reset answers')
  const claim = await ground.streamOf(`email-${addressHashOf(who)}`)
  t.equal(claim.at(-1)?.type, 'email.released', 'the address is free')
  const mail = ground.mails.at(-1)
  t.match(mail?.text, tokenText(ground.keys, who.testerId, answer.freshTokenId), 'the mail carries the fresh link')
})

t.test('ten at once are one reset, in one process and in four', async (t) => {
  const others = [ground.aProcess(), ground.aProcess(), ground.aProcess()]
  for (const all of [[ground], [ground, ...others]]) {
    for (const shell of [true, false]) {
      await t.test(`${all.length}, ${shell ? 'with' : 'without'} an account`, async (t) => {
        const who = await aGhost(shell)
        const mailsBefore = ground.mails.length
        const answers = await Promise.all(Array.from({ length: 10 }, (_, index) =>
          ghostReset((all[index % all.length] ?? ground).deps, { testerId: who.testerId }, ground.context())))
        for (const answer of answers) t.strictSame(answer, answers[0], 'all answers are equal')
        const types = await history(who)
        for (const type of ['console.beta.ghost_reset.initiated', 'account.ghost_reset', 'console.beta.ghost_reset.completed']) t.equal(count(types, type), 1, `one ${type}`)
        t.equal(count(types, 'walkthrough_token.minted'), 2, 'one fresh token')
        t.equal(count(types, 'walkthrough_token.revoked'), 1)
        t.equal(answers[0]?.mail, 'sent')
        t.equal(new Set(ground.mails.slice(mailsBefore).map(({ messageId }) => messageId)).size, 1, 'one mail by Message-ID')
        t.equal(answers[0]?.position, (await ground.streamOf(who.tester)).at(-1)?.position, 'the position of the outcome')
      })
    }
  }
})

t.test('an append that fails stops the reset there; asking again completes it, and nothing is done twice', async (t) => {
  const ours = ['console.beta.ghost_reset.initiated', 'account.ghost_reset', 'email.released', 'walkthrough_token.minted', 'console.beta.ghost_reset.completed']
  for (const type of ours) {
    for (const when of ['before', 'after'] as const) {
      await t.test(`${when} ${type}`, async (t) => {
        const who = await aGhost()
        planted.fault = { type, when }
        const failure = await ghostReset(ground.deps, { testerId: who.testerId }, ground.context()).catch((error: unknown) => error)
        const onAccountsSide = type === 'account.ghost_reset' || type === 'email.released'
        if (when === 'after') t.ok(failure instanceof LogOutcomeUnknown)
        else if (onAccountsSide) t.match(failure, { code: 'audit_unavailable' })
        else t.ok(failure instanceof LogUnavailable)
        const reached = reset.slice(0, reset.indexOf(type === 'walkthrough_token.minted' ? 'walkthrough_token.revoked' : type))
        const soFar = sinceReset(await history(who))
        if (when === 'before') t.strictSame(soFar, reached, 'nothing was done after it')

        const answer = await ghostReset(ground.deps, { testerId: who.testerId }, ground.context())
        t.equal(answer.mail, 'sent')
        t.strictSame(sinceReset(await history(who)), reset, 'complete, and nothing twice')
      })
    }
  }
})

t.test('who joins an open reset carries it on for the reason and by the name of the first', async (t) => {
  const who = await aGhost()
  const reason = (text: string) => new Clear(text, who.tester)
  planted.beforeDelete = () => Promise.reject(new LogUnavailable('planted'))
  await t.rejects(ghostReset(ground.deps, { testerId: who.testerId }, { ...ground.context(), reason: reason('the first'), ticket: 'T-1', reasonCode: 'broke_off' }))
  // Judged as of the first's moment: an hour later it is no other reset, and needs no other verdict.
  ground.clock.at = new Date(ground.clock.at.getTime() + 3_600_000)
  const other = { ...ground.context(), actor: { type: 'principal' as const, id: 'p-other' }, reason: reason('the second') }
  await ghostReset(ground.aProcess().deps, { testerId: who.testerId }, other)
  const gone = (await ground.streamOf(who.user)).at(-1)
  t.match(gone, { type: 'account.ghost_reset', metadata: { actor: { id: 'p-operator' }, ticket: 'T-1', reasonCode: 'broke_off' } })
  const sealed = gone?.metadata.reason ?? reason('none')
  t.strictSame(await ground.vault.open(sealed, who.user), { status: 'open', text: 'the first' })
  t.match((await ground.streamOf(who.tester)).at(-1), { type: 'console.beta.ghost_reset.completed', metadata: { actor: { id: 'p-operator' } } })
})

t.test('a repeated key gets the first answer, also long after', async (t) => {
  const who = await aGhost()
  const context = { ...ground.context('key'), fingerprint: 'a' }
  const first = await ghostReset(ground.deps, { testerId: who.testerId }, context)
  ground.clock.at = new Date(ground.clock.at.getTime() + 3_600_000)
  t.strictSame(await ghostReset(ground.aProcess().deps, { testerId: who.testerId }, { ...context, at: ground.clock.now() }), first)
  await t.rejects(ghostReset(ground.deps, { testerId: who.testerId }, { ...context, fingerprint: 'b' }), { code: 'idempotency_key_reused' })
})

const refusedWith = async (t: Test, who: TestTester, code: string, presented?: bigint): Promise<void> => {
  const context = ground.context()
  const command = { testerId: who.testerId, ...(presented !== undefined && { evaluatedAtPosition: presented }) }
  await t.rejects(ghostReset(ground.deps, command, context), { code })
  const types = await history(who)
  t.notOk(types.includes('account.ghost_reset'), 'nothing was deleted')
  t.equal(count(types, 'walkthrough_token.minted'), 1, 'no link was minted')
  if (!types.includes('console.beta.ghost_reset.initiated')) return
  t.match((await ground.streamOf(who.tester)).at(-1), { type: 'console.beta.ghost_reset.refused', data: { code } })
  await t.rejects(ghostReset(ground.deps, command, context), { code }, 'and the same key is refused the same way')
}

t.test('a ceremony that goes on in between wins', async (t) => {
  await t.test('it finishes', async (t) => {
    const who = await aGhost()
    planted.beforeDelete = () => ground.state(who.user, [facts.passkey(who, ground.clock.at)])
    await refusedWith(t, who, 'account_healthy')
  })
  await t.test('it is tried again', async (t) => {
    const who = await aGhost()
    planted.beforeDelete = () => ground.state(who.user, [facts.verificationFailed(who, ground.clock.at)])
    await refusedWith(t, who, 'mid_enrollment')
  })
  await t.test('the account moved since the operator saw it', async (t) => {
    const who = await aGhost()
    const seen = (await ground.log.last())?.position ?? 0n
    // Long ago by its own time, so still a ghost: only its place in the log has moved.
    planted.beforeDelete = () => ground.state(who.user, [facts.verificationFailed(who, new Date(ground.clock.at.getTime() - 2 * GRACE))])
    await refusedWith(t, who, 'verdict_stale', seen)
  })
})

t.test('a presented position is refused once the tester or the account moved past it', async (t) => {
  const old = (ms: number) => new Date(ground.clock.at.getTime() - ms)
  const first = await aGhost()
  const seen = (await ground.log.last())?.position ?? 0n
  await ground.state(first.user, [facts.verificationFailed(first, old(2 * GRACE))])
  await ground.caughtUp()
  await refusedWith(t, first, 'verdict_stale', seen)

  const second = await aGhost()
  const before = (await ground.log.last())?.position ?? 0n
  const mailId = ground.ids.next()
  await ground.state(second.tester, [{ type: 'mail.requested', data: { testerId: second.testerId, mailId, kind: 'invitation', tokenId: second.tokenId, requestedAt: old(0).toISOString() } }])
  await ground.caughtUp()
  await refusedWith(t, second, 'verdict_stale', before)

  const third = await aGhost()
  const now = (await ground.log.last())?.position ?? 0n
  t.equal((await ghostReset(ground.deps, { testerId: third.testerId, evaluatedAtPosition: now }, ground.context())).state, 'ghost_empty_shell')
})

t.test('a lost race between the verdict and its append is decided again', async (t) => {
  const who = await aGhost()
  planted.beforeAppend = () => ground.state(who.user, [facts.passkey(who, ground.clock.at)])
  await refusedWith(t, who, 'account_healthy')
})

t.test('a reset aimed at a real account deletes nothing', async (t) => {
  const withPasskey = await aGhost()
  await ground.state(withPasskey.user, [facts.passkey(withPasskey, new Date(ground.clock.at.getTime() - GRACE))])
  await ground.caughtUp()
  await refusedWith(t, withPasskey, 'account_healthy')

  const ghostDelete = (tester: TestTester, account: TestTester) => ground.accounts.ghostDelete({
    testerId: tester.testerId, userId: account.userId, linkOpenedAt: new Date(0).toISOString(), resetId: ground.ids.next(),
    initiatedAt: ground.clock.at.toISOString(), requestId: 'r', actor: { type: 'system', id: 'test' }
  })
  const ghost = await aGhost()
  const liar = await aGhost()
  await t.rejects(ghostDelete(liar, ghost), { code: 'account_not_a_shell' }, 'the account of another tester')
  await t.rejects(ghostDelete(withPasskey, withPasskey), { code: 'account_healthy' }, 'asked for by whoever goes past the console')
  t.notOk((await history(ghost)).includes('account.ghost_reset'))
})

t.test('the old link, used while or after a reset runs, creates nothing', async (t) => {
  const { aggregates, keys, ids, vault } = ground
  const enrolment = { aggregates, keys, ids, vault, ceremonies: openCeremonies({ publicUrl: 'http://localhost:8420' }) }
  for (const shell of [true, false]) {
    const who = await aGhost(shell)
    const link = readToken({ keys, ids }, tokenText(keys, who.testerId, who.tokenId))
    const use = async (when: string) => {
      await t.rejects(openLink(enrolment, link, ground.context()), { code: 'link_superseded' }, `opened ${when}`)
      await t.rejects(issueOptions(enrolment, link, ground.context()), { code: 'link_superseded' }, `options ${when}`)
    }
    planted.beforeDelete = () => use('while it runs')
    const { freshUserId } = await ghostReset(ground.deps, { testerId: who.testerId }, ground.context())
    await use('after it')
    t.strictSame(sinceReset(await history(who, freshUserId)), shell ? reset : reset.filter((type) => type !== 'email.released'))
  }
})

t.test('a mail that fails is a fact; the reset is complete and resend sends the same fresh link', async (t) => {
  const who = await aGhost()
  planted.mail = { status: 'failed', final: true, replyCode: 550 }
  const answer = await ghostReset(ground.deps, { testerId: who.testerId }, ground.context())
  t.equal(answer.mail, 'failed')
  const again = await resendLink(ground.deps, { testerId: who.testerId }, ground.context())
  t.equal(again.tokenId, answer.freshTokenId)
  t.not(again.mailId, answer.mailId)
  t.equal(await ground.deps.mail.waitForMail(who.testerId, again.mailId, 5000), 'sent')
  t.match(ground.mails.at(-1)?.text, tokenText(ground.keys, who.testerId, answer.freshTokenId))

  await ground.state(who.tester, [facts.opened({ ...who, tokenId: answer.freshTokenId, userId: answer.freshUserId }, ground.clock.at)])
  await t.rejects(resendLink(ground.deps, { testerId: who.testerId }, ground.context()), { code: 'token_used', fields: { next: 'ghost-reset' } })
})

// Last: this fact is of no version that the projectors know, so they stop at it.
t.test('an account with facts of a newer version is no shell', async (t) => {
  // Made by registration, or sanctioned: whatever a newer version records of an account is no enrolment fact.
  const sanctioned = await aGhost()
  const { metadata } = (await ground.streamOf(sanctioned.user))[0] ?? {}
  const client = EventStoreDBClient.connectionString(ground.store.url)
  t.teardown(() => client.dispose())
  await client.appendToStream(sanctioned.user, jsonEvent({ type: 'user.sanctioned', data: { userId: sanctioned.userId }, metadata: JSON.parse(JSON.stringify(metadata)) as Record<string, string> }))
  await t.rejects(ghostReset(ground.aProcess().deps, { testerId: sanctioned.testerId }, ground.context()), { code: 'account_not_a_shell' })
  t.match((await ground.streamOf(sanctioned.tester)).at(-1), { type: 'console.beta.ghost_reset.refused', data: { code: 'account_not_a_shell' } })
})

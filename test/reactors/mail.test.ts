// The mail reactor on the real parts: at least once, known by its Message-ID, claimed by a fact, resumed after a crash.
import PostalMime from 'postal-mime'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { openMailer } from '../../infra/mail/index.ts'
import { createAggregates } from '../../src/commands/execute.ts'
import type { LogEvent } from '../../src/domain/catalogue.ts'
import { testerAggregate, type TesterMail } from '../../src/domain/tester/tester.ts'
import { LogOutcomeUnknown, LogUnavailable, UnreadableEvent } from '../../src/log-errors.ts'
import type { EventStore, Mailer } from '../../src/ports.ts'
import { runReactor, type Start } from '../../src/reactors/engine.ts'
import { mailReactor } from '../../src/reactors/mail/mail.ts'
import { nextStep, type MailRules } from '../../src/reactors/mail/next-step.ts'
import { createMailWatch } from '../../src/reactors/mail/watch.ts'
import { enrolmentWorld, LINK_TTL_MS, PUBLIC_URL, type EnrolmentWorld, type Invited } from '../support/enrolment.ts'
import { testSmtpServer } from '../support/smtp.ts'
import { until } from '../support/until.ts'

/** How long an outcome may take on a machine that is busy with other tests, in ms; it takes some hundredths of a second. */
const PATIENCE = 60_000
const FROM = 'Chancery <no-reply@chancery.example>'
const quick: MailRules = { maxAttempts: 4, pausesMs: [20, 20, 20], claimMs: 0 }

interface Options { mailer: Mailer, rules?: MailRules, events?: EventStore, start?: () => Promise<Start>, lines?: string[], written?: string[] }

/** A reactor as a process of its own would run it: with its own cache. */
const react = (t: Pick<Test, 'teardown'>, world: EnrolmentWorld, { mailer, rules = quick, events = world.log, start, lines = [], written = [] }: Options) => {
  const aggregates = createAggregates(events, world.ids)
  const watch = createMailWatch(aggregates)
  const note = (fields: object, message: string) => { lines.push(JSON.stringify(fields) + message) }
  const { keys, vault, ids } = world
  const reactor = runReactor({
    events, log: { warn: note, error: note }, settled: (id) => { watch.settled(id) }, ...start !== undefined && { start },
    reactor: mailReactor({ aggregates, clock: { now: () => new Date() }, ids, keys, vault, mailer, publicUrl: PUBLIC_URL, rules, written: (path) => { written.push(path) } })
  })
  t.teardown(() => reactor.stop())
  return { open: () => reactor.open(), waitForMail: (testerId: string, mailId: string, ms: number) => watch.waitForMail(testerId, mailId, ms) }
}

/** World whose testers are invited now, since links expire by the reactor's clock. */
const freshWorld = async (t: Test) => {
  const world = await enrolmentWorld(t)
  world.clock.at = new Date()
  return world
}

const mailFacts = async ({ log }: EnrolmentWorld, { testerId, mailId }: Invited) => {
  const found: string[] = []
  for await (const event of log.readStream(`tester-${testerId}`)) {
    if (!event.type.startsWith('mail.') || (event.data as { mailId: string }).mailId !== mailId) continue
    const { attempt, final, replyCode } = event.data as { attempt?: number, final?: boolean, replyCode?: number }
    found.push([event.type, attempt, final === true ? 'final' : undefined, replyCode].filter((part) => part !== undefined).join(' '))
  }
  return found
}

t.test('over SMTP', async (t) => {
  const world = await freshWorld(t)
  const smtp = await testSmtpServer(t)
  const mailer = openMailer({ smtpUrl: smtp.url, outbox: '/nowhere', from: FROM })
  const lines: string[] = []
  const before = await world.invite('canary.person@example.com')
  const { waitForMail, open } = react(t, world, { mailer, lines })
  t.equal(await waitForMail(before.testerId, before.mailId, PATIENCE), 'sent', 'a mail from before the start')
  t.same(await mailFacts(world, before), ['mail.requested', 'mail.attempted 1', 'mail.sent 1 250'])
  const sent = await PostalMime.parse(smtp.received[0]?.raw ?? '')
  t.match(sent, { messageId: `<${before.mailId}@localhost>`, to: [{ address: 'canary.person@example.com' }] })
  t.ok(sent.text?.includes(`${PUBLIC_URL}/enrol#${before.token}\n`), 'it holds the link')

  smtp.answers.push({ at: 'recipient', code: 450 }, { at: 'message', code: 451 })
  const delayed = await world.invite()
  t.equal(await waitForMail(delayed.testerId, delayed.mailId, PATIENCE), 'sent', 'refused twice for a while')
  t.same(await mailFacts(world, delayed), [
    'mail.requested', 'mail.attempted 1', 'mail.failed 1 450', 'mail.attempted 2', 'mail.failed 2 451', 'mail.attempted 3', 'mail.sent 3 250'
  ])

  smtp.answers.push({ at: 'recipient', code: 550 })
  const refused = await world.invite()
  t.equal(await waitForMail(refused.testerId, refused.mailId, PATIENCE), 'failed', 'refused for good')
  t.same(await mailFacts(world, refused), ['mail.requested', 'mail.attempted 1', 'mail.failed 1 final 550'])

  smtp.answers.push(...Array.from({ length: 4 }, () => ({ at: 'recipient' as const, code: 450 })))
  const hopeless = await world.invite()
  t.equal(await waitForMail(hopeless.testerId, hopeless.mailId, PATIENCE), 'failed')
  t.same((await mailFacts(world, hopeless)).slice(-2), ['mail.attempted 4', 'mail.failed 4 final 450'], 'tried so often, then given up')

  const many = await Promise.all(Array.from({ length: 20 }, () => world.invite()))
  await Promise.all(many.map(async ({ testerId, mailId }) => { t.equal(await waitForMail(testerId, mailId, PATIENCE), 'sent') }))
  await until(() => open() === 0, PATIENCE)
  t.equal(new Set(smtp.received.map(({ recipient }) => recipient)).size, 22)
  t.notMatch(lines.join('\n') + await world.stored(), /canary|not now/, 'neither address nor words of the server in log or events')
  t.equal(await waitForMail(before.testerId, world.ids.next(), 50), 'pending', 'a mail that nobody asked for')
})

t.test('a mail whose link was replaced is not sent', async (t) => {
  const world = await freshWorld(t)
  const mailer: Mailer = { send: async () => { throw new Error('it was sent') } }
  const revoked = await world.invite()
  const { testerId, tokenId } = revoked
  await world.onTester(testerId, { type: 'walkthrough_token.revoked', data: { testerId, tokenId, revokedAt: world.clock.at.toISOString(), cause: 'test' } })
  world.clock.pass(-LINK_TTL_MS)
  const expired = await world.invite()
  const { waitForMail } = react(t, world, { mailer })
  for (const link of [revoked, expired]) {
    t.equal(await waitForMail(link.testerId, link.mailId, PATIENCE), 'failed')
    t.same(await mailFacts(world, link), ['mail.requested', 'mail.failed 0 final'])
  }
})

t.test('a person who was erased gets no mail', async (t) => {
  const world = await freshWorld(t)
  const link = await world.invite()
  await world.vault.destroy(`tester-${link.testerId}`)
  const { waitForMail } = react(t, world, { mailer: { send: async () => { throw new Error('it was sent') } } })
  t.equal(await waitForMail(link.testerId, link.mailId, PATIENCE), 'failed')
})

t.test('a crash between hand-over and outcome: sent again, as the same mail', async (t) => {
  const world = await freshWorld(t)
  const outbox = join(t.testdir(), 'outbox')
  const link = await world.invite()
  const written: string[] = []
  // A process that ends there: what follows the hand-over never happens.
  let release = () => {}
  const ended = new Promise<never>((_resolve, reject) => { release = () => { reject(new Error('released')) } })
  const handed: string[] = []
  const file = openMailer({ smtpUrl: undefined, outbox, from: FROM })
  const dying: Mailer = { send: async (mail) => { await file.send(mail); handed.push(mail.messageId); return ended } }
  react(t, world, { mailer: dying })
  t.teardown(() => { release() })
  await until(() => handed.length === 1, PATIENCE)
  t.same(await mailFacts(world, link), ['mail.requested', 'mail.attempted 1'])

  const { waitForMail } = react(t, world, { mailer: file, written })
  t.equal(await waitForMail(link.testerId, link.mailId, PATIENCE), 'sent')
  t.same(await mailFacts(world, link), ['mail.requested', 'mail.attempted 1', 'mail.attempted 2', 'mail.sent 2'])
  t.same(written.map((path) => basename(path)), [`${link.mailId}.eml`], 'one file')
  t.equal((await PostalMime.parse(readFileSync(written[0] ?? ''))).messageId, handed[0])
})

t.test('a log that is away after the hand-over causes no second mail', async (t) => {
  const world = await freshWorld(t)
  let away = 3
  const events: EventStore = {
    ...world.log,
    append: (...args) => args[2].some(({ type }) => type === 'mail.sent') && away-- > 0 ? Promise.reject(new LogUnavailable('away')) : world.log.append(...args)
  }
  let sent = 0
  const lines: string[] = []
  const { waitForMail } = react(t, world, { events, lines, mailer: { send: async () => { sent++; return { status: 'sent' } } } })
  const deaf = createMailWatch({ current: () => Promise.reject(new LogUnavailable('away')) })
  t.equal(await deaf.waitForMail(world.ids.next(), world.ids.next(), 50), 'pending', 'nor does it fail those who wait')
  const link = await world.invite()
  t.equal(await waitForMail(link.testerId, link.mailId, PATIENCE), 'sent')
  t.equal(sent, 1)
  t.equal(lines.filter((line) => line.includes('could not go on')).length, 3, 'each failure is logged')
})

t.test('a claim whose recording is in doubt is known again as ours', async (t) => {
  const world = await freshWorld(t)
  let swallowed = 0
  const events: EventStore = {
    ...world.log,
    append: async (...args) => {
      const appended = await world.log.append(...args)
      if (!args[2].some(({ type }) => type === 'mail.attempted') || swallowed++ > 0) return appended
      throw new LogOutcomeUnknown('the answer was lost')
    }
  }
  const { waitForMail } = react(t, world, { events, rules: { ...quick, claimMs: 3_600_000 }, mailer: { send: async () => ({ status: 'sent' }) } })
  const link = await world.invite()
  t.equal(await waitForMail(link.testerId, link.mailId, PATIENCE), 'sent')
  t.same(await mailFacts(world, link), ['mail.requested', 'mail.attempted 1', 'mail.sent 1'], 'without waiting for the claim to lapse')
})

t.test('five reactors, one mail each', async (t) => {
  const world = await freshWorld(t)
  const sent: string[] = []
  const mailer: Mailer = { send: async ({ messageId }) => { sent.push(messageId); return { status: 'sent' } } }
  const reactors = Array.from({ length: 5 }, () => react(t, world, { mailer, rules: { ...quick, claimMs: 60_000 } }))
  const links = await Promise.all(Array.from({ length: 30 }, () => world.invite()))
  await Promise.all(links.map(async ({ testerId, mailId }, n) => { t.equal(await reactors[n % 5]?.waitForMail(testerId, mailId, PATIENCE), 'sent') }))
  t.equal(sent.length, 30)
  t.equal(new Set(sent).size, 30)
})

t.test('where it begins', async (t) => {
  const world = await freshWorld(t)
  const passed = await world.invite()
  const open = await world.invite()
  let last: LogEvent | undefined
  for await (const event of world.log.readStream(`tester-${open.testerId}`)) last = event
  const sent: string[] = []
  let failures = 2
  const start = async (): Promise<Start> => {
    if (failures-- > 0) throw Object.assign(new Error('the read models are away'), { code: 'ECONNREFUSED' })
    const intent = { id: open.mailId, stream: `tester-${open.testerId}`, eventId: last?.id ?? '', correlationId: world.ids.next() }
    return { open: [intent], ...last !== undefined && { after: last.position } }
  }
  const lines: string[] = []
  const { waitForMail } = react(t, world, { start, lines, mailer: { send: async ({ messageId }) => { sent.push(messageId); return { status: 'sent' } } } })
  t.equal(await waitForMail(open.testerId, open.mailId, PATIENCE), 'sent', 'known as open')
  const later = await world.invite()
  t.equal(await waitForMail(later.testerId, later.mailId, PATIENCE), 'sent', 'asked for later')
  t.notOk(sent.includes(`<${passed.mailId}@localhost>`), 'what lies before the start is left alone')
  t.equal(lines.filter((line) => line.includes('ECONNREFUSED')).length, 2, 'a start that fails is tried again')
})

t.test('an event that cannot be read is passed with an alarm', async (t) => {
  const world = await freshWorld(t)
  const broken = await world.invite()
  const link = await world.invite()
  const stream = `tester-${broken.testerId}`
  const unreadable: UnreadableEvent[] = []
  for await (const { revision, position, type } of world.log.readStream(stream)) unreadable.push(new UnreadableEvent({ stream, revision, position, type }, 'a test'))
  const from: unknown[] = []
  const events: EventStore = {
    ...world.log,
    subscribe: (options) => {
      from.push(options.after)
      const error = unreadable.shift()
      return error === undefined ? world.log.subscribe(options) : (async function * () { throw error })()
    }
  }
  const positions = unreadable.map(({ position }) => position)
  const lines: string[] = []
  const { waitForMail } = react(t, world, { events, lines, mailer: { send: async () => ({ status: 'sent' }) } })
  t.equal(await waitForMail(link.testerId, link.mailId, PATIENCE), 'sent', 'the others go on')
  t.same(from, [undefined, ...positions], 'after it, not from the beginning')
  t.equal(lines.filter((line) => line.includes(stream)).length, 3)
})

t.test('when to do what', async (t) => {
  const world = await freshWorld(t)
  const { testerId, mailId } = await world.invite()
  const { state } = await world.aggregates.current(testerAggregate, testerId)
  if (state.status === 'absent') throw new Error('no tester')
  const at = Date.parse('2026-05-01T00:00:00.000Z')
  const rules: MailRules = { maxAttempts: 3, pausesMs: [1000, 5000], claimMs: 60_000 }
  const step = (mail: Partial<TesterMail>, ms: number, expiresAt = '2027-01-01T00:00:00.000Z') => nextStep({
    ...state,
    tokens: state.tokens.map((token) => ({ ...token, expiresAt })),
    mails: state.mails.map((one) => ({ ...one, movedAt: new Date(at).toISOString(), ...mail }))
  }, mailId, new Date(at + ms), rules)
  t.match(step({}, 0), { kind: 'attempt', attempt: 1 })
  t.match(step({ attempts: 1 }, 999), { kind: 'wait', ms: 1 })
  t.match(step({ attempts: 1 }, 1000), { kind: 'attempt', attempt: 2 })
  t.match(step({ attempts: 2 }, 4999), { kind: 'wait', ms: 1 })
  t.match(step({ attempts: 2 }, 5000), { kind: 'attempt', attempt: 3 })
  t.match(step({ attempts: 3 }, 5000), { kind: 'give_up', attempt: 3 })
  t.match(step({ attempts: 1, status: 'attempted' }, 59_999), { kind: 'wait', ms: 1 }, 'the claim of another process is respected')
  t.match(step({ attempts: 1, status: 'attempted' }, 60_000), { kind: 'attempt', attempt: 2 }, 'for a while')
  t.match(step({}, 0, new Date(at).toISOString()), { kind: 'give_up', attempt: 0 })
  t.match(step({}, 0, new Date(at + 1).toISOString()), { kind: 'attempt' })
  for (const status of ['sent', 'failed'] as const) t.match(step({ status }, 0), { kind: 'nothing' })
  t.match(nextStep({ status: 'absent' }, mailId, new Date(), rules), { kind: 'nothing' })
  t.match(nextStep(state, world.ids.next(), new Date(), rules), { kind: 'nothing' })
})

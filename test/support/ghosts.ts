// The ghost reset on real parts, for tests: store, vault, Postgres, projections, reactor; only clock and mailer are ours.
import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { uuidIds as ids } from '../../infra/ids.ts'
import { openKeys } from '../../infra/keys/index.ts'
import { masterKey } from '../../infra/keys/master-key.ts'
import { connectPostgres } from '../../infra/postgres/index.ts'
import { ghostQueries } from '../../infra/postgres/queries/ghosts.ts'
import { testerQueries } from '../../infra/postgres/queries/testers.ts'
import { openVault } from '../../infra/vault/index.ts'
import { openLog } from '../../infra/eventstore/index.ts'
import type { AccountsDeps } from '../../src/commands/accounts/deps.ts'
import { accountsInProcess } from '../../src/commands/accounts/gateway.ts'
import type { CommandContext } from '../../src/commands/context.ts'
import { createAggregates } from '../../src/commands/execute.ts'
import { dress } from '../../src/commands/metadata.ts'
import type { TesterDeps } from '../../src/commands/testers/deps.ts'
import { inviteTester } from '../../src/commands/testers/invite.ts'
import type { ChanceryEvent, LogEvent } from '../../src/domain/catalogue.ts'
import { Clear } from '../../src/domain/personal.ts'
import { startProjections } from '../../src/projections/engine.ts'
import { testers } from '../../src/projections/testers.ts'
import { tokens } from '../../src/projections/tokens.ts'
import { users } from '../../src/projections/users.ts'
import type { AccountsGateway } from '../../src/account-ports.ts'
import type { EventStore, Mail, MailOutcome } from '../../src/ports.ts'
import { runReactor } from '../../src/reactors/engine.ts'
import { mailReactor } from '../../src/reactors/mail/mail.ts'
import { mailRules } from '../../src/reactors/mail/next-step.ts'
import { createMailWatch } from '../../src/reactors/mail/watch.ts'
import { testEventStore } from './eventstore.ts'
import { notePersons } from './left-behind.ts'
import { testDatabase } from './postgres.ts'

export const GRACE = 300_000
const quiet = { info: () => {}, warn: () => {}, error: () => {} }

export interface GhostsOptions {
  /** Stands between the program and the log: faults, pauses. */
  around?: (log: EventStore) => EventStore
  gateway?: (inner: AccountsGateway) => AccountsGateway
  send?: (mail: Mail) => Promise<MailOutcome>
}

/** Everything a reset works with. `clock.at` is moved by hand. */
export const ghostGround = async (t: Pick<Test, 'teardown'>, options: GhostsOptions = {}) => {
  const clock = { at: new Date('2026-03-01T12:00:00.000Z'), now: () => new Date(clock.at) }
  const store = await testEventStore(t)
  const postgres = await connectPostgres({ url: (await testDatabase(t)).url })
  t.teardown(() => postgres.close())
  const { pool, database, schemas } = postgres
  const sealing = { pool, schema: schemas.vault, masterKey: masterKey(randomBytes(32), 'test') }
  const [vault, keys] = [await openVault(sealing), await openKeys(sealing)]
  const log = await openLog({ url: store.url, vault })
  t.teardown(() => log.close())
  const events = options.around?.(log) ?? log

  const projections = await startProjections({ database, log, projectors: [testers, users, tokens], logger: quiet })
  t.teardown(() => projections.close())
  const { positions } = projections
  const mails: Mail[] = []
  const send = options.send ?? (async (): Promise<MailOutcome> => ({ status: 'sent', replyCode: 250 }))

  /** One process's view: a cache, a reactor and gateway of its own, on the shared stores. */
  const aProcess = () => {
    const aggregates = createAggregates(events, ids)
    const mail = createMailWatch(aggregates)
    const reactor = runReactor({
      events: log,
      log: quiet,
      settled: (id) => { mail.settled(id) },
      reactor: mailReactor({
        aggregates, clock, ids, keys, vault, publicUrl: 'http://localhost:8420', rules: mailRules,
        mailer: { send: async (message) => { mails.push(message); return send(message) } }
      })
    })
    t.teardown(() => reactor.stop())
    const accountsDeps: AccountsDeps = { aggregates, ids, clock, ghosts: ghostQueries(database), positions, graceMs: GRACE }
    const inner = accountsInProcess(accountsDeps)
    const accounts = options.gateway?.(inner) ?? inner
    const deps: TesterDeps = { aggregates, ids, keys, clock, vault, accounts, mail, testers: testerQueries(database), linkTtlMs: 86_400_000 }
    return { aggregates, deps, accountsDeps, accounts, reactor }
  }
  const main = aProcess()

  const caughtUp = async (): Promise<void> => {
    const head = (await log.last())?.position ?? 0n
    const behind = await positions.waitFor(['testers', 'users', 'tokens'], head, 10_000)
    if (behind !== undefined) throw new Error('the read models do not catch up')
  }
  const context = (key = ids.next()): CommandContext => ({
    commandId: ids.derive('test', key), at: clock.now(), actor: { type: 'principal', id: 'p-operator' }, requestId: 'r-1'
  })
  const streamOf = async (stream: string): Promise<LogEvent[]> => {
    const events: LogEvent[] = []
    for await (const event of log.readStream(stream)) events.push(event)
    return events
  }

  return {
    ...main, clock, store, log, vault, keys, ids, database, pool, schemas, sealing, positions, mails, caughtUp, context, streamOf, aProcess,
    /** Types of a stream's facts, in order. */
    typesOf: async (stream: string): Promise<string[]> => (await streamOf(stream)).map(({ type }) => type),
    /** Appends facts as somebody else would: by their stream's own revision. */
    state: async (stream: string, facts: ChanceryEvent[]): Promise<bigint> => {
      const all = await streamOf(stream)
      return (await log.append(stream, all.at(-1)?.revision ?? 'no_stream', dress(facts, context(), ids))).position
    },
    /** A tester whose link is minted now, and mailed. */
    invited: async () => {
      const email = `${ids.next()}@example.org`
      notePersons({ email })
      const { testerId, tokenId, mailId } = await inviteTester(main.deps, { email }, context())
      await main.deps.mail.waitForMail(testerId, mailId, 10_000)
      return { testerId, tokenId, userId: ids.derive('user', tokenId), tester: `tester-${testerId}`, user: `user-${ids.derive('user', tokenId)}` }
    }
  }
}

export type GhostGround = Awaited<ReturnType<typeof ghostGround>>
export type TestTester = Awaited<ReturnType<GhostGround['invited']>>

const iso = (at: Date) => at.toISOString()

/** Facts of a link's life, as opening and enrolment append them. */
export const facts = {
  opened: ({ testerId, tokenId, userId }: TestTester, at: Date): ChanceryEvent =>
    ({ type: 'walkthrough_token.consumed', data: { testerId, tokenId, userId, consumedAt: iso(at) } }),
  created: ({ testerId, userId }: TestTester, at: Date, addressHash = 'a'.repeat(64)): ChanceryEvent =>
    ({ type: 'user.created', data: { userId, testerId, email: new Clear('ghost@example.org', `user-${userId}`), addressHash, createdAt: iso(at) } }),
  optionsIssued: ({ userId }: TestTester, at: Date, challengeId = ids.next()): ChanceryEvent =>
    ({ type: 'user.enrolment.options_issued', data: { userId, challengeId, issuedAt: iso(at), expiresAt: iso(new Date(at.getTime() + 300_000)) } }),
  verificationFailed: ({ userId }: TestTester, at: Date): ChanceryEvent =>
    ({ type: 'user.enrolment.verification_failed', data: { userId, challengeId: ids.next(), failedAt: iso(at), cause: 'not_accepted' } }),
  passkey: ({ userId }: TestTester, at: Date): ChanceryEvent => ({
    type: 'user.passkey_registered',
    data: {
      userId, challengeId: ids.next(), credentialId: 'Y3JlZA', publicKey: 'a2V5', algorithm: -7, counter: 0,
      aaguid: '00000000-0000-0000-0000-000000000000', backedUp: false, transports: [], registeredAt: iso(at)
    }
  })
}

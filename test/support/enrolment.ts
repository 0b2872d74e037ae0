// What enrolments and mails need, for tests: real log, vault and keys, a clock that the test sets, and invited testers.
import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { openLog } from '../../infra/eventstore/index.ts'
import { uuidIds } from '../../infra/ids.ts'
import { masterKey } from '../../infra/keys/master-key.ts'
import { openKeys } from '../../infra/keys/index.ts'
import { connectPostgres } from '../../infra/postgres/index.ts'
import { openVault } from '../../infra/vault/index.ts'
import { openCeremonies } from '../../infra/webauthn/index.ts'
import type { CommandContext } from '../../src/commands/context.ts'
import type { EnrolmentDeps } from '../../src/commands/enrolment/deps.ts'
import { tokenText, type Link } from '../../src/commands/enrolment/link.ts'
import { createAggregates, type Aggregates } from '../../src/commands/execute.ts'
import { inviteTester } from '../../src/commands/testers/invite.ts'
import type { EventOf } from '../../src/domain/catalogue.ts'
import { testerAggregate } from '../../src/domain/tester/tester.ts'
import { userAggregate } from '../../src/domain/user/user.ts'
import type { EventStore } from '../../src/ports.ts'
import { testEventStore } from './eventstore.ts'
import { notePersons } from './left-behind.ts'
import { testDatabase } from './postgres.ts'

export const PUBLIC_URL = 'http://localhost:8420'
export const LINK_TTL_MS = 86_400_000

export interface Invited extends Link {
  email: string
  /** The token as the link carries it. */
  token: string
  mailId: string
}

export const enrolmentWorld = async (t: Pick<Test, 'teardown'>) => {
  const [{ url: storeUrl }, { url }] = await Promise.all([testEventStore(t), testDatabase(t)])
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  const secrets = { pool: postgres.pool, schema: postgres.schemas.vault, masterKey: masterKey(randomBytes(32), 'the test') }
  const vault = await openVault(secrets)
  const keys = await openKeys(secrets)
  const log = await openLog({ url: storeUrl, vault })
  t.teardown(() => log.close())
  const clock = { at: new Date('2026-03-01T10:00:00.000Z'), now: () => clock.at, pass: (ms: number) => { clock.at = new Date(clock.at.getTime() + ms) } }
  const ceremonies = openCeremonies({ publicUrl: PUBLIC_URL })
  const aggregates = createAggregates(log, uuidIds)

  /** Another process: the same stores, a cache of its own, and what the test puts between it and the log. */
  const process = (between: (log: EventStore) => EventStore = (log) => log): EnrolmentDeps & { aggregates: Aggregates } =>
    ({ aggregates: createAggregates(between(log), uuidIds), keys, ids: uuidIds, vault, ceremonies })

  const context = (commandId = uuidIds.next(), at = clock.at): CommandContext =>
    ({ commandId, fingerprint: 'f', at, actor: { type: 'person', id: 'test' }, requestId: 'r' })

  const invite = async (email = `${uuidIds.next()}@example.com`): Promise<Invited> => {
    const { testerId, tokenId, mailId } = await inviteTester({ aggregates, ids: uuidIds, keys, linkTtlMs: LINK_TTL_MS }, { email }, context())
    const token = tokenText(keys, testerId, tokenId)
    notePersons({ email, token })
    return { email, testerId, tokenId, mailId, userId: uuidIds.derive('user', tokenId), token }
  }

  const types = async (stream: string): Promise<string[]> => {
    const found: string[] = []
    for await (const event of log.readStream(stream)) found.push(event.type)
    return found
  }

  return {
    log, vault, keys, ids: uuidIds, clock, ceremonies, aggregates, deps: { aggregates, keys, ids: uuidIds, vault, ceremonies }, process, context, invite, types,
    postgres, secrets, storeUrl, databaseUrl: url,
    /** Appends facts as somebody else's command would. */
    onUser: (id: string, ...facts: Array<EventOf<'user'>>) => aggregates.execute({ aggregate: userAggregate, id, context: context(), decide: () => facts }),
    onTester: (id: string, ...facts: Array<EventOf<'tester'>>) => aggregates.execute({ aggregate: testerAggregate, id, context: context(), decide: () => facts }),
    /** The log as the store holds it: what no secret may be found in. */
    stored: async (): Promise<string> => {
      const lines: string[] = []
      for await (const event of log.rawAll()) lines.push(JSON.stringify(event, (_, value: unknown) => typeof value === 'bigint' ? String(value) : value))
      return lines.join('\n')
    }
  }
}

export type EnrolmentWorld = Awaited<ReturnType<typeof enrolmentWorld>>

/** The reset of a ghost, as its account's stream tells it. */
export const resetFact = ({ userId, testerId }: Link, at: Date): EventOf<'user'> => ({
  type: 'account.ghost_reset',
  data: {
    userId, testerId, resetId: uuidIds.next(), resetAt: at.toISOString(), state: 'ghost_no_users_row', rule: 'no_users_row', thresholdMs: 300_000, evidence: []
  }
})

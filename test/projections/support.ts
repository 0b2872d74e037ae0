// What the tests of read models share: a database, a log, the engine on both, and facts to append.
import { createHash } from 'node:crypto'
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { connectPostgres, type Postgres } from '../../infra/postgres/index.ts'
import { openLog, type Log } from '../../infra/eventstore/index.ts'
import { categoryOf, type ChanceryEvent, type LogEvent } from '../../src/domain/catalogue.ts'
import { Clear } from '../../src/domain/personal.ts'
import type { EventStore, NewEvent, Vault } from '../../src/ports.ts'
import type { ProjectionAlarm } from '../../src/queries.ts'
import { table } from '../../src/projections/columns.ts'
import { defineLogProjector, type Projector } from '../../src/projections/define.ts'
import { startProjections, type ProjectionOptions, type Projections } from '../../src/projections/engine.ts'
import { testEventStore } from '../support/eventstore.ts'
import { testDatabase } from '../support/postgres.ts'

/** Envelopes that look like sealed ones; sealing itself has tests of its own. */
export const vault: Vault = {
  seal: (text, { subject, stream, eventId, field }) => Promise.resolve({
    sealed: 'v1', subject, at: `${stream}/${eventId}/${field}`, value: createHash('sha256').update(text).digest('base64url')
  }),
  open: () => Promise.reject(new Error('nothing is opened here'))
}

/** A log on the store at `url`, patient: what is slow here is the machine, and the store may share this very thread. */
export const patientLog = async (t: Pick<Test, 'teardown'>, url: string): Promise<Log> => {
  const log = await openLog({ url, vault, patience: { silence: 3_000 } })
  t.teardown(() => log.close())
  return log
}

export interface Ground { postgres: Postgres, url: string, log: Log }

export const ground = async (t: Pick<Test, 'teardown'>): Promise<Ground> => {
  const { url } = await testDatabase(t)
  const postgres = await connectPostgres({ url })
  t.teardown(() => postgres.close())
  return { postgres, url, log: await patientLog(t, (await testEventStore(t)).url) }
}

export type Engine = Projections & { alarms: ProjectionAlarm[], batches: number[], warnings: string[] }

/** Starts the engine with fast settings, and waits until its read models serve (unless `unserved`). */
export const engine = async (
  t: Pick<Test, 'teardown'>, { postgres, log }: { postgres: Postgres, log: EventStore }, projectors: ProjectionOptions['projectors'],
  options: Partial<ProjectionOptions> & { unserved?: boolean } = {}
): Promise<Engine> => {
  const alarms: ProjectionAlarm[] = []
  const batches: number[] = []
  const warnings: string[] = []
  const running = await startProjections({
    database: postgres.database,
    log,
    projectors,
    logger: { info: () => {}, warn: (_, message) => warnings.push(message), error: () => {} },
    onAlarm: (alarm) => alarms.push(alarm),
    onBatch: ({ events }) => batches.push(events),
    ...options,
    settings: { takeover: 300, standby: 20, scan: 50, ...options.settings }
  })
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= running.close()
    return closed
  }
  t.teardown(close)
  if (options.projecting !== false) await running.positions.waitFor(options.unserved === true ? [] : projectors.map(({ name }) => name), 0n, 10_000)
  return { ...running, close, alarms, batches, warnings }
}

const at = '2026-07-01T12:00:00.000Z'

export const dressed = (fact: ChanceryEvent, commandId: string = randomUUID()): NewEvent => ({
  ...fact,
  id: randomUUID(),
  metadata: {
    $correlationId: commandId, $causationId: commandId, commandId, schemaVersion: 1, occurredAt: at,
    actor: { type: 'principal', id: 'p-1' }, requestId: 'r-1'
  }
})

/** A refusal: the smallest fact there is. */
export const refused = (principalId: string, route = '/x'): ChanceryEvent =>
  ({ type: 'access.refused', data: { principalId, permission: 'testers.read', route, refusedAt: at } })

/** Appends `count` refusals of new principals, in parallel; returns the position of the last one. */
export const appendRefusals = async (log: EventStore, count: number): Promise<bigint> => {
  const appended = await Promise.all(Array.from({ length: count }, () => {
    const id = randomUUID()
    return log.append(`refusal-${id}`, 'no_stream', [dressed(refused(id))])
  }))
  return appended.map(({ position }) => position).reduce((a, b) => a > b ? a : b, 0n)
}

/** A tester's whole life, steered by `choose` (0 ≤ n < below): streams and facts in the order of the log. */
export const life = (choose: (below: number) => number): Array<{ stream: string, facts: ChanceryEvent[] }> => {
  const testerId = randomUUID()
  const hash = randomUUID().replaceAll('-', '').repeat(2)
  const tester = `tester-${testerId}`
  const principalId = randomUUID()
  const steps: Array<{ stream: string, facts: ChanceryEvent[] }> = [{
    stream: `principal-${principalId}`,
    facts: [
      { type: 'principal.created', data: { principalId, kind: 'operator', name: new Clear('Ghöst', `principal-${principalId}`), createdAt: at } },
      choose(2) === 0
        ? { type: 'principal.role_granted', data: { principalId, role: 'auditor', grantedAt: at } }
        : { type: 'principal.role_revoked', data: { principalId, role: 'auditor', revokedAt: at } }
    ]
  }]
  const mail = (tokenId: string): string => {
    const mailId = randomUUID()
    steps.push({ stream: tester, facts: [{ type: 'mail.requested', data: { testerId, mailId, kind: 'invitation', tokenId, requestedAt: at } }] })
    if (choose(5) === 0) return mailId
    steps.push({ stream: tester, facts: [{ type: 'mail.attempted', data: { testerId, mailId, attempt: 1, attemptedAt: at } }] })
    const failed = choose(3) === 0
    steps.push({
      stream: tester, facts: [failed
        ? { type: 'mail.failed', data: { testerId, mailId, attempt: 1, failedAt: at, final: choose(2) === 0 } }
        : { type: 'mail.sent', data: { testerId, mailId, attempt: 1, sentAt: at } }]
    })
    return mailId
  }
  steps.push({ stream: `testerEmail-${hash}`, facts: [{ type: 'tester_email.reserved', data: { testerId, ruleVersion: 1, reservedAt: at } }] })
  steps.push({ stream: tester, facts: [{ type: 'tester.invited', data: { testerId, email: new Clear('ghöst@example.org', tester), addressHash: hash, invitedAt: at } }] })
  for (let links = choose(3); links >= 0; links--) {
    const tokenId = randomUUID()
    const userId = randomUUID()
    const user = `user-${userId}`
    steps.push({ stream: tester, facts: [{ type: 'walkthrough_token.minted', data: { testerId, tokenId, userId, mintedAt: at, expiresAt: at } }] })
    mail(tokenId)
    if (choose(4) === 0) break
    steps.push({ stream: tester, facts: [{ type: 'walkthrough_token.consumed', data: { testerId, tokenId, userId, consumedAt: at } }] })
    const created = choose(3) > 0
    if (created) steps.push({ stream: user, facts: [{ type: 'user.created', data: { userId, testerId, email: new Clear('ghöst@example.org', user), addressHash: hash, createdAt: at } }] })
    for (let tries = choose(3); tries > 0; tries--) {
      const challengeId = randomUUID()
      steps.push({ stream: user, facts: [{ type: 'user.enrolment.options_issued', data: { userId, challengeId, issuedAt: at, expiresAt: at } }] })
      steps.push({ stream: user, facts: [{ type: 'user.enrolment.challenge_used', data: { userId, challengeId, usedAt: at } }] })
      if (choose(3) > 0) steps.push({ stream: user, facts: [{ type: 'user.enrolment.verification_failed', data: { userId, challengeId, failedAt: at, cause: 'not_accepted' } }] })
    }
    const resetId = randomUUID()
    const judged = { state: created ? 'ghost_empty_shell' as const : 'ghost_no_users_row' as const, rule: 'grace', thresholdMs: 300_000, evidence: [] }
    steps.push({ stream: tester, facts: [{ type: 'console.beta.ghost_reset.initiated', data: { testerId, resetId, tokenId, userId, initiatedAt: at, evaluatedAtPosition: '7', ...judged } }] })
    if (choose(4) === 0) {
      steps.push({ stream: tester, facts: [{ type: 'console.beta.ghost_reset.refused', data: { testerId, resetId, refusedAt: at, code: 'account_healthy' } }] })
      break
    }
    steps.push({ stream: user, facts: [{ type: 'account.ghost_reset', data: { userId, testerId, resetId, resetAt: at, ...judged } }] })
    steps.push({ stream: tester, facts: [{ type: 'walkthrough_token.revoked', data: { testerId, tokenId, revokedAt: at, cause: 'ghost_reset' } }] })
    if (choose(4) === 0) break
    const mailId = mail(tokenId)
    steps.push({ stream: tester, facts: [{ type: 'console.beta.ghost_reset.completed', data: { testerId, resetId, completedAt: at, freshTokenId: tokenId, freshUserId: userId, mailId } }] })
  }
  return steps
}

/** Appends the lives side by side, each in its own order. */
export const appendLives = async (log: EventStore, lives: ReadonlyArray<ReturnType<typeof life>>): Promise<bigint> => {
  let last = 0n
  await Promise.all(lives.map(async (steps) => {
    const revisions = new Map<string, bigint>()
    for (const { stream, facts } of steps) {
      const { revision, position } = await log.append(stream, revisions.get(stream) ?? 'no_stream', facts.map((fact) => dressed(fact)))
      revisions.set(stream, revision)
      if (position > last) last = position
    }
  }))
  return last
}

/** What a read model shows: every row as Postgres prints it, in the order of its bytes. */
export const dump = async ({ database }: Postgres, projectors: ProjectionOptions['projectors']): Promise<Record<string, string[]>> => {
  const tables = projectors.flatMap((projector) => Object.keys(projector.tables))
  const dumps = await Promise.all(tables.map(async (table) => {
    const { rows } = await database.query<{ bytes: string }>(`select t::text as bytes from ${table} t order by t::text collate "C"`)
    return [table, rows.map(({ bytes }) => bytes)] as const
  }))
  return Object.fromEntries(dumps)
}

/** Counts the events of each stream category: a read model in which a missing or doubled event shows. */
export const counting = (name = 'counts', options: { version?: number, each?: (event: LogEvent) => void, fold?: (event: LogEvent) => void } = {}): Projector => defineLogProjector({
  name,
  version: options.version ?? 1,
  tables: {
    [name]: table({ columns: { category: 'text', events: 'int8', positions: 'int8', version: 'int4' }, key: ['category'] })
  },
  each: (rows, event) => {
    options.each?.(event)
    rows[name]?.change({ category: categoryOf(event.stream) }, (row) => {
      options.fold?.(event)
      return {
        category: categoryOf(event.stream), version: options.version ?? 1,
        events: (row?.events ?? 0n) + 1n, positions: ((row?.positions ?? 0n) + event.position) % 1_000_000_007n
      }
    })
  }
})

/** What `counting` must show for the log as it is. */
export const counted = async (log: EventStore, upTo: bigint, version = 1): Promise<string[]> => {
  const rows = new Map<string, { events: bigint, positions: bigint }>()
  for await (const { stream, position } of log.readAll()) {
    if (position > upTo) break
    const row = rows.get(categoryOf(stream)) ?? { events: 0n, positions: 0n }
    rows.set(categoryOf(stream), { events: row.events + 1n, positions: (row.positions + position) % 1_000_000_007n })
  }
  return [...rows].map(([category, { events, positions }]) => `(${category},${events},${positions},${version})`).toSorted()
}

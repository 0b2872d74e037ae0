// Starts what follows the log and acts outside: mails, erasures, rotations, and the watch over receipts.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { openMailer } from '../../infra/mail/index.ts'
import type { Postgres } from '../../infra/postgres/index.ts'
import { auditQueries } from '../../infra/postgres/queries/audit.ts'
import { consumerQueries } from '../../infra/postgres/queries/consumers.ts'
import { erasureQueries } from '../../infra/postgres/queries/erasures.ts'
import type { Aggregates } from '../commands/execute.ts'
import type { Config } from '../config.ts'
import type { Metrics } from '../http/metrics.ts'
import type { Clock, EventStore, Ids, KeyDestroyer, Keys, Vault } from '../ports.ts'
import type { Projections } from '../projections/engine.ts'
import { watchOverdue } from '../reactors/consumers/overdue.ts'
import { runReactor } from '../reactors/engine.ts'
import { runErasures } from '../reactors/erasure/schedule.ts'
import { messageIdOf } from '../reactors/mail/compose.ts'
import { mailReactor } from '../reactors/mail/mail.ts'
import { mailRules } from '../reactors/mail/next-step.ts'
import type { OpenMailWatch } from '../reactors/mail/watch.ts'
import type { Reactor } from '../reactors/reactor.ts'
import { runExpiry } from '../reactors/rotation/expiry.ts'
import { oldValuesReactor } from '../reactors/rotation/old-values.ts'
import { ownerMailReactor } from '../reactors/rotation/owner-mail.ts'
import { rotationReactor } from '../reactors/rotation/reactor.ts'
import { startAtOpenIntents } from '../reactors/start.ts'
import type { Releasers } from './releasers.ts'
import type { Rotations } from './rotations.ts'

export interface ReactorParts {
  config: Config
  logger: Logger
  /** Told what the operator's terminal should show. */
  tell: (sentence: string) => void
  aggregates: Aggregates
  clock: Clock
  destroyer: KeyDestroyer
  events: EventStore
  ids: Ids
  keys: Keys
  mail: OpenMailWatch
  metrics: Metrics
  postgres: Postgres
  projections: Projections
  rotations: Rotations
  vault: Vault
}

/** Rotations that are carried out at a time; each has a bound of its own for what it asks at once. */
const PARALLEL_ROTATIONS = 16

export const startReactors = (parts: ReactorParts, releasers: Releasers): void => {
  const { config, logger, tell, aggregates, clock, destroyer, events, ids, keys, mail, metrics, postgres: { database }, projections, rotations, vault } = parts
  const { publicUrl } = config
  const watch = watchOverdue({ consumers: consumerQueries(database), clock, log: logger, ...metrics.overdue })
  releasers.add('the watch over receipts', () => watch.stop())
  const mailer = openMailer({ smtpUrl: config.smtpUrl, outbox: join(config.dataDir, 'outbox'), from: config.mailFrom })
  releasers.add('the mailer', async () => { mailer.close() })
  // A claim without an outcome can be of nobody else: it was this data folder's last process.
  const rules = config.apiProcesses === 'single' ? { ...mailRules, claimMs: 0 } : mailRules
  const written = (path: string): void => { tell(`A mail was written: ${path}`) }

  const start = (reactor: Reactor, options: { settled?: (id: string) => void, parallel?: number } = {}): void => {
    const running = runReactor({
      events,
      log: logger,
      reactor,
      start: startAtOpenIntents({ index: auditQueries(database), projections: () => projections.operations.list(), intent: reactor.intent }),
      ...options
    })
    releasers.add(`the reactor ${reactor.name}`, () => running.stop())
  }
  start(mailReactor({ aggregates, clock, ids, keys, vault, mailer, publicUrl, rules, written }), { settled: (id) => { mail.settled(id) } })
  start(rotationReactor({ ...rotations.deps, holder: randomUUID() }), { parallel: PARALLEL_ROTATIONS })
  start(oldValuesReactor(rotations.deps))
  start(ownerMailReactor({ aggregates, clock, ids, vault, mailer, publicUrl, rules, written }))

  const erasures = runErasures({
    aggregates, clock, ids, keys: destroyer, erasures: erasureQueries(database), log: logger, forgetMail: (mailId) => mailer.forget(messageIdOf(mailId, publicUrl))
  })
  releasers.add('the erasures', () => erasures.stop())
  const expiry = runExpiry({ ...rotations.deps, rotations: rotations.queries, log: logger })
  releasers.add('the schedule of expiring credentials', () => expiry.stop())
}

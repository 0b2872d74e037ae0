// Joins commands and read models to the routes that call them.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { accountsOverHttp } from '../../infra/accounts/http.ts'
import type { Postgres } from '../../infra/postgres/index.ts'
import { auditQueries } from '../../infra/postgres/queries/audit.ts'
import { consumerQueries } from '../../infra/postgres/queries/consumers.ts'
import { ghostQueries } from '../../infra/postgres/queries/ghosts.ts'
import { lifecycleQueries } from '../../infra/postgres/queries/lifecycle.ts'
import { principalQueries } from '../../infra/postgres/queries/principals.ts'
import { testerQueries } from '../../infra/postgres/queries/testers.ts'
import { userQueries } from '../../infra/postgres/queries/users.ts'
import { openCeremonies } from '../../infra/webauthn/index.ts'
import { accountsInProcess } from '../commands/accounts/gateway.ts'
import { importAccount } from '../commands/accounts/import.ts'
import type { CommandContext } from '../commands/context.ts'
import type { Aggregates } from '../commands/execute.ts'
import type { AccountRow } from '../commands/testers/import.ts'
import type { Config } from '../config.ts'
import type { Metrics } from '../http/metrics.ts'
import { adminSanctionRoutes } from '../http/routes/admin-sanctions.ts'
import { adminUserRoutes } from '../http/routes/admin-users.ts'
import { auditRoutes } from '../http/routes/audit.ts'
import { consumerRoutes } from '../http/routes/consumers.ts'
import { credentialRoutes } from '../http/routes/credentials.ts'
import { authRoutes } from '../http/routes/auth.ts'
import { enrolPage } from '../http/routes/enrol-page.ts'
import { enrolmentRoutes } from '../http/routes/enrolment.ts'
import { ghostInternalRoutes } from '../http/routes/ghost-internal.ts'
import { openJobs } from '../http/open-jobs.ts'
import { healthRoutes } from '../http/routes/health.ts'
import { internalUserRoutes } from '../http/routes/internal-users.ts'
import { lifecycleOperationRoutes } from '../http/routes/lifecycle-operations.ts'
import { legalHoldRoutes } from '../http/routes/legal-holds.ts'
import { lobbyEligibilityRoutes } from '../http/routes/lobby-eligibility.ts'
import { lobbyLifecycleRoutes } from '../http/routes/lobby-lifecycle.ts'
import { operationRoutes } from '../http/routes/operations.ts'
import { receiptRoutes } from '../http/routes/receipts.ts'
import { principalRoutes } from '../http/routes/principals.ts'
import { rotationEventRoutes } from '../http/routes/rotation-events.ts'
import { rotationRoutes } from '../http/routes/rotations.ts'
import { selfRoutes } from '../http/routes/self.ts'
import { subscriberRoutes } from '../http/routes/subscribers.ts'
import { testerRoutes } from '../http/routes/testers.ts'
import type { Clock, EventStore, Ids, Keys, MailWatch, RedisSource, Vault } from '../ports.ts'
import type { Projections } from '../projections/engine.ts'
import type { Rotations } from './rotations.ts'
import { publisherHealth, type Lifecycle } from './publisher.ts'

export interface Parts {
  config: Config
  aggregates: Aggregates
  clock: Clock
  events: EventStore
  ids: Ids
  keys: Keys
  mail: MailWatch
  metrics: Metrics
  postgres: Postgres
  projections: Projections
  /** Absent where this process does not publish. */
  redis: RedisSource | undefined
  lifecycleStream: Lifecycle
  rotations: Rotations
  vault: Vault
}

/** Every route of this process: health always, the rest where it has the role `api`. */
export const routesOf = (parts: Parts): FastifyPluginAsyncTypebox[] => {
  const { config, aggregates, clock, events, ids, keys, mail, metrics, postgres: { database, pool }, projections, redis, lifecycleStream, rotations, vault } = parts
  const { positions, operations } = projections
  const health = healthRoutes({
    rotations: openJobs({ rotations: rotations.queries, clock, rules: rotations.deps.rules }),
    stores: { event_store: () => events.ping(), postgres: () => pool.query('select 1') }, projections: () => operations.list(), metrics,
    ...redis !== undefined && { publisher: () => publisherHealth(redis, lifecycleStream.publisher?.status()) }
  })
  if (!config.roles.has('api')) return [health]

  const index = auditQueries(database)
  const accountsDeps = { aggregates, ids, clock, ghosts: ghostQueries(database), positions, graceMs: config.ghostGraceMs }
  const elsewhere = config.accounts
  const testerDeps = {
    aggregates,
    ids,
    keys,
    clock,
    vault,
    mail,
    positions,
    audit: index,
    log: events,
    events,
    testers: testerQueries(database),
    linkTtlMs: config.linkTtlMs,
    purgeAfterMs: config.purgeAfterMs,
    accounts: elsewhere === undefined ? accountsInProcess(accountsDeps) : accountsOverHttp(elsewhere),
    ...elsewhere === undefined && { importAccount: (row: AccountRow, context: CommandContext) => importAccount({ aggregates }, row, context) }
  }
  const userDeps = { aggregates, events, ids, keys, vault, purgeAfterMs: config.purgeAfterMs }
  return [
    health,
    principalRoutes({ aggregates, ids, vault, principals: principalQueries(database) }),
    testerRoutes(testerDeps),
    legalHoldRoutes({ aggregates, events, ids, vault }),
    adminUserRoutes({ aggregates, events, clock, vault, keys, users: userQueries(database) }),
    authRoutes(userDeps),
    selfRoutes(userDeps),
    adminSanctionRoutes(userDeps),
    lobbyEligibilityRoutes(userDeps),
    internalUserRoutes(userDeps),
    ghostInternalRoutes(accountsDeps),
    lobbyLifecycleRoutes({ lifecycle: lifecycleQueries(database), positions, clock, stream: config.lifecycleStream, retentionMs: config.lifecycleRetentionMs }),
    consumerRoutes({ aggregates, events, keys, positions, consumers: consumerQueries(database) }),
    receiptRoutes({ aggregates, events, consumers: consumerQueries(database) }),
    credentialRoutes({ ...rotations.deps, vault, rotations: rotations.queries }),
    rotationRoutes({ ...rotations.deps, rotations: rotations.queries, watch: rotations.watch }),
    rotationEventRoutes({ events, rules: rotations.deps.rules, vault, watch: rotations.watch }),
    subscriberRoutes(rotations.deps),
    auditRoutes({ events, index }),
    operationRoutes({ operations }),
    lifecycleOperationRoutes({ aggregates, ids, stream: config.lifecycleStream, operations: () => lifecycleStream.operations() }),
    enrolPage(),
    enrolmentRoutes({ aggregates, keys, ids, vault, ceremonies: openCeremonies({ publicUrl: config.publicUrl }) })
  ]
}

// The composition root: opens everything in order, joins it, and releases it in reverse.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { accountsOverHttp } from '../infra/accounts/http.ts'
import { openLog } from '../infra/eventstore/index.ts'
import { withFailpoint } from '../infra/failpoints.ts'
import { uuidIds as ids } from '../infra/ids.ts'
import { loadMasterKey, openKeys } from '../infra/keys/index.ts'
import { openMailer } from '../infra/mail/index.ts'
import { connectPostgres } from '../infra/postgres/index.ts'
import { ghostQueries } from '../infra/postgres/queries/ghosts.ts'
import { principalQueries } from '../infra/postgres/queries/principals.ts'
import { testerQueries } from '../infra/postgres/queries/testers.ts'
import { openProcessLock } from '../infra/process-lock/index.ts'
import { tokenFileOf } from '../infra/superadmin/token-file.ts'
import { openVault } from '../infra/vault/index.ts'
import { openCeremonies } from '../infra/webauthn/index.ts'
import { createAccess } from './commands/access/authorise.ts'
import { fenced } from './commands/access/fence.ts'
import { accountsInProcess } from './commands/accounts/gateway.ts'
import { createAggregates } from './commands/execute.ts'
import { bootstrapSuperadmin } from './commands/roster/superadmin.ts'
import type { Config } from './config.ts'
import { buildApp } from './http/app.ts'
import { createMetrics } from './http/metrics.ts'
import { healthRoutes } from './http/routes/health.ts'
import { enrolPage } from './http/routes/enrol-page.ts'
import { enrolmentRoutes } from './http/routes/enrolment.ts'
import { principalRoutes } from './http/routes/principals.ts'
import { ensureFreePort, listenOn } from './listen.ts'
import type { Clock } from './ports.ts'
import { startProjections } from './projections/engine.ts'
import { principals } from './projections/principals.ts'
import { testers } from './projections/testers.ts'
import { tokens } from './projections/tokens.ts'
import { users } from './projections/users.ts'
import { runReactor } from './reactors/engine.ts'
import { mailReactor } from './reactors/mail/mail.ts'
import { mailRules } from './reactors/mail/next-step.ts'
import { createMailWatch } from './reactors/mail/watch.ts'
import { createReleasers, type Releasers } from './releasers.ts'
import { ensureDataDir, openStores } from './stores.ts'
import { inEventStore, inFolder, inPostgres } from './unreachable.ts'

export interface Service {
  /** Where it listens. */
  url: string
  /** The superadmin's token, at the very first start only. */
  firstToken: string | undefined
  close (): Promise<void>
}

export interface ServiceOptions {
  logger: Logger
  /** Told what the operator's terminal should show, in one sentence. */
  tell?: (sentence: string) => void
}

/** Opens the service; a failure releases what was opened before it. Throws StartError for what its reader can mend. */
export const openService = async (config: Config, options: ServiceOptions): Promise<Service> => {
  const { logger } = options
  const releasers = createReleasers()
  const close = () => releasers.run((name, error) => { logger.error({ err: error }, `${name} did not close in order`) })
  try {
    return { ...await open(config, options, releasers), close }
  } catch (error) {
    await close()
    throw error
  }
}

const clock: Clock = { now: () => new Date() }

const open = async (config: Config, { logger, tell = () => {} }: ServiceOptions, releasers: Releasers) => {
  const { dataDir, namespace, publicUrl, roles } = config
  await ensureFreePort(config.http)
  try {
    ensureDataDir(dataDir)
  } catch (error) {
    throw inFolder(error, dataDir)
  }
  const stores = await openStores(config, releasers, (level, sentence) => { logger[level](sentence) })

  // What knows persons: keys before the log, since every event may need them.
  const postgres = await connectPostgres({
    url: stores.postgresUrl, namespace, onError: (error) => { logger.warn({ err: error }, 'a connection to Postgres was lost') }
  }).catch((error: unknown) => { throw inPostgres(error, stores.postgresUrl) })
  releasers.add('the connections to Postgres', () => postgres.close())
  const { pool, database, schemas } = postgres
  const masterKey = loadMasterKey({ file: config.masterKeyFile ?? join(dataDir, 'master.key'), setting: config.masterKey, create: config.masterKeyFile === undefined })
  const [vault, keys] = await Promise.all([openVault({ pool, schema: schemas.vault, masterKey }), openKeys({ pool, schema: schemas.vault, masterKey })])

  // The log, and the right to change who may.
  const log = await openLog({
    url: stores.eventStoreUrl, namespace, vault, onDrop: (error) => { logger.warn({ err: error }, 'a subscription was dropped and is resumed') }
  })
  releasers.add('the log', () => log.close())
  const lock = await openProcessLock({
    url: stores.postgresUrl, schema: schemas.readModels, mode: config.apiProcesses, onChange: (change, error) => { logger.warn({ err: error }, `the process lock was ${change}`) }
  })
  releasers.add('the process lock', () => lock.close())
  const metrics = createMetrics(() => projections.operations.list())
  const events = metrics.observed(fenced(withFailpoint(log, config.failpoint), lock))
  const aggregates = createAggregates(events, ids)
  const access = createAccess({ aggregates, events, lock, clock, ids, onUnnoted: (error) => { logger.warn({ err: error }, 'a refusal could not be entered') } })
  const tokenFile = tokenFileOf(dataDir)
  const firstToken = await bootstrapSuperadmin({ aggregates, ids, clock, tokenFile })
    .catch((error: unknown) => { throw inEventStore(error, stores.eventStoreUrl) })

  // What follows the log.
  const projections = await startProjections({ database, log: events, projectors: [testers, users, tokens, principals], logger, projecting: roles.has('projector') })
  releasers.add('the projections', () => projections.close())
  const { positions } = projections
  const mail = createMailWatch(aggregates)
  if (roles.has('reactor')) {
    const mailer = openMailer({ smtpUrl: config.smtpUrl, outbox: join(dataDir, 'outbox'), from: config.mailFrom })
    releasers.add('the mailer', async () => { mailer.close() })
    const reactor = runReactor({
      events,
      log: logger,
      settled: (id) => { mail.settled(id) },
      reactor: mailReactor({
        aggregates, clock, ids, keys, vault, mailer, publicUrl, rules: mailRules, written: (path) => { tell(`A mail was written: ${path}`) }
      })
    })
    releasers.add('the mail reactor', () => reactor.stop())
  }

  // The door.
  const accountsDeps = { aggregates, ids, clock, ghosts: ghostQueries(database), positions, graceMs: config.ghostGraceMs }
  const accounts = config.accounts === undefined ? accountsInProcess(accountsDeps) : accountsOverHttp(config.accounts)
  const testerDeps = { aggregates, ids, keys, clock, vault, accounts, mail, testers: testerQueries(database), linkTtlMs: config.linkTtlMs }
  const ceremonies = openCeremonies({ publicUrl })
  const health = healthRoutes({
    stores: { event_store: () => log.ping(), postgres: () => database.query('select 1') }, projections: () => projections.operations.list(), metrics
  })
  const { tls, trustedProxies } = config.http
  const app = await buildApp({
    access,
    metrics,
    keys,
    ids,
    clock,
    positions,
    logger,
    trustedProxies,
    ...tls !== undefined && { tls: { cert: readFileSync(tls.certFile, 'utf8'), key: readFileSync(tls.keyFile, 'utf8') } },
    routes: roles.has('api')
      ? [health, principalRoutes({ aggregates, ids, vault, principals: principalQueries(database) }), enrolPage(), enrolmentRoutes({ aggregates, keys, ids, vault, ceremonies })]
      : [health]
  })
  releasers.add('the HTTP server', () => app.close())
  const url = await listenOn(app, config.http)
  return { url, firstToken, testerDeps }
}

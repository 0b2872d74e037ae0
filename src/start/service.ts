// The composition root: opens everything in order, joins it, and releases it in reverse.
import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import { withFailpoint } from '../../infra/failpoints.ts'
import { uuidIds as ids } from '../../infra/ids.ts'
import { consumerQueries } from '../../infra/postgres/queries/consumers.ts'
import { erasureQueries } from '../../infra/postgres/queries/erasures.ts'
import { StartError } from '../start-error.ts'
import { tokenFileOf } from '../../infra/superadmin/token-file.ts'
import { createAccess } from '../commands/access/authorise.ts'
import { fenced } from '../commands/access/fence.ts'
import { applyPurges } from '../commands/erasure/apply-purges.ts'
import { createAggregates } from '../commands/execute.ts'
import { bootstrapSuperadmin } from '../commands/roster/superadmin.ts'
import type { Config } from '../config.ts'
import { openFoundation } from './foundation.ts'
import { buildApp } from '../http/app.ts'
import { createMetrics } from '../http/metrics.ts'
import { registerPublisherMetrics } from '../http/publisher-metrics.ts'
import { registerRotationMetrics } from '../http/rotation-metrics.ts'
import { ensureFreePort, listenOn } from './listen.ts'
import type { Clock } from '../ports.ts'
import { audit } from '../projections/audit.ts'
import { consumers } from '../projections/consumers.ts'
import { startProjections } from '../projections/engine.ts'
import { erasures } from '../projections/erasures.ts'
import { lifecycle } from '../projections/lifecycle.ts'
import { principals } from '../projections/principals.ts'
import { rotations as rotationModel } from '../projections/rotations.ts'
import { testers } from '../projections/testers.ts'
import { tokens } from '../projections/tokens.ts'
import { users } from '../projections/users.ts'
import { createMailWatch } from '../reactors/mail/watch.ts'
import { openLifecycle } from './publisher.ts'
import { startReactors } from './reactors.ts'
import { openRedisSource } from './redis.ts'
import { createReleasers, type Releasers } from './releasers.ts'
import { openRotations } from './rotations.ts'
import { routesOf } from './routes.ts'

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
const projectors = [testers, users, tokens, principals, audit, lifecycle, erasures, consumers, rotationModel]

const open = async (config: Config, { logger, tell = () => {} }: ServiceOptions, releasers: Releasers) => {
  const { dataDir, roles } = config
  await ensureFreePort(config.http)
  const { postgres, vault, destroyer, keys, values, log, lock } = await openFoundation(config, logger, releasers)
  const erasureIndex = erasureQueries(postgres.database)
  const brought = await applyPurges({ events: log, erasures: erasureIndex, keys: destroyer })
  if (brought > 0) logger.warn({ keys: brought }, 'the vault held keys of erased persons, as an older copy does; they were destroyed again')
  const metrics = createMetrics(() => projections.operations.list())
  const events = metrics.observed(fenced(withFailpoint(log, config.failpoint), lock))
  const aggregates = createAggregates(events, ids)
  const access = createAccess({ aggregates, events, lock, clock, ids, onUnnoted: (error) => { logger.warn({ err: error }, 'a refusal could not be entered') } })
  const firstToken = await bootstrapSuperadmin({ aggregates, ids, clock, tokenFile: tokenFileOf(dataDir) })

  // What follows the log.
  const projections = await startProjections({ database: postgres.database, log: events, projectors, logger, projecting: roles.has('projector') })
  releasers.add('the projections', () => projections.close())
  const mail = createMailWatch(aggregates)
  // Behind the start: a Redis may have to be fetched first, and no command needs it.
  const redis = roles.has('publisher') ? openRedisSource({ config, logger, tell }) : undefined
  if (redis !== undefined) releasers.add('Redis', () => redis.close())
  const rotations = openRotations({ config, access, aggregates, clock, events, ids, keys, lock, logger, postgres, redis, values }, releasers)
  if (roles.has('reactor')) {
    startReactors({ config, logger, tell, aggregates, clock, destroyer, events, ids, keys, mail, metrics, postgres, projections, rotations, vault }, releasers)
  }
  registerRotationMetrics(metrics.registry, { rotations: rotations.queries, clock, rules: rotations.deps.rules })

  const lifecycleStream = openLifecycle({ config, aggregates, clock, events, ids, keys, logger, redis, consumers: () => consumerQueries(postgres.database).registered(), retired: () => consumerQueries(postgres.database).retired() }, releasers)
  const { publisher } = lifecycleStream
  if (publisher !== undefined) registerPublisherMetrics(metrics.registry, () => publisher.status())

  // The door.
  const { tls, trustedProxies } = config.http
  const app = await buildApp({
    access,
    keys,
    ids,
    clock,
    positions: projections.positions,
    readModelsAway: postgres.database.isPassing,
    logger,
    metrics,
    trustedProxies,
    ...tls !== undefined && { tls: { cert: readPem(tls.certFile, 'CHANCERY_TLS_CERT'), key: readPem(tls.keyFile, 'CHANCERY_TLS_KEY') } },
    routes: routesOf({ config, aggregates, clock, events, ids, keys, lifecycleStream, mail, metrics, postgres, projections, redis, rotations, vault })
  })
  releasers.add('the HTTP server', () => app.close())
  const url = await listenOn(app, config.http)
  return { url, firstToken }
}

const readPem = (file: string, setting: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new StartError(`The file of ${setting} cannot be read: ${(error as Error).message}`, ['check its path and that this account may read it'], { cause: error })
  }
}

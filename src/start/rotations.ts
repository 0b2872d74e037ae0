// Joins what rotations need from outside: the vault's values, vendors, consumers, tickets, and the one way out by HTTP.
import type { Logger } from 'pino'
import { createDeliveries, type OpenDeliveries } from '../../infra/deliveries/index.ts'
import { createOutgoing } from '../../infra/outgoing/index.ts'
import type { Postgres } from '../../infra/postgres/index.ts'
import { rotationQueries } from '../../infra/postgres/queries/rotations.ts'
import { createTickets } from '../../infra/tickets/index.ts'
import { openAccounts } from '../../infra/vendors/accounts.ts'
import { createVendors } from '../../infra/vendors/index.ts'
import type { Access } from '../commands/access/access.ts'
import type { Aggregates } from '../commands/execute.ts'
import type { RotationDeps } from '../commands/rotations/deps.ts'
import { lendValue } from '../commands/rotations/lend.ts'
import { subscriberKeys } from '../commands/subscribers/subscribers.ts'
import type { Config } from '../config.ts'
import { errorName } from '../error-name.ts'
import { createStreamWatch, type StreamWatch } from '../http/stream-watch.ts'
import type { Clock, EventStore, Ids, Keys, ProcessLock, RedisSource } from '../ports.ts'
import type { CredentialValues } from '../rotation-ports.ts'
import type { RotationQueries } from '../rotation-queries.ts'
import { ownTokens } from './own-tokens.ts'
import type { Releasers } from './releasers.ts'

export interface RotationParts {
  config: Config
  access: Pick<Access, 'judge'>
  aggregates: Aggregates
  clock: Clock
  events: EventStore
  ids: Ids
  keys: Pick<Keys, 'webhookSecret'>
  logger: Pick<Logger, 'warn'>
  lock: ProcessLock
  postgres: Postgres
  /** Absent where this process does not publish; then the settings say where Redis is, if there is one. */
  redis: Pick<RedisSource, 'url'> | undefined
  values: CredentialValues
}

export interface Rotations {
  deps: RotationDeps & { deliveries: OpenDeliveries }
  queries: RotationQueries
  watch: StreamWatch
}

/** Throws StartError for a file of vendor accounts that is not as it should be. */
export const openRotations = (parts: RotationParts, releasers: Releasers): Rotations => {
  const { config, access, aggregates, clock, events, ids, keys, lock, logger, postgres, redis, values } = parts
  const accounts = openAccounts(config.vendorAccountsFile)
  const outgoing = createOutgoing(config.outgoing)
  releasers.add('requests to vendors and consumers', () => outgoing.close())
  const deliveries = createDeliveries({
    outgoing, keys, clock,
    redis: { url: () => redis?.url() ?? config.redisUrl, stream: config.rotationStream }
  })
  releasers.add('deliveries', async () => { deliveries.close() })
  const watch = createStreamWatch({ events, onLost: (error) => { logger.warn({ error: errorName(error) }, 'news of rotations cannot be followed and are taken up again') } })
  releasers.add('the watch over streams', () => watch.stop())

  const vendors = createVendors({
    outgoing,
    accounts,
    openCredential: (name, call) => lendValue({ aggregates, ids, clock, values }, name, call),
    own: ownTokens({ aggregates, access, ids, clock }),
    fingerprint: (secret) => values.fingerprint(secret)
  })
  return {
    deps: {
      aggregates,
      events,
      ids,
      clock,
      values,
      vendors,
      deliveries,
      keys: subscriberKeys({ aggregates }, () => lock.mode === 'single' && lock.proven()),
      tickets: createTickets({ outgoing, freescout: config.freescout }),
      rules: {
        proofMaxAgeMs: config.proofMaxAgeMs,
        valueGraceMs: config.valueGraceMs,
        // Not what the settings say: who lost the lock must not take the other's claims for those of the dead.
        get alone () { return lock.mode === 'single' && lock.proven() }
      }
    },
    queries: rotationQueries(postgres.database),
    watch
  }
}

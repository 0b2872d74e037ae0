// What everything else stands on: the stores, the keys, the log and the process lock, opened in this order.
import { join } from 'node:path'
import type { Logger } from 'pino'
import { holdsFacts, openLog, type Log } from '../../infra/eventstore/index.ts'
import { loadMasterKey, openKeys } from '../../infra/keys/index.ts'
import { connectPostgres, type Postgres } from '../../infra/postgres/index.ts'
import { openProcessLock, type OpenProcessLock } from '../../infra/process-lock/index.ts'
import { openVault } from '../../infra/vault/index.ts'
import { openCredentialValues } from '../../infra/vault/values.ts'
import type { Config } from '../config.ts'
import type { KeyDestroyer, Keys, Vault } from '../ports.ts'
import type { CredentialValues } from '../rotation-ports.ts'
import type { Releasers } from './releasers.ts'
import { ensureDataDir, openStores } from './stores.ts'
import { inEventStore, inFolder, inPostgres } from './unreachable.ts'

export interface Foundation { postgres: Postgres, vault: Vault, destroyer: KeyDestroyer, keys: Keys, values: CredentialValues, log: Log, lock: OpenProcessLock }

/** Opens all of it; each part is on the releasers' list as soon as it is open. Throws StartError. */
export const openFoundation = async (config: Config, logger: Logger, releasers: Releasers): Promise<Foundation> => {
  const { dataDir, namespace } = config
  try {
    ensureDataDir(dataDir)
  } catch (error) {
    throw inFolder(error, dataDir)
  }
  const { postgresUrl, eventStoreUrl } = await openStores(config, releasers, (level, sentence) => { logger[level](sentence) })

  const postgres = await connectPostgres({
    url: postgresUrl, namespace, onError: (error) => { if (!releasers.running()) logger.warn({ err: error }, 'a connection to Postgres was lost') }
  }).catch((error: unknown) => { throw inPostgres(error, postgresUrl) })
  releasers.add('the connections to Postgres', () => postgres.close())

  // Keys come before the log, since every event may need them.
  const { pool, schemas } = postgres
  const masterKey = loadMasterKey({ file: config.masterKeyFile ?? join(dataDir, 'master.key'), setting: config.masterKey, create: config.masterKeyFile === undefined })
  // An empty vault under a log with facts is a lost one: new keys would make every address look unknown.
  const isNew = async () => !await holdsFacts({ url: eventStoreUrl, namespace })
    .catch((error: unknown) => { throw inEventStore(error, eventStoreUrl) })
  const options = { pool, schema: schemas.vault, masterKey, isNew }
  const [vault, keys, values] = await Promise.all([openVault(options), openKeys(options), openCredentialValues(options)])

  const log = await openLog({
    url: eventStoreUrl, namespace, vault, onDrop: (error) => { if (!releasers.running()) logger.warn({ err: error }, 'a subscription was dropped and is resumed') }
  })
  releasers.add('the log', () => log.close())
  await log.ping().catch((error: unknown) => { throw inEventStore(error, eventStoreUrl) })

  const lock = await openProcessLock({
    url: postgresUrl, schema: schemas.readModels, mode: config.apiProcesses, onChange: (change, error) => { logger.warn({ err: error }, `the process lock was ${change}`) }
  })
  releasers.add('the process lock', () => lock.close())
  return { postgres, vault, destroyer: vault, keys, values, log, lock }
}

// The composition root: opens everything in order, joins it, and releases it in reverse.
import type { Logger } from 'pino'
import { connectPostgres } from '../infra/postgres/index.ts'
import type { Config } from './config.ts'
import { createReleasers } from './releasers.ts'
import { ensureDataDir, openStores } from './stores.ts'

export interface Service {
  /** Where it listens. */
  url: string
  /** The superadmin's token, at the very first start only. */
  firstToken: string | undefined
  close (): Promise<void>
}

/**
 * Opens the service; a failure releases what was opened before it. Throws StartError for what its reader can mend.
 */
export const openService = async (config: Config, { logger }: { logger: Logger }): Promise<Service> => {
  const releasers = createReleasers()
  const close = () => releasers.run((name, error) => { logger.error({ err: error }, `${name} did not close in order`) })
  try {
    ensureDataDir(config.dataDir)
    const stores = await openStores(config, releasers, (level, sentence) => { logger[level](sentence) })
    const postgres = await connectPostgres({
      url: stores.postgresUrl, namespace: config.namespace, onError: (error) => { logger.warn({ err: error }, 'a connection to Postgres was lost') }
    })
    releasers.add('the connections to Postgres', () => postgres.close())
    return { url: `http://${config.http.host}:${config.http.port}`, firstToken: undefined, close }
  } catch (error) {
    await close()
    throw error
  }
}

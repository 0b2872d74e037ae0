// `keys rotate`: with the service stopped, wraps every key of the vault again under another master key (decision 16).
import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadMasterKey, type MasterKey } from '../../infra/keys/index.ts'
import { connectPostgres } from '../../infra/postgres/index.ts'
import { openProcessLock } from '../../infra/process-lock/index.ts'
import { StartError } from '../start-error.ts'
import { rotateMasterKey } from '../../infra/vault/index.ts'
import type { Config } from '../config.ts'
import { createReleasers } from '../start/releasers.ts'
import { openStores } from '../start/stores.ts'
import { inPostgres } from '../start/unreachable.ts'

export interface Rotation {
  /** Keys wrapped again; 0 if an earlier run that was cut off had done it. */
  wrapped: number
  /** Where the new key is. */
  file: string
  /** Where the old one is kept: backups of the vault from before need it. Undefined if it was not ours to move. */
  old: string | undefined
}

/**
 * Repeatable: a run that was cut off is completed by the next.
 * @param newKeyFile holds the new key; undefined: `master.key` of the data folder is replaced by a new one
 * @throws StartError if the service runs, a store cannot be reached, or a key cannot be read
 */
export const rotate = async (config: Config, newKeyFile: string | undefined): Promise<Rotation> => {
  const own = join(config.dataDir, 'master.key')
  if (newKeyFile === undefined && (config.masterKey !== undefined || config.masterKeyFile !== undefined)) {
    throw new StartError('the master key comes from a setting, so its successor has to come from you', ['pass the file that holds it: --to FILE'])
  }
  const next = `${own}.next`
  const from = loadMasterKey({ file: config.masterKeyFile ?? own, setting: config.masterKey, create: false })
  const to = loadMasterKey({ file: newKeyFile ?? next, create: newKeyFile === undefined })
  const wrapped = await wrapAgain(config, from, to)
  if (newKeyFile !== undefined) return { wrapped, file: newKeyFile, old: undefined }

  const old = `${own}.${from.id}.old`
  if (!existsSync(old)) linkSync(own, old)
  renameSync(next, own)
  flush(dirname(own))
  return { wrapped, file: own, old }
}

const wrapAgain = async (config: Config, from: MasterKey, to: MasterKey): Promise<number> => {
  const releasers = createReleasers()
  try {
    const { postgresUrl } = await openStores(config, releasers, () => {})
    const postgres = await connectPostgres({ url: postgresUrl, namespace: config.namespace, onError: () => {} })
      .catch((error: unknown) => { throw inPostgres(error, postgresUrl) })
    releasers.add('the connections to Postgres', () => postgres.close())
    const { pool, schemas } = postgres
    // A service that ran on with the old key could store no new one: nobody may run meanwhile.
    const lock = await openProcessLock({ url: postgresUrl, schema: schemas.readModels, mode: 'single' })
    releasers.add('the process lock', () => lock.close())
    return await rotateMasterKey({ pool, schema: schemas.vault, from, to })
  } finally {
    await releasers.run(() => {})
  }
}

const flush = (folder: string): void => {
  const handle = openSync(folder, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

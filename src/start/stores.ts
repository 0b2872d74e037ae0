// The servers below: those of the settings, or local ones in the data folder.
import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { lockFolder } from '../../infra/local/children/folder-lock.ts'
import { supervise, type SuperviseOptions } from '../../infra/local/children/supervise.ts'
import { startEventStore } from '../../infra/local/eventstore-child.ts'
import { openPostgres } from '../../infra/local/postgres/index.ts'
import type { Config } from '../config.ts'
import { logFile } from './logger.ts'
import type { Releasers } from './releasers.ts'

export interface Stores { eventStoreUrl: string, postgresUrl: string }

/** Makes the data folder; everything secret in it is protected by itself, since Postgres's account may have to pass. */
export const ensureDataDir = (dataDir: string): void => {
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700
  if (mkdirSync(dataDir, { recursive: true, mode }) !== undefined) chmodSync(dataDir, mode)
  accessSync(dataDir, constants.W_OK | constants.X_OK)
}

/** Starts what is not configured, both at once; a local store takes the folder's lock first. Throws StartError. */
export const openStores = async (config: Config, releasers: Releasers, say: SuperviseOptions['say']): Promise<Stores> => {
  const { dataDir, eventStoreUrl, postgresUrl } = config
  if (eventStoreUrl === undefined || postgresUrl === undefined) {
    const lock = await lockFolder(dataDir)
    releasers.add('the lock of the data folder', () => lock.release())
  }
  const runFolder = join(dataDir, 'run')

  const localPostgres = async () => {
    const logTo = logFile(dataDir, 'postgres.log')
    const postgres = await supervise({
      name: 'Postgres',
      key: 'postgres',
      signals: { ask: 'SIGINT', force: 'SIGQUIT' },
      start: (port) => openPostgres({ home: join(dataDir, 'postgres'), logFile: logTo, port })
    }, { runFolder, say })
    releasers.add('Postgres', () => postgres.stop())
    return postgres.first.url
  }

  const localEventStore = async () => {
    const logTo = logFile(dataDir, 'eventstore.log')
    const store = await supervise({
      name: 'The event store',
      key: 'eventstore',
      signals: { ask: 'SIGTERM', force: 'SIGKILL' },
      start: (port) => startEventStore({ dataDir: join(dataDir, 'eventstore'), logFile: logTo, port })
    }, { runFolder, say })
    releasers.add('the event store', () => store.stop())
    return store.first.url
  }

  // Both are waited for before a failure is passed on, so that the one that did start is released.
  const [events, rows] = await Promise.allSettled([eventStoreUrl ?? localEventStore(), postgresUrl ?? localPostgres()])
  if (events.status === 'rejected') throw events.reason
  if (rows.status === 'rejected') throw rows.reason
  return { eventStoreUrl: events.value, postgresUrl: rows.value }
}

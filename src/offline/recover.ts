// `superadmin recover`: with the service stopped, whoever has the data folder makes a new superadmin token (decision 7).
import { pino } from 'pino'
import { uuidIds as ids } from '../../infra/ids.ts'
import { tokenFileOf } from '../../infra/superadmin/token-file.ts'
import { fenced } from '../commands/access/fence.ts'
import { createAggregates } from '../commands/execute.ts'
import { recoverSuperadmin } from '../commands/roster/superadmin.ts'
import type { Config } from '../config.ts'
import { openFoundation } from '../start/foundation.ts'
import { createReleasers } from '../start/releasers.ts'

/**
 * Appends the recovery as a fact and leaves the token in `superadmin.token`.
 * Throws StartError if the service runs (it holds the data folder or the process lock) or a part cannot be opened.
 */
export const recover = async (config: Config): Promise<{ token: string, file: string }> => {
  const releasers = createReleasers()
  try {
    const logger = pino({ level: 'silent' })
    const { log, lock } = await openFoundation(config, logger, releasers)
    const tokenFile = tokenFileOf(config.dataDir)
    const aggregates = createAggregates(fenced(log, lock), ids)
    const token = await recoverSuperadmin({ aggregates, ids, clock: { now: () => new Date() }, tokenFile })
    return { token, file: tokenFile.path }
  } finally {
    await releasers.run(() => {})
  }
}

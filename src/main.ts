// Entry of `npm start`: reads the settings, opens the service, says where it is, stops it in order.
import closeWithGrace from 'close-with-grace'
import { banner, failure } from './start/banner.ts'
import { readConfig } from './config.ts'
import { createLogger } from './start/logger.ts'
import { openService } from './start/service.ts'

/** Everything has limits of its own; this one is for what nobody thought of. */
const STOP_LIMIT_MS = 30_000
/** npm passes Ctrl-C on to a process that the terminal has already told: both are one wish. */
const SAME_WISH_MS = 1_000

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const start = async (): Promise<void> => {
  const config = readConfig()
  const logger = createLogger(config, process.stderr.isTTY ? process.stderr : undefined)
  const opening = openService(config, { logger, tell: (sentence) => { process.stdout.write(`${sentence}\n`) } })

  const grace = closeWithGrace({ delay: STOP_LIMIT_MS, logger, skip: [...stopSignals] }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, 'stopping after an error that nobody caught')
    const service = await opening.catch(() => undefined)
    await service?.close()
  })
  let asked: number | undefined
  for (const signal of stopSignals) {
    process.on(signal, () => {
      if (asked === undefined) {
        asked = Date.now()
        if (process.stdout.isTTY) process.stdout.write('\nStopping …\n')
        grace.close()
      } else if (Date.now() - asked > SAME_WISH_MS) {
        process.stderr.write('Stopped at once; what was left running is stopped at the next start.\n')
        process.exit(1)
      }
    })
  }

  try {
    const service = await opening
    process.stdout.write(banner(config, service))
  } catch (error) {
    logger.debug({ err: error }, 'could not start')
    throw error
  }
}

try {
  await start()
} catch (error) {
  process.stderr.write(failure(error))
  process.exit(1)
}

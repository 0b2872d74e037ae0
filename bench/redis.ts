// A Redis of the bench's own: the system's, or the one that is fetched once, on the disk that is measured.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLocalRedis, provideProgram, type LocalRedis } from '../infra/local/redis/index.ts'

/** With append-only file, as the local stack has it. */
export const startRedis = async (dir: string): Promise<LocalRedis> => {
  const program = await provideProgram({
    folder: fileURLToPath(new URL('../../node_modules/.cache/chancery/redis', import.meta.url)),
    tools: { PATH: process.env['PATH'] ?? '' },
    say: (sentence) => { process.stderr.write(`${sentence}\n`) },
    signal: AbortSignal.timeout(600_000)
  })
  return openLocalRedis({ home: join(dir, 'redis'), program, logFile: join(dir, 'redis.log'), port: 0 })
}

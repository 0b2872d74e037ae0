// One process at a time works on a data folder: a lock that the kernel releases, however its holder ends (ADR 0031).
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { StartError } from '../../../src/start-error.ts'

export interface FolderLock { release (): Promise<void> }

/**
 * Takes the lock of an existing folder. It is an abstract socket named after the folder's inode: nothing to clean up
 * after a kill, and no process number to mistake.
 * Throws StartError if another process holds it.
 */
export const lockFolder = async (folder: string): Promise<FolderLock> => {
  const { dev, ino } = statSync(folder)
  const holder = join(folder, 'holder.pid')
  const server = createServer((socket) => socket.destroy())
  try {
    await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(`\0chancery-data-${dev}-${ino}`, () => { resolve() }) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new StartError(`The data folder ${folder} is in use by another Chancery${processOf(holder)}.`, [
      'stop that one first (Ctrl-C in its terminal)', 'or give this one a folder of its own: CHANCERY_DATA_DIR=./other'
    ], { cause: error })
  }
  server.unref()
  writeFileSync(holder, String(process.pid))
  return {
    release: () => new Promise((resolve) => {
      rmSync(holder, { force: true })
      server.close(() => { resolve() })
    })
  }
}

const processOf = (holder: string): string => {
  try {
    return ` (process ${readFileSync(holder, 'utf8')})`
  } catch {
    return ''
  }
}

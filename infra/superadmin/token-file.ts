// `superadmin.token` in the data folder: the first token, for its owner, the command line and the demo.
import { open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export const tokenFileOf = (dataDir: string) => {
  const path = join(dataDir, 'superadmin.token')
  return {
    path,
    read: async (): Promise<string | undefined> => {
      try {
        return (await readFile(path, 'utf8')).trim()
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    /** Returns once the token is on disk under its name: only then may its fact be appended (decision 7). */
    write: async (token: string): Promise<void> => {
      const unfinished = `${path}.new`
      const file = await open(unfinished, 'w', 0o600)
      try {
        await file.writeFile(`${token}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(unfinished, path)
      const folder = await open(dirname(path), 'r')
      try {
        await folder.sync()
      } finally {
        await folder.close()
      }
    }
  }
}

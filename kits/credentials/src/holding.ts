// What the consumer holds of each credential, kept where a restart finds it: without the last number an old delivery would look new.
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'

export interface Holding { value: string, valueId: string, deliverySeq: number }

/** Where holdings are kept. `save` has kept it when it resolves. */
export interface CredentialStore {
  load (credential: string): Promise<Holding | undefined>
  save (credential: string, holding: Holding): Promise<void>
}

/** Forgets with the process: it fetches again at its start, and takes whatever it is given first. */
export const memoryStore = (): CredentialStore => {
  const kept = new Map<string, Holding>()
  return {
    load: async (credential) => kept.get(credential),
    save: async (credential, holding) => { kept.set(credential, holding) }
  }
}

/** One file for each credential, in a folder of its own (0700, files 0600): the values are in it as they are. */
export const fileStore = (folder: string): CredentialStore => {
  const fileOf = (credential: string): string => {
    if (!/^[a-z][a-z0-9-]{0,47}$/.test(credential)) throw new Error('that is no name of a credential')
    return join(folder, `${credential}.json`)
  }
  return {
    load: async (credential) => {
      const file = fileOf(credential)
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined
        throw error
      })
      if (text === undefined) return undefined
      const { value, valueId, deliverySeq } = parsed(text)
      if (typeof value !== 'string' || typeof valueId !== 'string' || typeof deliverySeq !== 'number') throw new Error(`${file} is damaged: remove it, and the value is fetched again`)
      return { value, valueId, deliverySeq }
    },
    save: async (credential, holding) => {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const file = fileOf(credential)
      const draft = `${file}.${randomBytes(6).toString('hex')}.new`
      const handle = await open(draft, 'wx', 0o600)
      try {
        await handle.writeFile(JSON.stringify(holding))
        await handle.sync()
        await handle.close()
        await rename(draft, file)
      } catch (error) {
        await handle.close().catch(() => {})
        await unlink(draft).catch(() => {})
        throw error
      }
    }
  }
}

const parsed = (text: string): Record<string, unknown> => {
  try {
    return (JSON.parse(text) ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}

// Where the service is and who asks: from the environment, then from the data folder, never from the command line.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from './failures.ts'
import type { Surroundings } from './terminal.ts'

export interface Settings {
  url: URL
  dataDir: string
  /** Read when the first request needs it, so that `--help` and public routes need none. */
  token (): string
}

/**
 * Reads `CHANCERY_URL` (default: loopback at `CHANCERY_HTTP_PORT`, so 8420), `CHANCERY_TOKEN` (default:
 * `superadmin.token` in the data folder) and `CHANCERY_DATA_DIR` (default ./data).
 * A token is not taken as an option: it would stand in the shell's history and in the process list.
 */
export const readSettings = ({ env }: Pick<Surroundings, 'env'>): Settings => {
  const dataDir = env['CHANCERY_DATA_DIR'] ?? 'data'
  return { url: readUrl(env['CHANCERY_URL'] ?? `http://127.0.0.1:${env['CHANCERY_HTTP_PORT'] ?? '8420'}`), dataDir, token: () => env['CHANCERY_TOKEN'] ?? fileToken(dataDir) }
}

const readUrl = (text: string): URL => {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new Failure('usage', `CHANCERY_URL is not an http address: ${text}`)
  }
  return new URL(text)
}

const fileToken = (dataDir: string): string => {
  const file = join(dataDir, 'superadmin.token')
  try {
    const token = readFileSync(file, 'utf8').trim()
    if (token !== '') return token
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') {
      throw new Failure('access', `${file} belongs to somebody else. Run as its owner, or set CHANCERY_TOKEN.`)
    }
  }
  throw new Failure('access', `No access token: set CHANCERY_TOKEN, or run in the folder whose ${file} the service has written.`)
}

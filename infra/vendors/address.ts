// Connection strings as values: an address of the manifest with a name and a password in it, and the way back.
import { Secret } from '../../src/domain/credential/secret.ts'

export interface Account {
  url: URL
  user: string
  password: Secret
}

/** Parameters that would put another name, password or server in the place of those that the URL shows. */
const FORBIDDEN = ['user', 'username', 'password', 'host', 'hostaddr', 'port', 'dbname', 'database', 'service', 'passfile', 'db']

/** Parameters that would have this machine's files read; a certificate authority of one's own comes by NODE_EXTRA_CA_CERTS. */
const FILES = ['sslcert', 'sslkey', 'sslrootcert', 'sslcrl', 'sslcrldir']

/** What a connection string says; undefined if it is none, or leaves name or password to somebody's defaults. */
export const accountIn = (value: Secret, protocols: readonly string[]): Account | undefined => {
  const url = parsed(value.reveal())
  if (url === undefined || !protocols.includes(url.protocol) || url.hostname === '' || url.username === '' || url.password === '') return undefined
  if ([...FORBIDDEN, ...FILES].some((name) => url.searchParams.has(name))) return undefined
  try {
    return { url, user: decodeURIComponent(url.username), password: new Secret(decodeURIComponent(url.password)) }
  } catch {
    return undefined
  }
}

/** The value made of an address, a name and a password. */
export const valueOf = (address: string, user: string, password: string): Secret => {
  const url = new URL(address)
  url.username = encodeURIComponent(user)
  url.password = encodeURIComponent(password)
  return new Secret(url.href)
}

/** What is wrong with a manifest's address, in sentences. */
export const addressProblems = (address: string, example: string): string[] => {
  const url = parsed(address)
  if (url === undefined || url.hostname === '') return [`vendor.address is no address: it should be like ${example}`]
  return [
    ...url.username !== '' || url.password !== '' ? ['vendor.address holds a name or a password: leave both out, each value gets its own'] : [],
    ...FORBIDDEN.filter((name) => url.searchParams.has(name)).map((name) => `vendor.address has the parameter ${name}: say it in the address itself, or not at all`),
    ...FILES.filter((name) => url.searchParams.has(name)).map((name) => `vendor.address has the parameter ${name}: no file of this machine can be named there; NODE_EXTRA_CA_CERTS adds a certificate authority`)
  ]
}

/** An address as exchanges show it: without name, password and parameters. */
export const shown = ({ protocol, host, pathname }: URL): string => `${protocol}//${host}${pathname}`

const parsed = (text: string): URL | undefined => {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

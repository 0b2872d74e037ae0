// The five kinds of vendors behind one port.
import type { ManifestError } from '../../src/domain/credential/manifest-check.ts'
import { isWhole, type ManifestParts } from '../../src/domain/credential/manifest-parts.ts'
import type { Secret } from '../../src/domain/credential/secret.ts'
import { connectedAddresses } from '../../src/domain/credential/vendor-address.ts'
import { assertNever } from '../../src/domain/event.ts'
import type { OpenConnection, OpenedConnection, VendorGateway, Vendors } from '../../src/rotation-ports.ts'
import type { Outgoing } from '../outgoing/index.ts'
import type { Accounts, VendorAccount } from './accounts.ts'
import { callProblems, consumerProblems } from './calls.ts'
import { chanceryTokenProblems, chanceryTokenVendor, type OwnTokens } from './chancery-token.ts'
import { httpVendor } from './http.ts'
import { manualVendor } from './manual.ts'
import { postgresRoleProblems, postgresRoleVendor } from './postgres-role.ts'
import { redisAclProblems, redisAclVendor } from './redis-acl.ts'

export interface VendorsOptions {
  outgoing: Outgoing
  accounts: Accounts
  /** The current value of another credential that a manifest names as its connection; undefined if it has none, `elsewhere` if it is for other addresses. */
  openCredential: (credential: string, call: { for: string, address: string }) => Promise<OpenedConnection>
  own: OwnTokens
  /** Keyed hash of the vault (`CredentialValues.fingerprint`). */
  fingerprint: (secret: Secret) => string
}

export const createVendors = ({ outgoing, accounts, openCredential, own, fingerprint }: VendorsOptions): Vendors => {
  const open: OpenConnection = async (connection, call) => 'account' in connection ? ofAccount(accounts.account(connection.account), call.address) : await openCredential(connection.credential, call)
  /** Opened for each call, never kept. */
  const opener = ({ credential, manifest: { connection } }: Described) => async (address: string): Promise<OpenedConnection> =>
    connection === undefined ? undefined : await open(connection, { for: credential, address })
  /** For vendors whose connection says itself where it leads. */
  const strings = (described: Described, address: string) => async (): Promise<Secret | undefined> => {
    const opened = await opener(described)(address)
    return opened === 'elsewhere' ? undefined : opened
  }

  return {
    gateway: (described): VendorGateway => {
      const { manifest: { vendor } } = described
      switch (vendor.kind) {
        case 'http': return httpVendor({ vendor, connection: opener(described), outgoing })
        case 'manual': return manualVendor({ vendor, outgoing })
        case 'chancery-token': return chanceryTokenVendor({ vendor, own })
        case 'postgres-role': return postgresRoleVendor({ vendor, connection: strings(described, vendor.address) })
        case 'redis-acl': return redisAclVendor({ vendor, connection: strings(described, vendor.address), fingerprint })
        default: return assertNever(vendor)
      }
    },
    check: async (described) => {
      const { manifest } = described
      const { vendor } = manifest
      const problems = [...connectionProblems(manifest, accounts), ...consumerProblems(manifest.consumers ?? [], outgoing)]
      if (vendor?.kind === 'http' || vendor?.kind === 'manual') return [...problems, ...callProblems(vendor, outgoing)]
      if (!isWhole(vendor)) return problems
      switch (vendor.kind) {
        case 'chancery-token': return [...problems, ...at('/vendor/principalId', await chanceryTokenProblems({ vendor, own }))]
        case 'postgres-role': return [...problems, ...at('/vendor/address', postgresRoleProblems(vendor))]
        case 'redis-acl': return [...problems, ...at('/vendor', await redisAclProblems({ vendor, connection: strings(described, vendor.address) }))]
        default: return assertNever(vendor)
      }
    }
  }
}

interface Described { credential: string, manifest: Pick<ManifestParts, 'connection'> }

const at = (path: string, messages: readonly string[]): ManifestError[] => messages.map((message) => ({ path, message }))

/** A word that opens an account goes to the hosts that its file names; a connection string is for whoever connects by it, and no header. */
const ofAccount = (account: VendorAccount | undefined, address: string): OpenedConnection => {
  if (account === undefined || !URL.canParse(address)) return undefined
  const { protocol, host } = new URL(address)
  const byHttp = protocol === 'https:' || protocol === 'http:'
  return byHttp ? account.hosts?.has(host) === true ? account.secret : 'elsewhere' : account.hosts === undefined ? account.secret : 'elsewhere'
}

const connectionProblems = ({ connection, vendor }: ManifestParts, accounts: Accounts): ManifestError[] => {
  if (connection === undefined || !('account' in connection)) return []
  const { account: name } = connection
  const account = accounts.account(name)
  const names = accounts.names()
  if (account === undefined) return at('/connection/account', [`connection.account names ${name}, which CHANCERY_VENDOR_ACCOUNTS_FILE does not hold${names.length === 0 ? '; it holds none' : `; it holds ${names.join(', ')}`}. Put it there and restart the service, or name another one, or a credential of Chancery that may mint: {"credential": "…"}.`])
  const foreign = connectedAddresses(vendor).filter((address) => ofAccount(account, address) === 'elsewhere')
  if (foreign.length === 0) return []
  if (vendor?.kind !== 'http') return at('/connection/account', [`The account ${name} is one with hosts, for a vendor of the kind http: CHANCERY_VENDOR_ACCOUNTS_FILE has to hold a connection string as its text.`])
  const hosts = [...new Set(foreign.map((address) => new URL(address).host))]
  return at('/connection/account', [`The account ${name} is not for ${hosts.join(', ')}: CHANCERY_VENDOR_ACCOUNTS_FILE has to name each host that its secret may be sent to, {"${name}": {"secret": …, "hosts": ${JSON.stringify(hosts)}}}.`])
}

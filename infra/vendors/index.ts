// The five kinds of vendors behind one port.
import type { Manifest } from '../../src/domain/credential/manifest.ts'
import type { Secret } from '../../src/domain/credential/secret.ts'
import { assertNever } from '../../src/domain/event.ts'
import type { OpenConnection, VendorGateway, Vendors } from '../../src/rotation-ports.ts'
import type { Outgoing } from '../outgoing/index.ts'
import type { Accounts } from './accounts.ts'
import { callProblems, consumerProblems } from './calls.ts'
import { chanceryTokenProblems, chanceryTokenVendor, type OwnTokens } from './chancery-token.ts'
import { httpVendor } from './http.ts'
import { manualVendor } from './manual.ts'
import { postgresRoleProblems, postgresRoleVendor } from './postgres-role.ts'
import { redisAclProblems, redisAclVendor } from './redis-acl.ts'

export interface VendorsOptions {
  outgoing: Outgoing
  accounts: Accounts
  /** The current value of another credential that a manifest names as its connection; undefined if it has none. */
  openCredential: (credential: string) => Promise<Secret | undefined>
  own: OwnTokens
  /** Keyed hash of the vault (`CredentialValues.fingerprint`). */
  fingerprint: (secret: Secret) => string
}

export const createVendors = ({ outgoing, accounts, openCredential, own, fingerprint }: VendorsOptions): Vendors => {
  const open: OpenConnection = async (connection) => 'account' in connection ? accounts.secret(connection.account) : await openCredential(connection.credential)
  /** Opened for each call, never kept. */
  const opener = ({ connection }: Manifest) => async (): Promise<Secret | undefined> => connection === undefined ? undefined : await open(connection)

  return {
    gateway: ({ manifest }): VendorGateway => {
      const { vendor } = manifest
      const connection = opener(manifest)
      switch (vendor.kind) {
        case 'http': return httpVendor({ vendor, connection, outgoing })
        case 'manual': return manualVendor({ vendor, outgoing })
        case 'chancery-token': return chanceryTokenVendor({ vendor, own })
        case 'postgres-role': return postgresRoleVendor({ vendor, connection })
        case 'redis-acl': return redisAclVendor({ vendor, connection, fingerprint })
        default: return assertNever(vendor)
      }
    },
    check: async ({ manifest }) => {
      const { vendor } = manifest
      const problems = [...connectionProblems(manifest, accounts), ...consumerProblems(manifest.consumers, outgoing)]
      switch (vendor.kind) {
        case 'http': case 'manual': return [...problems, ...callProblems(vendor, outgoing)]
        case 'chancery-token': return [...problems, ...await chanceryTokenProblems({ vendor, own })]
        case 'postgres-role': return [...problems, ...postgresRoleProblems(vendor)]
        case 'redis-acl': return [...problems, ...await redisAclProblems({ vendor, connection: opener(manifest) })]
        default: return assertNever(vendor)
      }
    }
  }
}

const connectionProblems = ({ connection }: Manifest, accounts: Accounts): string[] => {
  if (connection === undefined || !('account' in connection) || accounts.secret(connection.account) !== undefined) return []
  const names = accounts.names()
  return [`connection.account names ${connection.account}, which CHANCERY_VENDOR_ACCOUNTS_FILE does not hold${names.length === 0 ? '; it holds none' : `; it holds ${names.join(', ')}`}.`]
}

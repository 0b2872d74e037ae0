// The program's own secrets in the vault schema: the sentinel that proves the master key, and the root of the purpose keys.
import { createSecretKey, type KeyObject } from 'node:crypto'
import type { Pool } from 'pg'
import { decrypt, deriveKey, encrypt, newKey } from './cipher.ts'
import type { MasterKey } from './master-key.ts'
import { StartError } from '../../src/start-error.ts'

export interface VaultOptions {
  pool: Pool
  /** Name of the schema, `{namespace_}vault`, migrated. */
  schema: string
  masterKey: MasterKey
  /** Asked before an empty vault gets its secrets: false says that facts rest on a vault that was lost. Default: true. */
  isNew?: () => Promise<boolean>
}

/** The key that wraps other keys, never used on anything else. */
export const wrappingKey = ({ key }: MasterKey): KeyObject => deriveKey(key, 'wrapping')

/** The key that seals values of credentials: another than that of keys, so that neither can be taken for the other. */
export const sealingKey = ({ key }: MasterKey): KeyObject => deriveKey(key, 'credential-value')

/** What a wrapped key or a sealed value is bound to, so that rows cannot be exchanged. */
export const boundTo = (table: 'secret' | 'subject' | 'credential_value', name: string): string => `${table}/${name}`

/** Quotes a schema for use in SQL. */
export const quoted = (schema: string): string => `"${schema.replaceAll('"', '""')}"`

/**
 * The root of the keys of all purposes. The program's secrets are made if the vault is empty; of two processes that make them at once, one wins and both get them.
 * They are made together, so that one without the other is a damaged vault and not a new one: another root would make
 * every address look unknown.
 * @throws StartError if the master key does not open them, one is missing, or the vault was lost
 */
export const openSecrets = async ({ pool, schema, masterKey, isNew = async () => true }: VaultOptions): Promise<KeyObject> => {
  const wrapping = wrappingKey(masterKey)
  const table = `${quoted(schema)}.secret`
  const { rowCount } = await pool.query(`select from ${table}`)
  if (rowCount === 0 && !await isNew()) throw lostVault(schema)
  await pool.query(
    `insert into ${table} (name, wrapped, master)
     select n.name, n.wrapped, $3 from unnest($1::text[], $2::bytea[]) as n (name, wrapped) where not exists (select from ${table})
     on conflict (name) do nothing`,
    [names, names.map((name) => encrypt(wrapping, newKey(), boundTo('secret', name))), masterKey.id])
  const { rows } = await pool.query<{ name: string, wrapped: Buffer, master: string }>(`select name, wrapped, master from ${table}`)
  const open = (name: string): KeyObject => {
    const row = rows.find((row) => row.name === name)
    if (row === undefined) throw new StartError(`the vault in schema ${schema} is damaged: its ${name} is missing`, ['Restore the vault from its backup.'])
    const secret = decrypt(wrapping, row.wrapped, boundTo('secret', name))
    if (secret === undefined) throw wrongMasterKey(schema, masterKey, row.master)
    return createSecretKey(secret)
  }
  open('sentinel')
  return open('purposes')
}

const names = ['sentinel', 'purposes']

const lostVault = (schema: string): StartError =>
  new StartError(
    `the vault in schema ${schema} is empty, but the log holds facts that rest on it: no person in them could be read or found again`, [
      'Restore the vault from its backup.',
      'If this is meant to be another installation, give it a namespace of its own (CHANCERY_NAMESPACE).'
    ])

const wrongMasterKey = (schema: string, { id, source, made }: MasterKey, expected: string | undefined): StartError =>
  new StartError(
    `the master key from ${source} (${id}) does not open the vault in schema ${schema}, which was sealed with another (${expected ?? 'unknown'})` +
      (made ? '; there was no key file, and a new one was made' : ''),
    [
      `Restore the master key ${expected ?? ''} from its backup. Without it, personal data stays sealed for good.`,
      'If this is meant to be another installation, give it a database or a namespace of its own.'
    ])

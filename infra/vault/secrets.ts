// The program's own secrets in the vault schema: the sentinel that proves the master key, and the root of the purpose keys.
import { createSecretKey, type KeyObject } from 'node:crypto'
import type { Pool } from 'pg'
import { decrypt, deriveKey, encrypt, newKey } from '../keys/cipher.ts'
import type { MasterKey } from '../keys/master-key.ts'
import { StartError } from '../start-error.ts'

export interface VaultOptions {
  pool: Pool
  /** Name of the schema, `{namespace_}vault`, migrated. */
  schema: string
  masterKey: MasterKey
}

/** The key that wraps other keys, never used on anything else. */
export const wrappingKey = ({ key }: MasterKey): KeyObject => deriveKey(key, 'wrapping')

/** What a wrapped key is bound to, so that rows cannot be exchanged. */
export const boundTo = (table: 'secret' | 'subject', name: string): string => `${table}/${name}`

/** Quotes a schema for use in SQL. */
export const quoted = (schema: string): string => `"${schema.replaceAll('"', '""')}"`

/**
 * The secret of a name, made if the vault holds none yet; of two processes that make it at once, one wins and both get it.
 * @throws StartError if the master key does not open it
 */
export const openSecret = async ({ pool, schema, masterKey }: VaultOptions, name: 'sentinel' | 'purposes'): Promise<KeyObject> => {
  const wrapping = wrappingKey(masterKey)
  const table = `${quoted(schema)}.secret`
  const stored = async () => {
    const { rows } = await pool.query<{ wrapped: Buffer, master: string }>(`select wrapped, master from ${table} where name = $1`, [name])
    return rows[0]
  }
  let row = await stored()
  if (row === undefined) {
    const wrapped = encrypt(wrapping, newKey(), boundTo('secret', name))
    await pool.query(`insert into ${table} (name, wrapped, master) values ($1, $2, $3) on conflict (name) do nothing`, [name, wrapped, masterKey.id])
    row = await stored()
  }
  const secret = row && decrypt(wrapping, row.wrapped, boundTo('secret', name))
  if (row === undefined || secret === undefined) throw wrongMasterKey(schema, masterKey, row?.master)
  return createSecretKey(secret)
}

const wrongMasterKey = (schema: string, { id, source, made }: MasterKey, expected: string | undefined): StartError =>
  new StartError(
    `the master key from ${source} (${id}) does not open the vault in schema ${schema}, which was sealed with another (${expected ?? 'unknown'})` +
      (made ? '; there was no key file, and a new one was made' : ''),
    [
      `Restore the master key ${expected ?? ''} from its backup. Without it, personal data stays sealed for good.`,
      'If this is meant to be another installation, give it a database or a namespace of its own.'
    ])

// Wraps every key and seals every value of the vault again under another master key; no event and no row of a read model changes.
import type { KeyObject } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'
import { decrypt, encrypt } from '../keys/cipher.ts'
import type { MasterKey } from '../keys/master-key.ts'
import { boundTo, quoted, sealingKey, wrappingKey } from '../keys/secrets.ts'

const BATCH = 1_000

/** A table of the vault: where a row's name and its sealed bytes stand, what these are bound to, and which key seals them. */
interface Table { table: string, name: string, bytes: string, bound: Parameters<typeof boundTo>[0], key: (master: MasterKey) => KeyObject }

const tables: readonly Table[] = [
  { table: 'secret', name: 'name', bytes: 'wrapped', bound: 'secret', key: wrappingKey },
  { table: 'subject_key', name: 'subject', bytes: 'wrapped', bound: 'subject', key: wrappingKey },
  { table: 'credential_value', name: 'value_id', bytes: 'sealed', bound: 'credential_value', key: sealingKey }
]

/**
 * All or nothing, in one transaction; a repeat after success changes nothing. Keep `to` safe before calling: afterwards
 * `from` opens nothing. Processes that hold `from` go on reading what they have opened, and store no new key.
 * @returns number of keys and values sealed again
 * @throws Error if `from` opens not every key
 */
export const rotateMasterKey = async ({ pool, schema, from, to }: {
  pool: Pool, schema: string, from: MasterKey, to: MasterKey
}): Promise<number> => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query("set local statement_timeout = '10min'")
    // Locks the sentinel first: whoever stores a new key meanwhile waits, then finds another master key named.
    const { rows } = await client.query<{ master: string }>(`select master from ${quoted(schema)}.secret where name = 'sentinel' for update`)
    let done = 0
    if (rows[0]?.master !== to.id) for (const table of tables) done += await sealTable(client, quoted(schema), table, from, to)
    await client.query('commit')
    return done
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

const sealTable = async (client: PoolClient, schema: string, { table, name, bytes, bound, key }: Table, from: MasterKey, to: MasterKey): Promise<number> => {
  const [old, next] = [key(from), key(to)]
  let done = 0
  for (let after = ''; ;) {
    const { rows } = await client.query<{ name: string, bytes: Buffer }>(
      `select ${name} as name, ${bytes} as bytes from ${schema}.${table} where ${name} > $1 and ${bytes} is not null order by ${name} limit ${BATCH}`, [after])
    if (rows.length === 0) return done
    const sealed = rows.map((row) => {
      const plain = decrypt(old, row.bytes, boundTo(bound, row.name))
      if (plain === undefined) throw new Error(`the key of ${row.name} does not open with the old master key; nothing was changed`)
      return encrypt(next, plain, boundTo(bound, row.name))
    })
    await client.query(
      `update ${schema}.${table} as t set ${bytes} = n.bytes, master = $3
       from unnest($1::text[], $2::bytea[]) as n (name, bytes) where t.${name} = n.name`,
      [rows.map((row) => row.name), sealed, to.id])
    done += rows.length
    after = rows.at(-1)?.name ?? after
  }
}

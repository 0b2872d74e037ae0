// Wraps every key of the vault again under another master key; no event and no row of a read model changes.
import type { KeyObject } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'
import { decrypt, encrypt } from '../keys/cipher.ts'
import type { MasterKey } from '../keys/master-key.ts'
import { boundTo, quoted, wrappingKey } from '../keys/secrets.ts'

const BATCH = 1_000

interface Keys { old: KeyObject, next: KeyObject, id: string }

/**
 * All or nothing, in one transaction; a repeat after success changes nothing. Keep `to` safe before calling: afterwards
 * `from` opens nothing. Processes that hold `from` go on reading what they have opened, and store no new key.
 * @returns number of keys wrapped again
 * @throws Error if `from` opens not every key
 */
export const rotateMasterKey = async ({ pool, schema, from, to }: {
  pool: Pool, schema: string, from: MasterKey, to: MasterKey
}): Promise<number> => {
  const client = await pool.connect()
  const keys = { old: wrappingKey(from), next: wrappingKey(to), id: to.id }
  try {
    await client.query('begin')
    await client.query("set local statement_timeout = '10min'")
    // Locks the sentinel first: whoever stores a new key meanwhile waits, then finds another master key named.
    const { rows } = await client.query<{ master: string }>(`select master from ${quoted(schema)}.secret where name = 'sentinel' for update`)
    const done = rows[0]?.master === to.id ? 0 : await wrapAll(client, quoted(schema), keys)
    await client.query('commit')
    return done
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

const wrapAll = async (client: PoolClient, schema: string, keys: Keys): Promise<number> =>
  await wrapTable(client, schema, keys, { table: 'secret', column: 'name', bound: 'secret' }) +
  await wrapTable(client, schema, keys, { table: 'subject_key', column: 'subject', bound: 'subject' })

const wrapTable = async (
  client: PoolClient, schema: string, { old, next, id }: Keys, { table, column, bound }: { table: string, column: string, bound: 'secret' | 'subject' }
): Promise<number> => {
  let done = 0
  for (let after = ''; ;) {
    const { rows } = await client.query<{ name: string, wrapped: Buffer }>(
      `select ${column} as name, wrapped from ${schema}.${table} where ${column} > $1 and wrapped is not null order by ${column} limit ${BATCH}`, [after])
    if (rows.length === 0) return done
    const wrapped = rows.map((row) => {
      const bytes = decrypt(old, row.wrapped, boundTo(bound, row.name))
      if (bytes === undefined) throw new Error(`the key of ${row.name} does not open with the old master key; nothing was changed`)
      return encrypt(next, bytes, boundTo(bound, row.name))
    })
    await client.query(
      `update ${schema}.${table} as t set wrapped = n.wrapped, master = $3
       from unnest($1::text[], $2::bytea[]) as n (name, wrapped) where t.${column} = n.name`,
      [rows.map((row) => row.name), wrapped, id])
    done += rows.length
    after = rows.at(-1)?.name ?? after
  }
}

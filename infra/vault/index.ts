// Seals and opens personal data: a key per person, wrapped by the master key, in Postgres's vault schema.
import { createSecretKey, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { Refusal } from '../../src/domain/codes.ts'
import { Clear, type Sealed } from '../../src/domain/personal.ts'
import type { KeyDestroyer, Opened, Vault } from '../../src/ports.ts'
import { decrypt, encrypt, newKey } from '../keys/cipher.ts'
import { gather } from './gather.ts'
import { boundTo, openSecrets, quoted, wrappingKey, type VaultOptions } from '../keys/secrets.ts'

export { rotateMasterKey } from './rotate.ts'
export { openCredentialValues } from './values.ts'
export type { VaultOptions } from '../keys/secrets.ts'

/** Opened keys that are kept; and how long, since another process may destroy one meanwhile. */
const KEPT_KEYS = 20_000
const KEPT_MS = 1_000

export interface SubjectVault extends Vault, KeyDestroyer {}

type Row = { wrapped: Buffer, destroyed: false } | { wrapped: null, destroyed: true }
type Key = { status: 'open', key: KeyObject } | { status: 'erased' } | { status: 'absent' | 'broken', why: string }

/**
 * Proves the master key on the sentinel, then serves.
 * @throws StartError for a wrong master key, or a vault that was lost
 */
export const openVault = async (options: VaultOptions): Promise<SubjectVault> => {
  await openSecrets(options)
  const { pool, masterKey } = options
  const wrapping = wrappingKey(masterKey)
  const schema = quoted(options.schema)
  const opened = new LRUCache<string, KeyObject>({ max: KEPT_KEYS, ttl: KEPT_MS })

  const stored = gather<Row>(async (subjects) => {
    const { rows } = await pool.query<Row & { subject: string }>({
      name: `${options.schema}-keys`,
      text: `select subject, wrapped, destroyed_at is not null as destroyed from ${schema}.subject_key where subject = any($1::text[])`,
      values: [subjects]
    })
    return new Map(rows.map((row) => [row.subject, row]))
  })

  const keyOf = async (subject: string): Promise<Key> => {
    const known = opened.get(subject)
    if (known !== undefined) return { status: 'open', key: known }
    const row = await stored(subject)
    if (row === undefined) return { status: 'absent', why: 'the vault holds no key of this subject' }
    if (row.destroyed) return { status: 'erased' }
    const bytes = decrypt(wrapping, row.wrapped, boundTo('subject', subject))
    if (bytes === undefined) return { status: 'broken', why: 'the key of this subject cannot be opened with the master key' }
    const key = createSecretKey(bytes)
    opened.set(subject, key)
    return { status: 'open', key }
  }

  /**
   * Stores a new key, committed, before anything is sealed with it. The sentinel is locked against a
   * rotation meanwhile: a process that still holds the old master key stores nothing more.
   */
  const store = gather<true>(async (subjects) => {
    const keys = new Map(subjects.map((subject) => [subject, newKey()]))
    const { rows } = await pool.query<{ subject: string }>({
      name: `${options.schema}-new-keys`,
      text: `with sentinel as (select master from ${schema}.secret where name = 'sentinel' and master = $3 for share)
        insert into ${schema}.subject_key (subject, wrapped, master)
        select n.subject, n.wrapped, s.master from unnest($1::text[], $2::bytea[]) as n(subject, wrapped), sentinel s
        on conflict (subject) do nothing returning subject`,
      values: [subjects, [...keys].map(([subject, bytes]) => encrypt(wrapping, bytes, boundTo('subject', subject))), masterKey.id]
    })
    for (const { subject } of rows) {
      const bytes = keys.get(subject)
      if (bytes !== undefined) opened.set(subject, createSecretKey(bytes))
    }
    return new Map(rows.map(({ subject }) => [subject, true as const]))
  })

  const keyForSealing = async (subject: string): Promise<KeyObject> => {
    let key = await keyOf(subject)
    if (key.status === 'absent') {
      await store(subject)
      key = await keyOf(subject)
    }
    if (key.status === 'open') return key.key
    if (key.status === 'erased') throw new Refusal('conflict', 'The person was erased. Nothing about them is recorded any more.', { subject })
    throw missing(subject, key.why)
  }

  const destroyAll = async (subjects: readonly string[]): Promise<number> => {
    for (const subject of subjects) opened.delete(subject)
    // Those that are marked are left out first: a conflict locks, and so writes, every row.
    const { rowCount } = await pool.query(
      `insert into ${schema}.subject_key (subject, destroyed_at)
       select distinct n.subject, now() from unnest($1::text[]) as n(subject)
        where not exists (select from ${schema}.subject_key k where k.subject = n.subject and k.destroyed_at is not null) order by 1
       on conflict (subject) do update set wrapped = null, master = null, destroyed_at = now() where subject_key.destroyed_at is null`,
      [subjects])
    for (const subject of subjects) opened.delete(subject)
    return rowCount ?? 0
  }

  return {
    seal: async (text, { subject, stream, eventId, field }): Promise<Sealed> => {
      const key = await keyForSealing(subject)
      const at = `${stream}/${eventId}/${field}`
      return { sealed: 'v1', subject, at, value: encrypt(key, Buffer.from(text, 'utf8'), at).toString('base64url') }
    },
    open: async (personal, subject): Promise<Opened> => {
      if (personal.subject !== subject) throw missing(subject, 'the value belongs to another subject')
      if (personal instanceof Clear) return { status: 'open', text: personal.reveal() }
      const key = await keyOf(subject)
      if (key.status === 'erased') return { status: 'erased' }
      if (key.status !== 'open') throw missing(subject, key.why)
      const text = decrypt(key.key, Buffer.from(personal.value, 'base64url'), personal.at)
      if (text === undefined) throw missing(subject, 'the key of this subject does not open the value')
      return { status: 'open', text: text.toString('utf8') }
    },
    destroy: async (subject) => { await destroyAll([subject]) },
    destroyAll
  }
}

/** Never an erasure (decision 15): somebody has to look at it. */
const missing = (subject: string, why: string): Refusal =>
  new Refusal('key_missing', `A sealed value could not be opened: ${why}. This is no erasure; restore the vault from its backup.`, { subject })

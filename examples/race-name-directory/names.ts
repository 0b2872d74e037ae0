// The table of race names: who has which, and what was released because of which entry.
import { createHash } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'

/** `releases` and `receipts` are written in the transaction that settles the entry, so each entry stands there once. */
const TABLES = `
create table if not exists race_names (
  name_id bigint generated always as identity primary key, name text not null, canonical text not null unique, user_id uuid not null, registered_at timestamptz not null default now());
create index if not exists race_names_user on race_names (user_id);
create table if not exists releases (
  release_id bigint generated always as identity primary key, entry_position bigint not null, user_id uuid not null, cause text not null,
  names text[] not null, released_at timestamptz not null default now());
create table if not exists receipts (
  entry_position bigint primary key, event_id uuid not null, user_id uuid not null, outcome text not null, items integer not null, digest text not null,
  posted_at timestamptz, refused text);
create index if not exists receipts_to_post on receipts (entry_position) where posted_at is null and refused is null`

export const prepareTables = async (pool: Pool): Promise<void> => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query("select pg_advisory_xact_lock(hashtext('race-name-directory'))")
    await client.query(TABLES)
    await client.query('commit')
  } finally {
    client.release()
  }
}

/** Names that look alike are one name. */
const canonical = (name: string): string => name.normalize('NFKC').trim().toLowerCase()

/** False if somebody has the name. */
export const registerName = async (pool: Pool, name: string, userId: string): Promise<boolean> => {
  const { rowCount } = await pool.query('insert into race_names (name, canonical, user_id) values ($1, $2, $3) on conflict do nothing', [name.trim(), canonical(name), userId])
  return rowCount === 1
}

export const takeBack = async (pool: Pool, name: string, userId: string): Promise<void> => {
  await pool.query('delete from race_names where canonical = $1 and user_id = $2', [canonical(name), userId])
}

export const namesOf = async (pool: Pool, userId: string | undefined): Promise<Array<{ name: string, user_id: string }>> =>
  (await pool.query<{ name: string, user_id: string }>('select name, user_id from race_names where $1::uuid is null or user_id = $1 order by name limit 1000', [userId ?? null])).rows

/** What of an entry the directory needs to know. */
export interface Cause { position: bigint, eventId: string, userId: string, type: string }

/** Releases all names of the user and notes the receipt to be sent, in the caller's transaction. How many it were. */
export const releaseNames = async (tx: PoolClient, { position, eventId, userId, type }: Cause): Promise<number> => {
  const { rows } = await tx.query<{ name_id: string, name: string }>('delete from race_names where user_id = $1 returning name_id, name', [userId])
  const names = rows.map(({ name }) => name).sort()
  // Over ids of our own, not over names: those are the person's business.
  const digest = createHash('sha256').update(`${eventId}:${rows.map(({ name_id: id }) => id).sort().join(',')}`).digest('hex')
  await tx.query('insert into releases (entry_position, user_id, cause, names) values ($1, $2, $3, $4)', [String(position), userId, type, names])
  await tx.query('insert into receipts (entry_position, event_id, user_id, outcome, items, digest) values ($1, $2, $3, $4, $5, $6)',
    [String(position), eventId, userId, names.length > 0 ? 'released' : 'nothing_to_release', names.length, digest])
  return names.length
}

/** True if the entry was acted on: a snapshot also shows what was settled beyond the position that it mends. */
export const isSettled = async (tx: PoolClient, position: bigint): Promise<boolean> =>
  (await tx.query('select 1 from receipts where entry_position = $1', [String(position)])).rowCount === 1

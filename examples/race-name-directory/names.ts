// The table of race names: who has which, and what was released because of which entry.
import { createHash } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'

/** A schema of its own: the database may be somebody else's as well. */
export const SCHEMA = 'race_name_directory'

/**
 * A name without `confirmed_at` is taken and not given yet: Chancery has not said that its user may have one.
 * `releases` and `receipts` are written in the transaction that settles the entry, so each entry stands there once.
 */
const TABLES = `
begin;
select pg_advisory_xact_lock(hashtext('${SCHEMA}'));
create schema if not exists ${SCHEMA};
create table if not exists ${SCHEMA}.race_names (
  name_id bigint generated always as identity primary key, name text not null, canonical text not null unique, user_id uuid not null,
  registered_at timestamptz not null default now(), confirmed_at timestamptz);
create index if not exists race_names_user on ${SCHEMA}.race_names (user_id);
create table if not exists ${SCHEMA}.releases (
  release_id bigint generated always as identity primary key, entry_position bigint not null, user_id uuid not null, cause text not null,
  names text[] not null, released_at timestamptz not null default now());
create table if not exists ${SCHEMA}.receipts (
  entry_position bigint primary key, event_id uuid not null, user_id uuid not null, outcome text not null, items integer not null, digest text not null,
  posted_at timestamptz, refused text, attempts integer not null default 0, next_at timestamptz not null default now());
create index if not exists receipts_to_post on ${SCHEMA}.receipts (next_at, entry_position) where posted_at is null;
commit`

export const prepareTables = async (pool: Pool): Promise<void> => {
  const client = await pool.connect()
  let broken = true
  try {
    await client.query(TABLES)
    broken = false
  } finally {
    client.release(broken)
  }
}

/** Names that look alike are one name. */
const canonical = (name: string): string => name.normalize('NFKC').trim().toLowerCase()

/** Takes a name, to be confirmed or taken back. False if somebody has it. */
export const takeName = async (pool: Pool, name: string, userId: string): Promise<boolean> => {
  const { rowCount } = await pool.query(`insert into ${SCHEMA}.race_names (name, canonical, user_id) values ($1, $2, $3) on conflict do nothing`, [name.trim(), canonical(name), userId])
  return rowCount === 1
}

/** False if it is there no more: an entry about its user has released it meanwhile. */
export const confirmName = async (pool: Pool, name: string, userId: string): Promise<boolean> => {
  const { rowCount } = await pool.query(`update ${SCHEMA}.race_names set confirmed_at = now() where canonical = $1 and user_id = $2 and confirmed_at is null`, [canonical(name), userId])
  return rowCount === 1
}

export const takeBack = async (pool: Pool, name: string, userId: string): Promise<void> => {
  await pool.query(`delete from ${SCHEMA}.race_names where canonical = $1 and user_id = $2 and confirmed_at is null`, [canonical(name), userId])
}

/** Frees names that a process has taken which then died, or lost its database: nobody else waits so long for Chancery's answer. */
export const sweepUnconfirmed = async (pool: Pool): Promise<void> => {
  await pool.query(`delete from ${SCHEMA}.race_names where confirmed_at is null and registered_at < now() - interval '1 minute'`)
}

export const namesOf = async (pool: Pool, userId: string | undefined): Promise<Array<{ name: string, user_id: string }>> =>
  (await pool.query<{ name: string, user_id: string }>(`
    select name, user_id from ${SCHEMA}.race_names where confirmed_at is not null and ($1::uuid is null or user_id = $1) order by name limit 1000`, [userId ?? null])).rows

/** What of an entry the directory needs to know. */
export interface Cause { position: bigint, eventId: string, userId: string, type: string }

/** Releases all names of the user and notes the receipt to be sent, in the caller's transaction. How many it were. */
export const releaseNames = async (tx: PoolClient, { position, eventId, userId, type }: Cause): Promise<number> => {
  const { rows } = await tx.query<{ name_id: string, name: string }>(`delete from ${SCHEMA}.race_names where user_id = $1 returning name_id, name`, [userId])
  const names = rows.map(({ name }) => name).sort()
  // Over ids of our own, not over names: those are the person's business.
  const digest = createHash('sha256').update(`${eventId}:${rows.map(({ name_id: id }) => id).sort().join(',')}`).digest('hex')
  await tx.query(`insert into ${SCHEMA}.releases (entry_position, user_id, cause, names) values ($1, $2, $3, $4)`, [String(position), userId, type, names])
  await tx.query(`insert into ${SCHEMA}.receipts (entry_position, event_id, user_id, outcome, items, digest) values ($1, $2, $3, $4, $5, $6)`,
    [String(position), eventId, userId, names.length > 0 ? 'released' : 'nothing_to_release', names.length, digest])
  return names.length
}

/** True if the entry was acted on: a snapshot also shows what was settled beyond the position that it mends. */
export const isSettled = async (tx: PoolClient, position: bigint): Promise<boolean> =>
  (await tx.query(`select 1 from ${SCHEMA}.receipts where entry_position = $1`, [String(position)])).rowCount === 1

// The tables of the Postgres adapter, and what its statements are made of.

/** Makes the tables; safe to run again. `prefix` may name a schema: `lobby.lifecycle_`. */
export const tablesSql = (prefix: string): string => `
create table if not exists ${prefix}consumers (
  name text primary key, position bigint not null, event_id uuid,
  digest_from bigint not null, digest_count bigint not null, digest_hash text not null,
  holder text, expires_at timestamptz not null default '-infinity');
create table if not exists ${prefix}fences (name text primary key, fence bigint not null);
create table if not exists ${prefix}settled (
  name text not null, position bigint not null, event_id uuid not null, primary key (name, position), unique (name, event_id));
create table if not exists ${prefix}parked (
  name text not null, position bigint not null, user_id uuid not null, entry text not null,
  attempts integer not null, error text not null, parked_at timestamptz not null default now(), retry boolean not null default false,
  primary key (name, position));
create index if not exists ${prefix.replaceAll('.', '_')}parked_user on ${prefix}parked (name, user_id);`

/** Everything as text: how numbers and times are read is a setting of the consumer's own pool. */
export const statementsOf = (prefix: string) => ({
  known: `insert into ${prefix}consumers (name, position, digest_from, digest_count, digest_hash) values ($1, $2, $2, 0, $3) on conflict do nothing`,
  fenceKnown: `insert into ${prefix}fences (name, fence) values ($1, 0) on conflict do nothing`,
  take: `update ${prefix}consumers set holder = $2, expires_at = clock_timestamp() + $3 * interval '1 ms'
    where name = $1 and (holder is null or holder = $2 or expires_at <= clock_timestamp())`,
  // Waits for whoever holds the row in share mode: transactions that passed the check are seen by the new holder.
  raise: `update ${prefix}fences set fence = fence + 1 where name = $1 returning fence::text as fence`,
  check: `select 1 from ${prefix}fences where name = $1 and fence = $2 for share`,
  renew: `update ${prefix}consumers set expires_at = clock_timestamp() + $3 * interval '1 ms' where name = $1 and holder = $2`,
  release: `update ${prefix}consumers set holder = null, expires_at = '-infinity' where name = $1 and holder = $2`,
  load: `select position::text as position, event_id::text as "eventId", digest_from::text as "from", digest_count::text as count, digest_hash as hash
    from ${prefix}consumers where name = $1`,
  beyond: `select position::text as position from ${prefix}settled where name = $1`,
  parkedUsers: `select distinct user_id::text as "userId" from ${prefix}parked where name = $1`,
  settle: `insert into ${prefix}settled (name, position, event_id) values ($1, $2, $3) on conflict do nothing`,
  park: `insert into ${prefix}parked (name, position, user_id, entry, attempts, error) values ($1, $2, $3, $4, $5, $6)`,
  advance: `update ${prefix}consumers set position = $2, event_id = $3, digest_from = $4, digest_count = $5, digest_hash = $6 where name = $1`,
  passed: `delete from ${prefix}settled where name = $1 and position <= $2`,
  restart: `update ${prefix}consumers set position = $2, event_id = null, digest_from = $2, digest_count = 0, digest_hash = $3 where name = $1`,
  forgetParked: `delete from ${prefix}parked where name = $1 and position <= $2`,
  parked: `select entry, attempts::text as attempts, error, extract(epoch from parked_at)::text as "parkedAt", retry::text as retry
    from ${prefix}parked where name = $1 order by position`,
  askRetry: `update ${prefix}parked set retry = true where name = $1 and ($2::uuid is null or user_id = $2)`,
  unpark: `delete from ${prefix}parked where name = $1 and position = $2`,
  parkAgain: `update ${prefix}parked set attempts = attempts + 1, error = $3, retry = false where name = $1 and position = $2`
})

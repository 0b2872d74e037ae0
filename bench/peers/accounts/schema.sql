-- What the peer keeps of accounts, as an ordinary service would: one row an account, sanctions and limits beside it.
create table accounts (
  user_id uuid primary key,
  email text not null unique,
  user_name text unique,
  display_name text,
  preferred_language text,
  time_zone text,
  tariff text,
  tariff_since timestamptz,
  tariff_until timestamptz,
  credentials int not null default 0,
  created_at timestamptz not null,
  deleted_at timestamptz,
  purge_after timestamptz,
  position bigint not null,
  revision bigint not null
);
create table sanctions (
  sanction_id uuid primary key, user_id uuid not null references accounts, code text not null, scope text not null,
  starts_at timestamptz not null, expires_at timestamptz
);
create index on sanctions (user_id);
create table limits (user_id uuid not null references accounts, code text not null, value int not null, set_at timestamptz not null, primary key (user_id, code));

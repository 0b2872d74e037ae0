-- What the peer keeps: the state and, in the same transaction, the fact for others.
create table principals (id uuid primary key, roles text[] not null default '{}', revision bigint not null default 0);
create table outbox (
  position bigint generated always as identity primary key,
  event_id uuid not null,
  command_id uuid not null unique,
  principal_id uuid not null,
  type text not null,
  data jsonb not null,
  metadata jsonb not null,
  revision bigint not null
);

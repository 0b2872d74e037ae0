-- The registry of read models: each generation of their tables with its checkpoint, and which of them serves.
create table projection_generation (
  name text not null,
  generation integer not null,
  version integer not null,
  -- fill: made to serve; verify: made to be compared and dropped
  kind text not null check (kind in ('fill', 'verify')),
  -- filling: not yet as far as the log; serving: behind the view; verifying: a scratch fold; done, aborted: its tables are gone
  state text not null check (state in ('filling', 'serving', 'verifying', 'done', 'aborted')),
  -- names of its tables, as long as they exist
  tables text[] not null,
  -- everything in the log up to here was looked at; null: nothing yet
  read_to bigint,
  -- the last event of ours: what the fork check looks up
  position bigint,
  event_id uuid,
  event_created timestamptz,
  -- what stopped it, for operators; never personal data
  alarm json,
  -- of a verification: what it found
  result json,
  primary key (name, generation)
);

create unique index projection_one_serving on projection_generation (name) where state = 'serving';

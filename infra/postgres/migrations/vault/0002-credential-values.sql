-- Values of credentials, each sealed under a key of its own purpose that the master key named in `master` derives.
-- A destroyed one leaves its row, so that nothing can be stored again under its id.
create table credential_value (
  value_id text primary key,
  -- Absent in the mark of one that was destroyed before it was ever stored.
  credential text,
  sealed bytea,
  master text,
  stored_at timestamptz not null default now(),
  destroyed_at timestamptz,
  check ((sealed is null) = (destroyed_at is not null)),
  check ((sealed is null) = (master is null))
);

-- Keys that nothing can rebuild: back this schema up, and keep that backup apart from the log's.

-- The program's own secrets, each wrapped by the master key named in `master` (an identifier, not the key).
-- 'sentinel' proves that the right master key is at hand; 'purposes' is the root of the keys of all purposes.
create table secret (
  name text primary key,
  wrapped bytea not null,
  master text not null
);

-- One key per person. A destroyed one leaves its row, so that "erased" is told from "lost".
create table subject_key (
  subject text primary key,
  wrapped bytea,
  master text,
  created_at timestamptz not null default now(),
  destroyed_at timestamptz,
  check ((wrapped is null) = (destroyed_at is not null)),
  check ((wrapped is null) = (master is null))
);

-- One row for each running process that holds the process lock; a row without a lock is left by one that was killed.
create table process_lease (
  holder uuid primary key,
  mode text not null check (mode in ('single', 'many')),
  since timestamptz not null default clock_timestamp()
);

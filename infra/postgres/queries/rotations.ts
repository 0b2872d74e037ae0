// What is asked of the read model `rotations`: the inventory, the rotations of a credential, and what is due.
import { restored } from '../../../src/domain/credential/stored.ts'
import type { Sql } from '../../../src/ports.ts'
import type { CredentialRow, DueRotation, RotationQueries, RotationRow } from '../../../src/rotation-queries.ts'

/** Those without a day come after all days. */
const NEVER = 'infinity'

const INVENTORY = `
select credential, sensitivity, vendor, owner_name as "ownerName", value_since as "valueSince", expires_at as "expiresAt", due_at as "dueAt",
       last_completed_at as "lastCompletedAt", open_rotation_id as "openRotationId", open_state as "openState", position
  from credentials
 where (coalesce(due_at, '${NEVER}'), credential) > ($1::timestamptz, $2::text) and ($3::timestamptz is null or due_at <= $3)
 order by coalesce(due_at, '${NEVER}'), credential limit $4`

/** The state of an open one stands in its credential's row. */
const ROTATIONS = `
select r.rotation_id as "rotationId", r.mode, r.opened_by as trigger, coalesce(r.ended, c.open_state) as state, r.opened_at as "openedAt",
       json_build_object('type', r.opened_by_type, 'id', r.opened_by_id) as "openedBy", coalesce(r.ended_at, c.open_changed_at) as "changedAt",
       r.ended_at as "endedAt", r.first_position as "firstPosition", r.position
  from rotations r join credentials c on c.credential = r.credential
 where r.credential = $1 and ($2::int8 is null or r.first_position < $2) and coalesce(r.ended, c.open_state) is not null
 order by r.first_position desc limit $3`

/** What opened itself waits for nobody until it is verified, and its owner for a mail where it could not be. */
const DUE = `
select credential, open_rotation_id as "rotationId", coalesce(due_at, open_changed_at) as "dueAt" from credentials
 where credential > $3
   and ((open_rotation_id is null and value_since is not null and due_at <= $1 and (last_aborted_at is null or last_aborted_at < $2))
     or (open_trigger = 'expiry' and (open_state = 'opened' or (open_state = 'verify_failed' and owner_mail_at is null))))
 order by credential limit $4`

interface Folded { credential: string, version: number, manifest: unknown, value: unknown, job: unknown, lastCompletedAt: string | null }

export const rotationQueries = (sql: Sql): RotationQueries => ({
  inventory: async ({ dueBy, after }, limit) => (await sql.query<CredentialRow>(INVENTORY,
    [after === undefined ? '-infinity' : after.dueAt ?? NEVER, after?.credential ?? '', dueBy?.toISOString() ?? null, limit], 'rotations-inventory')).rows,
  rotationsOf: async (credential, { before }, limit) =>
    (await sql.query<RotationRow>(ROTATIONS, [credential, before ?? null, limit], 'rotations-of')).rows,
  open: async () => {
    const { rows } = await sql.query<Folded>(`
      select credential, manifest_version as version, manifest, value, job, last_completed_at as "lastCompletedAt"
        from credentials where job is not null order by credential limit 10000`, [], 'rotations-open')
    return rows.map(({ credential: name, lastCompletedAt, ...folded }) => restored({ ...folded, name, lastCompletedAt: lastCompletedAt ?? undefined }))
  },
  dueCount: async (by) =>
    (await sql.query<{ due: number }>('select count(*)::int as due from credentials where open_rotation_id is null and due_at <= $1', [by.toISOString()], 'rotations-due-count')).rows[0]?.due ?? 0,
  due: async (now, notAbortedSince, limit, after) =>
    (await sql.query<DueRotation>(DUE, [now.toISOString(), notAbortedSince.toISOString(), after ?? '', limit], 'rotations-due')).rows
})

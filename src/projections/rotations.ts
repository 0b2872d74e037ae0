// Read model `rotations`: the inventory of credentials with the open rotation of each, and every rotation there was.
import { credentialAggregate, expiryOf, openJob } from '../domain/credential/credential.ts'
import { restored, stored } from '../domain/credential/stored.ts'
import type { LogEvent, RecordedOf } from '../domain/catalogue.ts'
import { EARLIEST, type Instant } from '../domain/event.ts'
import type { Credential, KnownCredential } from '../domain/credential/state.ts'
import { table, type RowOf } from './columns.ts'
import { defineLogProjector, type RowsByTable } from './define.ts'

const tables = {
  credentials: table({
    columns: {
      credential: 'text',
      manifest_version: 'int4',
      sensitivity: 'text',
      vendor: 'text',
      owner_name: 'json',
      /** Of the value in use; null while there is none. */
      value_since: 'timestamptz?',
      expires_at: 'timestamptz?',
      /** From here on a rotation is due; null: never. */
      due_at: 'timestamptz?',
      last_completed_at: 'timestamptz?',
      /** A job that was given up does not open itself again at once. */
      last_aborted_at: 'timestamptz?',
      open_rotation_id: 'uuid?',
      open_trigger: 'text?',
      open_state: 'text?',
      open_changed_at: 'timestamptz?',
      /** When a mail to the owner was asked for: one for each rotation that opened itself and could not be verified. */
      owner_mail_at: 'timestamptz?',
      /** What the next fact is folded into: manifest, value and open job as the domain has them; also an ended job that left somebody without a value. */
      manifest: 'json',
      value: 'json?',
      job: 'json?',
      first_position: 'int8',
      position: 'int8',
      revision: 'int8'
    },
    key: ['credential'],
    indexes: ['(credential) where job is not null']
  }),
  /** While it is open, its state stands in its credential's row. */
  rotations: table({
    columns: {
      rotation_id: 'uuid',
      credential: 'text',
      mode: 'text',
      opened_by: 'text',
      opened_by_type: 'text',
      opened_by_id: 'text',
      opened_at: 'timestamptz',
      /** done or aborted; null while it is open. */
      ended: 'text?',
      ended_at: 'timestamptz?',
      first_position: 'int8',
      position: 'int8'
    },
    key: ['rotation_id'],
    indexes: ['(credential, first_position)']
  })
}

type Row = RowOf<typeof tables.credentials.columns>
type CredentialEvent = Extract<LogEvent, { type: RecordedOf<'credential'>['type'] }>

export const rotations = defineLogProjector({
  name: 'rotations',
  version: 3,
  categories: ['credential'],
  tables,
  each: (rows, logged) => {
    const event = logged as CredentialEvent
    rows.credentials.change({ credential: event.data.credential }, (row) => after(row, event))
    history(rows, event)
  }
})

/** Folded by the aggregate's own fold: what the inventory shows of an open job is what commands decide on. */
const after = (row: Row | undefined, event: CredentialEvent): Row | undefined => {
  const before: Credential = row === undefined ? credentialAggregate.initial : restored(storedIn(row))
  const folded: Credential = credentialAggregate.evolve(before, event)
  return folded.status === 'absent' ? row : rowOf(folded, event, row)
}

const storedIn = ({ credential: name, manifest_version: version, manifest, value, job, last_completed_at: lastCompletedAt }: Row) =>
  ({ name, version, manifest, value, job, lastCompletedAt: lastCompletedAt ?? undefined })

const rowOf = (credential: KnownCredential, event: CredentialEvent, row: Row | undefined): Row => {
  const { manifest, value, job } = stored(credential)
  const open = openJob(credential)
  const expiry = expiryOf(credential)
  return {
    credential: credential.name,
    manifest_version: credential.version,
    sensitivity: credential.manifest.sensitivity,
    vendor: credential.manifest.vendor.kind,
    owner_name: credential.manifest.owner.name,
    value_since: credential.value?.since ?? null,
    expires_at: kept(expiry?.expiresAt),
    due_at: kept(expiry?.dueAt),
    last_completed_at: credential.lastCompletedAt ?? null,
    last_aborted_at: event.type === 'rotation.aborted' ? event.data.abortedAt : row?.last_aborted_at ?? null,
    open_rotation_id: open?.rotationId ?? null,
    open_trigger: open?.trigger ?? null,
    open_state: open?.state ?? null,
    open_changed_at: open?.changedAt ?? null,
    owner_mail_at: event.type === 'rotation.owner_mail_requested' ? event.data.requestedAt : event.type === 'rotation.opened' ? null : row?.owner_mail_at ?? null,
    manifest,
    value,
    job,
    first_position: row?.first_position ?? event.position,
    position: event.position,
    revision: event.revision
  }
}

/** A vendor may name whatever moment it likes: what Postgres cannot keep must not stop the read model. */
const kept = (at: Instant | undefined): Instant | null => {
  if (at === undefined) return null
  return Date.parse(at) < Date.parse(EARLIEST) ? EARLIEST : at
}

const history = ({ rotations: all }: RowsByTable<typeof tables>, event: CredentialEvent): void => {
  const { type, data, position, metadata: { actor } } = event
  if (!('rotationId' in data)) return
  const key = { rotation_id: data.rotationId }
  if (type === 'rotation.opened') {
    all.put({
      ...key, credential: data.credential, mode: data.mode, opened_by: data.trigger, opened_by_type: actor.type, opened_by_id: actor.id,
      opened_at: data.openedAt, ended: null, ended_at: null, first_position: position, position
    })
  } else if (type === 'rotation.done') all.patch(key, { ended: 'done', ended_at: data.doneAt, position })
  else if (type === 'rotation.aborted') all.patch(key, { ended: 'aborted', ended_at: data.abortedAt, position })
  else all.patch(key, { position })
}

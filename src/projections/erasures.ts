// Read model `erasures`: whose record is to be erased, from when on, and whose keys the log says are destroyed.
import type { EventType, LogEvent } from '../domain/catalogue.ts'
import { table, type RowOf } from './columns.ts'
import { defineLogProjector, type RowsByTable } from './define.ts'

const tables = {
  erasures: table({
    columns: {
      /** Whose key it is about: `user-…` or `tester-…`, which is also the stream. */
      subject: 'text',
      purge_after: 'timestamptz?',
      /** Hold → its end, or null for one that holds until it is lifted; those lifted are gone. */
      holds: 'json',
      /** From when on the erasure may begin, or go on; null while it may not, and once it ended. */
      due_at: 'timestamptz?',
      started: 'boolean',
      /** Accounts whose keys went along with a tester's. */
      user_ids: 'json',
      purged_position: 'int8?'
    },
    key: ['subject'],
    indexes: ['(due_at, subject) where due_at is not null', '(purged_position) where purged_position is not null']
  })
}

type Row = RowOf<typeof tables.erasures.columns>
type Holds = Readonly<Record<string, string | null>>
type Rows = RowsByTable<typeof tables>

const change = ({ erasures }: Rows, { stream }: LogEvent, fold: (row: Row) => Partial<Row>): void =>
  erasures.change({ subject: stream }, (known) => {
    const row: Row = known ?? { subject: stream, purge_after: null, holds: {}, due_at: null, started: false, user_ids: [], purged_position: null }
    const next = { ...row, ...fold(row) }
    return { ...next, due_at: dueAt(next) }
  })

/** The later of the cooling period's end and the last hold's; the clock is asked by whoever reads. An erasure that began was due. */
const dueAt = ({ purge_after: purgeAfter, holds, started, purged_position: purged }: Row): string | null => {
  if (purgeAfter === null || purged !== null) return null
  if (started) return purgeAfter
  const ends = Object.values(holds as Holds)
  if (ends.includes(null)) return null
  return ends.reduce<string>((latest, end) => end !== null && Date.parse(end) > Date.parse(latest) ? end : latest, purgeAfter)
}

const placed = (rows: Rows, event: Named<'user.legal_hold_placed' | 'tester.legal_hold_placed'>): void =>
  change(rows, event, ({ holds }) => ({ holds: { ...holds as Holds, [event.data.holdId]: event.data.until ?? null } }))

const lifted = (rows: Rows, event: Named<'user.legal_hold_lifted' | 'tester.legal_hold_lifted'>): void =>
  change(rows, event, ({ holds }) => ({ holds: Object.fromEntries(Object.entries(holds as Holds).filter(([holdId]) => holdId !== event.data.holdId)) }))

type Named<T extends EventType> = Extract<LogEvent, { type: T }>
/** Every other fact leaves it as it is. */
const on: { readonly [T in EventType]?: (rows: Rows, event: Named<T>) => void } = {
  'user.deleted': (rows, event) => change(rows, event, () => ({ purge_after: event.data.purgeAfter })),
  'tester.deleted': (rows, event) => change(rows, event, () => ({ purge_after: event.data.purgeAfter })),
  'user.legal_hold_placed': placed,
  'tester.legal_hold_placed': placed,
  'user.legal_hold_lifted': lifted,
  'tester.legal_hold_lifted': lifted,
  'user.erasure_started': (rows, event) => change(rows, event, () => ({ started: true })),
  'tester.erasure_started': (rows, event) => change(rows, event, () => ({ started: true })),
  'account.purged': (rows, event) => change(rows, event, () => ({ purged_position: event.position })),
  'tester.purged': (rows, event) => change(rows, event, () => ({ purged_position: event.position, user_ids: event.data.userIds }))
}

export const erasures = defineLogProjector({
  name: 'erasures',
  version: 2,
  categories: ['user', 'tester'],
  tables,
  each: (rows, event) => (on[event.type] as ((rows: Rows, event: LogEvent) => void) | undefined)?.(rows, event)
})

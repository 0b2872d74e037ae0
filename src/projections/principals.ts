// Read model `principals`: who may call, for the list; whether a caller may is never decided from here.
import type { LogEvent } from '../domain/catalogue.ts'
import { table, type RowOf } from './columns.ts'
import { defineProjector, type RowsByTable } from './define.ts'

const tables = {
  principals: table({
    columns: {
      principal_id: 'uuid',
      kind: 'text',
      name: 'json',
      /** Names, sorted; superadmin among them. */
      roles: 'json',
      /** Token id → expiry or null, of tokens that were not revoked. */
      tokens: 'json',
      created_at: 'timestamptz',
      first_position: 'int8',
      position: 'int8',
      revision: 'int8'
    },
    key: ['principal_id'],
    indexes: ['(first_position)']
  })
}

type Rows = RowsByTable<typeof tables>
type Row = RowOf<typeof tables.principals.columns>
type Tokens = Record<string, string | null>

const rolesOf = (row: Row) => row.roles as string[]
const withRole = (row: Row, role: string) => ({ roles: [...new Set([...rolesOf(row), role])].sort() })
const withoutRole = (row: Row, role: string) => ({ roles: rolesOf(row).filter((held) => held !== role) })

type PrincipalEvent = Extract<LogEvent, { data: { principalId: string } }>

/** Facts of the roster stand in another stream: they move the position, not the revision. */
const patch = ({ principals }: Rows, event: PrincipalEvent, columns: (row: Row) => Partial<Row>): void =>
  principals.patch({ principal_id: event.data.principalId }, (row) => ({
    ...columns(row), position: event.position, ...event.stream.startsWith('principal-') && { revision: event.revision }
  }))

export const principals = defineProjector({
  name: 'principals',
  version: 1,
  categories: ['principal', 'roster'],
  tables,
  on: {
    'principal.created': (rows, { data, position, revision }) => rows.principals.put({
      principal_id: data.principalId, kind: data.kind, name: data.name, roles: [], tokens: {}, created_at: data.createdAt,
      first_position: position, position, revision
    }),
    'principal.role_granted': (rows, event) => patch(rows, event, (row) => withRole(row, event.data.role)),
    'principal.role_revoked': (rows, event) => patch(rows, event, (row) => withoutRole(row, event.data.role)),
    'principal.token_issued': (rows, event) => patch(rows, event, (row) => ({
      tokens: { ...row.tokens as Tokens, [event.data.tokenId]: event.data.expiresAt ?? null }
    })),
    'principal.token_revoked': (rows, event) => patch(rows, event, (row) => ({
      tokens: Object.fromEntries(Object.entries(row.tokens as Tokens).filter(([id]) => id !== event.data.tokenId))
    })),
    'superadmin.granted': (rows, event) => patch(rows, event, (row) => withRole(row, 'superadmin')),
    'superadmin.removed': (rows, event) => patch(rows, event, (row) => withoutRole(row, 'superadmin')),
    'superadmin.token_added': (rows, event) => patch(rows, event, () => ({})),
    'superadmin.token_withdrawn': (rows, event) => patch(rows, event, () => ({})),
    'superadmin.recovered': (rows, event) => patch(rows, event, (row) => withRole(row, 'superadmin'))
  }
})

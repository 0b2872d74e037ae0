// Read model `testers`: the console's list, one row a tester with its current link, the link's mail, and its resets.
import type { LogEvent } from '../domain/catalogue.ts'
import { table, type RowOf } from './columns.ts'
import { defineProjector, type RowsByTable } from './define.ts'

const tables = {
  testers: table({
    columns: {
      tester_id: 'uuid',
      origin: 'text',
      email: 'json',
      name: 'json?',
      address_hash: 'text',
      invited_at: 'timestamptz',
      token_id: 'uuid?',
      user_id: 'uuid?',
      link_status: 'text?',
      link_minted_at: 'timestamptz?',
      link_expires_at: 'timestamptz?',
      link_opened_at: 'timestamptz?',
      link_opened_revision: 'int8?',
      link_opened_type: 'text?',
      mail_id: 'uuid?',
      mail_status: 'text?',
      open_reset_id: 'uuid?',
      completed_resets: 'int4',
      /** The console shows a deleted tester to nobody; the address stays taken. */
      deleted_at: 'timestamptz?',
      first_position: 'int8',
      position: 'int8',
      revision: 'int8'
    },
    key: ['tester_id'],
    indexes: ['(first_position) where deleted_at is null', '(address_hash)', "(first_position) where link_status = 'consumed' and deleted_at is null"]
  })
}

type Row = RowOf<typeof tables.testers.columns>
type TesterEvent = Extract<LogEvent, { data: { testerId: string } }>

const noLink = {
  token_id: null, user_id: null, link_status: null, link_minted_at: null, link_expires_at: null,
  link_opened_at: null, link_opened_revision: null, link_opened_type: null
} satisfies Partial<Row>

/** Changes the tester's row and moves its place in the log along. */
const patch = ({ testers }: RowsByTable<typeof tables>, event: TesterEvent, columns: (row: Row) => Partial<Row>): void =>
  testers.patch({ tester_id: event.data.testerId }, (row) => ({ ...columns(row), position: event.position, revision: event.revision }))

/** Only the last mail counts: an outcome of an earlier one changes nothing. */
const mailed = (rows: RowsByTable<typeof tables>, event: TesterEvent & { data: { mailId: string } }, status: string): void =>
  patch(rows, event, (row) => row.mail_id === event.data.mailId ? { mail_status: status } : {})

const arrived = (rows: RowsByTable<typeof tables>, event: Extract<LogEvent, { type: 'tester.invited' | 'tester.imported' }>): void => {
  const { testerId, email, addressHash, invitedAt } = event.data
  rows.testers.put({
    tester_id: testerId, origin: event.type === 'tester.invited' ? 'invited' : 'imported', email,
    name: event.type === 'tester.invited' ? event.data.name ?? null : null, address_hash: addressHash, invited_at: invitedAt,
    ...noLink, mail_id: null, mail_status: null, open_reset_id: null, completed_resets: 0, deleted_at: null,
    first_position: event.position, position: event.position, revision: event.revision
  })
}

export const testers = defineProjector({
  name: 'testers',
  version: 2,
  categories: ['tester'],
  tables,
  on: {
    'tester.invited': arrived,
    'tester.imported': arrived,
    'walkthrough_token.minted': (rows, event) => patch(rows, event, () => ({
      ...noLink, token_id: event.data.tokenId, user_id: event.data.userId, link_status: 'unused',
      link_minted_at: event.data.mintedAt, link_expires_at: event.data.expiresAt
    })),
    'walkthrough_token.imported': (rows, event) => patch(rows, event, () => ({
      ...noLink, token_id: event.data.tokenId, user_id: event.data.userId, link_minted_at: event.data.mintedAt,
      ...opened(event, event.data.consumedAt)
    })),
    'walkthrough_token.consumed': (rows, event) => patch(rows, event, (row) =>
      row.token_id === event.data.tokenId && row.link_status === 'unused' ? opened(event, event.data.consumedAt) : {}),
    'walkthrough_token.revoked': (rows, event) => patch(rows, event, (row) => row.token_id === event.data.tokenId ? noLink : {}),
    'mail.requested': (rows, event) => patch(rows, event, () => ({ mail_id: event.data.mailId, mail_status: 'requested' })),
    'mail.attempted': (rows, event) => mailed(rows, event, 'attempted'),
    'mail.sent': (rows, event) => mailed(rows, event, 'sent'),
    'mail.failed': (rows, event) => mailed(rows, event, event.data.final ? 'failed' : 'requested'),
    'console.beta.ghost_reset.initiated': (rows, event) => patch(rows, event, () => ({ open_reset_id: event.data.resetId })),
    'console.beta.ghost_reset.refused': (rows, event) => patch(rows, event, () => ({ open_reset_id: null })),
    'console.beta.ghost_reset.completed': (rows, event) => patch(rows, event, (row) =>
      ({ open_reset_id: null, completed_resets: row.completed_resets + 1 })),
    'tester.deleted': (rows, event) => patch(rows, event, () => ({ deleted_at: event.data.deletedAt })),
    'tester.legal_hold_placed': (rows, event) => patch(rows, event, () => ({})),
    'tester.legal_hold_lifted': (rows, event) => patch(rows, event, () => ({})),
    'tester.erasure_started': (rows, event) => patch(rows, event, () => ({})),
    'tester.purged': (rows, event) => patch(rows, event, () => ({}))
  }
})

const opened = (event: TesterEvent, at: string | undefined): Partial<Row> => at === undefined
  ? { link_status: 'unused' }
  : { link_status: 'consumed', link_opened_at: at, link_opened_revision: event.revision, link_opened_type: event.type }

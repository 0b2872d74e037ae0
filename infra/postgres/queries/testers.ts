// The console's questions to its read models `testers` and `tokens`.
import type { Sealed } from '../../../src/domain/personal.ts'
import type { Sql } from '../../../src/ports.ts'
import type { TesterQueries, TesterRow } from '../../../src/queries.ts'

const COLUMNS = `tester_id as "testerId", origin, email, name, address_hash as "addressHash", invited_at as "invitedAt",
  token_id as "tokenId", user_id as "userId", link_status as "linkStatus", link_minted_at as "linkMintedAt",
  link_expires_at as "linkExpiresAt", link_opened_at as "linkOpenedAt", link_opened_revision as "linkOpenedRevision",
  link_opened_type as "linkOpenedType", mail_status as "mailStatus", open_reset_id as "openResetId",
  completed_resets as "completedResets", first_position as "firstPosition", position, revision`

/** How far the read model is, from the same snapshot as the rows; one row of nulls if there are none. */
const withReadTo = (selection: string): string => `
select coalesce(g.read_to, 0) as "readTo", t.* from (select 1) one
  left join projection_generation g on g.name = 'testers' and g.state = 'serving'
  left join (${selection}) t on true order by t."firstPosition"`

type Found = { readTo: bigint } & { [K in keyof TesterRow]: TesterRow[K] | null }

const rowsOf = (found: Found[]): { rows: TesterRow[], readTo: bigint } => ({
  readTo: found[0]?.readTo ?? 0n,
  rows: found.flatMap(({ readTo, ...row }) => row.testerId === null ? [] : [{ ...row as TesterRow, email: row.email as Sealed }])
})

export const testerQueries = (sql: Sql): TesterQueries => ({
  page: async ({ after, usedLink, addressHash }, limit) => {
    const { rows } = await sql.query<Found>(withReadTo(`
      select ${COLUMNS} from testers
       where first_position > $1 and deleted_at is null and (link_status = 'consumed' or not $2::boolean) and ($3::text is null or address_hash = $3)
       order by first_position limit $4`),
    [after ?? -1n, usedLink === true, addressHash ?? null, limit], 'testers-page')
    return rowsOf(rows)
  },
  one: async (testerId) => {
    const { rows } = await sql.query<Found>(withReadTo(`select ${COLUMNS} from testers where tester_id = $1 and deleted_at is null`), [testerId], 'testers-one')
    const found = rowsOf(rows)
    return { row: found.rows[0], readTo: found.readTo }
  },
  holders: async (addressHashes) => {
    const { rows } = await sql.query<{ addressHash: string, testerId: string, origin: string, deleted: boolean }>(`
      select address_hash as "addressHash", tester_id as "testerId", origin, deleted_at is not null as deleted from testers where address_hash = any($1::text[])`,
    [addressHashes], 'testers-holders')
    return rows
  },
  userIds: async (testerId) => {
    const { rows } = await sql.query<{ user_id: string }>(
      'select user_id from tokens where tester_id = $1 order by minted_position limit 100', [testerId], 'testers-user-ids')
    return rows.map((row) => row.user_id)
  }
})

// The list of principals from their read model.
import type { Sql } from '../../../src/ports.ts'
import type { PrincipalQueries, PrincipalRow } from '../../../src/queries.ts'

export const principalQueries = (sql: Sql): PrincipalQueries => ({
  page: async ({ after }, limit) => {
    const { rows } = await sql.query<PrincipalRow>(`
      select principal_id as "principalId", kind, name, roles, tokens, created_at as "createdAt", first_position as "firstPosition", position, revision
        from principals where first_position > $1 order by first_position limit $2`, [after ?? -1n, limit], 'principals-page')
    return rows
  }
})

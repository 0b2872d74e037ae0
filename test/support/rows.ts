// All rows of a database as text: what a dump of it would hold.
import pg from 'pg'

/** Table → its rows, of every schema that is not Postgres's own; at most `limit` rows a table. */
export const rowsIn = async (url: string, limit = 100_000): Promise<Map<string, string>> => {
  const client = new pg.Client(url)
  await client.connect()
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      "select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')")
    const found = new Map<string, string>()
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t limit ${limit}`)
      found.set(name, rows.map(({ row }) => row).join('\n'))
    }
    return found
  } finally {
    await client.end()
  }
}

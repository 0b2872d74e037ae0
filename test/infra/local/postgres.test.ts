// The local Postgres: made, started, reached, stopped and started again, as root and as an ordinary user.
import pg from 'pg'
import t from 'tap'
import { testDatabase } from '../../support/postgres.ts'

t.test('a test gets an empty database of its own', async (t) => {
  const one = await testDatabase(t)
  const client = new pg.Client(one.url)
  await client.connect()
  await client.query('create table x (y int)')
  await client.end()
  const other = new pg.Client((await testDatabase(t)).url)
  await other.connect()
  t.equal((await other.query("select 1 from pg_class where relname = 'x'")).rowCount, 0)
  await other.end()
})

// The directory's own HTTP: register a name, list names, and say how the following goes.
import { createServer, type Server } from 'node:http'
import type { Pool } from 'pg'
import type { LifecycleConsumer } from '../../kits/lobby/src/index.ts'
import { confirmName, namesOf, SCHEMA, takeBack, takeName } from './names.ts'

export interface ApiParts {
  pool: Pool
  consumer: LifecycleConsumer
  /** Whether Chancery lets this user have a name at all. */
  mayHaveNames: (userId: string) => Promise<boolean>
}

type Answer = [status: number, body: object]
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** `PUT /race-names/{name}?user_id=…`, `GET /race-names[?user_id=…]`, `GET /state`. */
export const createApi = (parts: ApiParts): Server => createServer((request, response) => {
  answer(parts, request.method ?? '', new URL(request.url ?? '/', 'http://directory')).then(([status, body]) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }, (error: unknown) => {
    response.writeHead(503, { 'content-type': 'application/json' }).end(JSON.stringify({ error: String(error) }))
  })
})

const answer = async ({ pool, consumer, mayHaveNames }: ApiParts, method: string, url: URL): Promise<Answer> => {
  const userId = url.searchParams.get('user_id') ?? undefined
  if (userId !== undefined && !UUID.test(userId)) return [400, { error: 'user_id is no UUID' }]
  const [, first, ...rest] = url.pathname.split('/')
  if (first === 'state' && method === 'GET') return [200, await stateOf(pool, consumer)]
  if (first !== 'race-names') return [404, { error: 'there is no such path' }]
  if (rest.length === 0 && method === 'GET') return [200, { items: await namesOf(pool, userId) }]
  const name = decodeURIComponent(rest.join('/'))
  if (method !== 'PUT' || userId === undefined || name.trim() === '' || name.length > 64) return [400, { error: 'PUT /race-names/{name}?user_id={user}' }]
  if (!await takeName(pool, name, userId)) return [409, { error: 'somebody has this name' }]
  // Asked after the name is in: whoever is blocked before this moment is refused here, whoever is blocked after it
  // causes an entry that releases the name. Asked before, a block in between would be missed.
  // Until the answer is there nobody has the name; a process that dies before leaves it to be swept.
  const allowed = await mayHaveNames(userId).catch(async (error: unknown) => {
    await takeBack(pool, name, userId)
    throw error
  })
  if (allowed && await confirmName(pool, name, userId)) return [201, { name, user_id: userId }]
  await takeBack(pool, name, userId)
  return [403, { error: 'this user may not have a race name' }]
}

const stateOf = async (pool: Pool, consumer: LifecycleConsumer): Promise<object> => {
  const { doing, position, underWay, alarm } = consumer.state()
  const { rows: [receipts] } = await pool.query<{ open: string, refused: string }>(
    `select count(*) filter (where posted_at is null) as open, count(refused) as refused from ${SCHEMA}.receipts`)
  return {
    doing, ...position !== undefined && { position: String(position) }, under_way: underWay, ...alarm && { alarm },
    parked: (await consumer.parked()).length, receipts_to_post: Number(receipts?.open), receipts_refused: Number(receipts?.refused)
  }
}

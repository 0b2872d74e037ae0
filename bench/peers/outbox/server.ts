// The peer: the same command as an ordinary Fastify service on Postgres, with a transactional outbox and synchronous commits.
// Run as a child with the Postgres URL and the SHA-256 of the token; prints its port when it listens.
import { createHash, timingSafeEqual } from 'node:crypto'
import Fastify from 'fastify'
import { Pool } from 'pg'
import { v7 } from 'uuid'
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'

const [url, tokenHash] = process.argv.slice(2)
if (url === undefined || tokenHash === undefined) throw new Error('usage: server <postgres url> <sha256 of the token>')

const pool = new Pool({ connectionString: url, max: 16 })
const app = Fastify({ logger: false, ajv: { customOptions: { removeAdditional: false, coerceTypes: false } } })
  .withTypeProvider<TypeBoxTypeProvider>()

app.addHook('onRequest', async (request, reply) => {
  const digest = createHash('sha256').update(request.headers.authorization?.slice('Bearer '.length) ?? '').digest()
  if (!timingSafeEqual(digest, Buffer.from(tokenHash, 'hex'))) await reply.code(401).send({ code: 'unauthenticated' })
})

const schema = {
  params: Type.Object({ id: Type.String({ format: 'uuid' }) }, { additionalProperties: false }),
  body: Type.Object({ role: Type.String({ maxLength: 64 }), held: Type.Boolean(), reason: Type.String({ maxLength: 500 }) }, { additionalProperties: false }),
  response: { 200: Type.Object({ id: Type.String(), role: Type.String(), revision: Type.String() }) }
}

const lock = { name: 'lock', text: 'select roles, revision from holders where id = $1 for update' }
const seen = { name: 'seen', text: 'select revision from outbox where command_id = $1' }
const update = { name: 'update', text: 'update holders set roles = $2, revision = revision + 1 where id = $1 returning revision' }
const insert = { name: 'insert', text: 'insert into outbox (event_id, command_id, holder_id, type, data, metadata, revision) values ($1, $2, $3, $4, $5, $6, $7)' }

app.post('/holders/:id/roles', { schema }, async (request, reply) => {
  const { id } = request.params
  const { role, held, reason } = request.body
  const commandId = request.headers['idempotency-key']
  const client = await pool.connect()
  try {
    await client.query('begin')
    const repeated = await client.query<{ revision: string }>({ ...seen, values: [commandId] })
    const row = (await client.query<{ roles: string[], revision: string }>({ ...lock, values: [id] })).rows[0]
    if (row === undefined || repeated.rows.length > 0 || row.roles.includes(role) === held) {
      await client.query('rollback')
      return await reply.code(409 as 200).send({ id, role, revision: row?.revision ?? '-1' })
    }
    const roles = held ? [...row.roles, role] : row.roles.filter((other) => other !== role)
    const updated = (await client.query<{ revision: string }>({ ...update, values: [id, roles] })).rows[0]
    const revision = updated?.revision ?? ''
    const metadata = { occurredAt: new Date().toISOString(), actor: { type: 'principal', id: 'bench' }, requestId: request.id, reason }
    await client.query({ ...insert, values: [v7(), commandId, id, held ? 'role_granted' : 'role_revoked', { id, role }, metadata, revision] })
    await client.query('commit')
    return await reply.send({ id, role, revision })
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
})

await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${(app.server.address() as { port: number }).port}\n`)
process.on('SIGTERM', () => {
  void app.close().then(() => pool.end())
})

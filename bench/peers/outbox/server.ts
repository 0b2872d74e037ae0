// The peer: the same command as an ordinary Fastify service on Postgres, with a transactional outbox and synchronous commits.
// Run as a child with the Postgres URL and the SHA-256 of the token; prints its port when it listens.
import { createHash, timingSafeEqual } from 'node:crypto'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
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

const closed = { additionalProperties: false }
const params = Type.Object({ principal_id: Type.String({ format: 'uuid' }), role: Type.String({ maxLength: 64, pattern: '^[a-z][a-z0-9-]*$' }) }, closed)
const response = { 200: Type.Object({ principal_id: Type.String(), position: Type.String(), revision: Type.String() }, closed) }

const lock = { name: 'lock', text: 'select roles from principals where id = $1 for update' }
const seen = { name: 'seen', text: 'select 1 from outbox where command_id = $1' }
const update = { name: 'update', text: 'update principals set roles = $2, revision = revision + 1 where id = $1 returning revision' }
const insert = {
  name: 'insert',
  text: 'insert into outbox (event_id, command_id, principal_id, type, data, metadata, revision) values ($1, $2, $3, $4, $5, $6, $7) returning position'
}

/** One transaction: repeat known? row locked, decided, updated, and the fact put into the outbox. */
const change = async (id: string, role: string, held: boolean, request: FastifyRequest, reply: FastifyReply) => {
  const commandId = request.headers['idempotency-key']
  const client = await pool.connect()
  try {
    await client.query('begin')
    const repeated = await client.query({ ...seen, values: [commandId] })
    const row = (await client.query<{ roles: string[] }>({ ...lock, values: [id] })).rows[0]
    if (row === undefined || repeated.rows.length > 0 || row.roles.includes(role) === held) {
      await client.query('rollback')
      return await reply.code(409).send()
    }
    const roles = held ? [...row.roles, role] : row.roles.filter((other) => other !== role)
    const revision = (await client.query<{ revision: string }>({ ...update, values: [id, roles] })).rows[0]?.revision
    const metadata = { occurredAt: new Date().toISOString(), actor: { type: 'principal', id: 'bench' }, requestId: request.id }
    const written = await client.query<{ position: string }>({
      ...insert, values: [v7(), commandId, id, held ? 'role_granted' : 'role_revoked', { principalId: id, role }, metadata, revision]
    })
    await client.query('commit')
    return { principal_id: id, position: written.rows[0]?.position ?? '', revision: revision ?? '' }
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

const path = '/api/v1/principals/:principal_id/roles/:role'
app.put(path, { schema: { params, body: Type.Object({}, closed), response } },
  (request, reply) => change(request.params.principal_id, request.params.role, true, request, reply))
app.delete(path, { schema: { params, response } },
  (request, reply) => change(request.params.principal_id, request.params.role, false, request, reply))

await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${(app.server.address() as { port: number }).port}\n`)
process.on('SIGTERM', () => {
  void app.close().then(() => pool.end())
})

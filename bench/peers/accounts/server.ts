// The peer: one account by its id, as an ordinary Fastify service on Postgres answers it, with the same body and checks.
// Run as a child with the Postgres URL and the SHA-256 of the token; prints its port when it listens.
import { createHash, timingSafeEqual } from 'node:crypto'
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import { Pool } from 'pg'
import { limitCatalogue, limitCodes, markers, sanctionCatalogue, type LimitCode, type SanctionCode } from '../../../src/domain/account/catalogues.ts'
import { UserAnswer } from '../../../src/http/schemas/admin-users.ts'

const [url, tokenHash] = process.argv.slice(2)
if (url === undefined || tokenHash === undefined) throw new Error('usage: server <postgres url> <sha256 of the token>')

const pool = new Pool({ connectionString: url, max: 16 })
const app = Fastify({ logger: false, ajv: { customOptions: { removeAdditional: false, coerceTypes: false } } }).withTypeProvider<TypeBoxTypeProvider>()

app.addHook('onRequest', async (request, reply) => {
  const digest = createHash('sha256').update(request.headers.authorization?.slice('Bearer '.length) ?? '').digest()
  if (!timingSafeEqual(digest, Buffer.from(tokenHash, 'hex'))) await reply.code(401).send({ code: 'unauthenticated' })
})

interface Account {
  user_id: string, email: string, user_name: string | null, display_name: string | null, preferred_language: string | null, time_zone: string | null
  tariff: string | null, tariff_since: Date | null, tariff_until: Date | null, credentials: number, created_at: Date, deleted_at: Date | null, purge_after: Date | null
  position: string, revision: string
  sanctions: Array<{ sanction_id: string, code: SanctionCode, scope: string, starts_at: string, expires_at: string | null }> | null
  limits: Record<string, { value: number, set_at: string }> | null
}

/** One round trip: the account with what hangs on it. */
const read = {
  name: 'read',
  text: `select a.*,
    (select json_agg(s) from (select sanction_id, code, scope, starts_at, expires_at from sanctions s where s.user_id = a.user_id and (expires_at is null or expires_at > now())) s) as sanctions,
    (select json_object_agg(code, json_build_object('value', value, 'set_at', set_at)) from limits l where l.user_id = a.user_id) as limits
    from accounts a where a.user_id = $1 and a.deleted_at is null`
}

const limitOf = (code: LimitCode, set: { value: number, set_at: string } | undefined) => set === undefined
  ? { value: limitCatalogue[code].default, set_at: null }
  : { value: set.value, set_at: new Date(set.set_at).toISOString() }

const params = Type.Object({ user_id: Type.String({ format: 'uuid' }) }, { additionalProperties: false })

app.get('/api/v1/admin/users/:user_id', { schema: { params, response: { 200: UserAnswer } } }, async (request, reply) => {
  const row = (await pool.query<Account>({ ...read, values: [request.params.user_id] })).rows[0]
  if (row === undefined) throw new Error('no such account')
  const now = new Date()
  const sanctions = (row.sanctions ?? []).map((sanction) => ({
    ...sanction, starts_at: new Date(sanction.starts_at).toISOString(), state: new Date(sanction.starts_at) > now ? 'scheduled' as const : 'active' as const
  }))
  const eligibility = Object.fromEntries(markers.map((marker) => {
    const because = sanctions.find(({ code, state }) => state === 'active' && (sanctionCatalogue[code].takes as readonly string[]).includes(marker))
    return [marker, because === undefined
      ? { allowed: true }
      : { allowed: false, because: { sanction_id: because.sanction_id, code: because.code, scope: because.scope, starts_at: because.starts_at, event_id: because.sanction_id, revision: row.revision } }]
  }))
  const limits = Object.fromEntries(limitCodes.map((code) => [code, limitOf(code, row.limits?.[code])]))
  void reply.headers({ etag: `"${row.revision}"` })
  return {
    user_id: row.user_id, tester_id: null, email: row.email, user_name: row.user_name, display_name: row.display_name,
    preferred_language: row.preferred_language, time_zone: row.time_zone, created_at: row.created_at.toISOString(), credentials: row.credentials,
    tariff: row.tariff === null ? null : { code: row.tariff, since: row.tariff_since?.toISOString() ?? '', until: row.tariff_until?.toISOString() ?? null },
    sanctions, deleted_at: null, purge_after: null, purged_at: null, erased: false, stage: 'live' as const, eligibility, limits, legal_holds: 0,
    as_of: { position: row.position, at: now.toISOString() }, position: row.position, revision: row.revision
  }
})

await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${(app.server.address() as { port: number }).port}\n`)
process.on('SIGTERM', () => {
  void app.close().then(() => pool.end())
})

// Credentials: the inventory, a credential's manifest, and the value that is handed to the vault.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { adoptValue, manifestErrors, putManifest } from '../../commands/rotations/credentials.ts'
import type { CredentialReceipt, RotationDeps } from '../../commands/rotations/deps.ts'
import { credentialAggregate, expiryOf, openJob } from '../../domain/credential/credential.ts'
import type { Credential, CurrentValue, KnownCredential } from '../../domain/credential/state.ts'
import { refuse } from '../../domain/codes.ts'
import { Secret } from '../../domain/credential/secret.ts'
import { allows } from '../../domain/principal/roles.ts'
import type { Vault } from '../../ports.ts'
import type { CredentialRow, RotationQueries } from '../../rotation-queries.ts'
import { accepted, located } from '../answers.ts'
import { vaultFor } from '../clear-text.ts'
import { manifestItem, manifestOf } from '../manifest-items.ts'
import { dueIn } from '../cursors.ts'
import { forbid } from '../forbid.ts'
import { inWireForm, manifestBody, refusalOf, wrongIn } from '../manifest-body.ts'
import * as schemas from '../schemas/credentials.ts'
import { limitOf } from '../schemas/shared.ts'
import { openSealed } from '../sealed-text.ts'
import { instantOf } from '../times.ts'
import { contextWithWhy } from '../why.ts'

export type CredentialRouteDeps = RotationDeps & { vault: Pick<Vault, 'open'>, rotations: Pick<RotationQueries, 'inventory'> }

const PATH = '/api/v1/credentials'
const READ = { permission: 'rotations.read' } as const
const WRITE = { permission: 'rotations.operate' } as const
const tags = ['credentials']
/** A manifest may name 500 consumers, each with two addresses. */
const MANIFEST_BYTES = 2 * 1024 * 1024
const DAY_MS = 86_400_000

export const credentialRoutes = (deps: CredentialRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  app.get(PATH, {
    config: { ...READ, waitsFor: ['rotations'] },
    schema: { tags, summary: 'The inventory: what is due first, how old each value is, which rotation is open', querystring: schemas.InventoryQuery, response: { 200: schemas.Inventory } }
  }, async (request) => {
    const { due, cursor } = request.query
    const now = app.door.clock.now()
    const limit = limitOf(request.query)
    const open = openSealed(vaultFor(request, deps.vault))
    const rows = await deps.rotations.inventory({ ...due === 'true' && { dueBy: now }, ...cursor !== undefined && { after: dueIn(cursor) } }, limit)
    const last = rows.at(-1)
    return {
      items: await Promise.all(rows.map(async (row) => ({ ...inventoryItem(row, now), owner_name: await open(row.ownerName) }))),
      next_cursor: rows.length < limit || last === undefined ? null : `${last.dueAt === null ? 'never' : Date.parse(last.dueAt)}.${last.credential}`
    }
  })

  app.get(`${PATH}/:name`, {
    config: READ, schema: { tags, summary: 'One credential: its manifest, what is known of its value, its open rotation', params: schemas.CredentialParams, response: { 200: schemas.CredentialAnswer } }
  }, async (request, reply) => {
    const { name } = request.params
    const { state, revision, position } = await deps.aggregates.current(credentialAggregate, name)
    const credential = known(state)
    return located(reply, { revision, position }, {
      credential: name,
      manifest_version: credential.version,
      manifest: await manifestItem(credential.manifest, openSealed(vaultFor(request, deps.vault))),
      value: credential.value === undefined ? null : valueItem(credential.value),
      due_at: expiryOf(credential)?.dueAt ?? null,
      last_completed_at: credential.lastCompletedAt ?? null,
      open_rotation: openItem(credential)
    })
  })

  app.put(`${PATH}/:name`, {
    config: WRITE,
    bodyLimit: MANIFEST_BYTES,
    validatorCompiler: manifestBody,
    schema: { tags, summary: 'Put a version of the manifest; it holds at once, also for an open rotation', params: schemas.CredentialParams, body: schemas.ManifestBody, response: { 200: schemas.ManifestAccepted } }
  }, async (request, reply) => {
    const { params: { name }, ifMatch } = request
    const wrong = wrongIn(request.body)
    if (wrong !== undefined) {
      if (wrong.parts.vendor?.kind === 'chancery-token') await mayIssueTokens(request)
      throw refusalOf(wrong, await manifestErrors(deps, name, wrong.parts))
    }
    const { manifest, reason, ticket } = request.body
    if (manifest.vendor.kind === 'chancery-token') await mayIssueTokens(request)
    const context = contextWithWhy(request, `credential-${name}`, { reason, ...ticket !== undefined && { ticket } })
    const receipt = await inWireForm(putManifest(deps, { credential: name, manifest: manifestOf(manifest, name), ...ifMatch !== undefined && { ifMatch } }, context))
    const credential = known(receipt.state)
    const put = receipt.events.find((event) => event.type === 'credential.manifest_put')
    return accepted(reply, receipt, { credential: name, manifest_version: credential.version, ticket_check: put?.data.ticketCheck ?? null, open_rotation: openItem(credential) })
  })

  app.post(`${PATH}/:name/value`, {
    config: WRITE,
    schema: { tags, summary: 'Hand the value in use to the vault, so that it can be rotated', params: schemas.CredentialParams, body: schemas.ValueBody, response: { 200: schemas.ValueAccepted } }
  }, async (request, reply) => {
    const { params: { name }, body: { value, vendor_token_id: vendorTokenId, expires_at: expiresAt, ...why } } = request
    const receipt: CredentialReceipt = await adoptValue(deps, {
      credential: name, value: new Secret(value), ...vendorTokenId !== undefined && { vendorTokenId }, ...expiresAt !== undefined && { expiresAt: instantOf(expiresAt) }
    }, contextWithWhy(request, `credential-${name}`, why))
    const { value: adopted } = known(receipt.state)
    if (adopted === undefined) throw new Error('a value that was neither recorded nor refused')
    return accepted(reply, receipt, { credential: name, value: valueItem(adopted) })
  })
}

const known = (credential: Credential): KnownCredential =>
  credential.status === 'known' ? credential : refuse('subject_not_found', 'There is no such credential. GET /api/v1/credentials lists them all; PUT its manifest to make one.')

/** Rotating our own tokens issues them: whoever writes such a manifest needs the right that issuing needs (ADR 0182). */
const mayIssueTokens = async (request: FastifyRequest): Promise<void> => {
  const { caller } = request
  if (caller !== undefined && allows(caller.roles, 'principals.write')) return
  await forbid(request, 'principals.write', 'A manifest of the kind chancery-token issues access tokens: that needs the right to issue them besides.')
}

const openItem = (credential: Credential) => {
  const job = openJob(credential)
  return job === undefined ? null : { rotation_id: job.rotationId, state: job.state }
}

const valueItem = ({ valueId, fingerprint, vendorTokenId, since, expiresAt }: CurrentValue) => ({
  value_id: valueId, fingerprint, vendor_token_id: vendorTokenId ?? null, since, expires_at: expiresAt ?? null
})

const inventoryItem = (row: CredentialRow, now: Date) => ({
  credential: row.credential,
  sensitivity: row.sensitivity,
  vendor: row.vendor,
  value_since: row.valueSince,
  expires_at: row.expiresAt,
  due_at: row.dueAt,
  overdue: row.dueAt !== null && Date.parse(row.dueAt) <= now.getTime(),
  age_days: row.valueSince === null ? null : Math.max(0, Math.floor((now.getTime() - Date.parse(row.valueSince)) / DAY_MS)),
  last_completed_at: row.lastCompletedAt,
  open_rotation: row.openRotationId === null || row.openState === null ? null : { rotation_id: row.openRotationId, state: row.openState }
})

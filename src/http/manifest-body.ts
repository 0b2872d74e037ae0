// Reads the body of a manifest: described by its schema like every other, but checked so that everything that is wrong is told at once.
import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Refusal } from '../domain/codes.ts'
import { manifestInvalid, type ManifestError } from '../domain/credential/manifest-check.ts'
import { isVisible } from '../domain/visible.ts'
import { errorsOf, formErrors } from './manifest-items.ts'
import { ManifestEnvelope } from './schemas/credentials.ts'

/** Fastify's validator for the route: what is wrong beside the manifest is refused with `invalid_request`, before the manifest is looked at. */
export const manifestBody = ({ schema, httpPart = 'request' }: { schema: unknown, httpPart?: string }) => (data: unknown) =>
  httpPart === 'body' ? checkedBody(data) : checked(schema as TSchema, data, httpPart)

const checked = (schema: TSchema, data: unknown, part: string) => Value.Check(schema, data)
  ? { value: data }
  : { error: new Refusal('invalid_request', `The ${part} does not have the form that this route takes.`) }

const checkedBody = (data: unknown) => {
  const { manifest, ...envelope }: { manifest?: unknown, reason?: unknown } = typeof data === 'object' && data !== null ? data : {}
  const wrong = envelopeErrors(envelope)
  if (wrong.length > 0) return { error: new Refusal('invalid_request', 'The body does not have the form that this route takes; see errors.', { errors: wrong.map(({ path, message }) => ({ path: `/body${path}`, message })) }) }
  const errors = formErrors(manifest)
  return errors.length === 0 ? { value: data } : { error: manifestInvalid(errors) }
}

const envelopeErrors = (envelope: { reason?: unknown }): ManifestError[] => {
  const errors = errorsOf(ManifestEnvelope, envelope)
  return errors.length > 0 || isVisible(String(envelope.reason)) ? errors : [{ path: '/reason', message: 'must hold something that can be seen' }]
}

/** Members of a manifest that have another name on the wire. */
const wireNames: ReadonlyMap<string, string> = new Map([
  ['mayMint', 'may_mint'], ['tokenId', 'token_id'], ['expiresAt', 'expires_at'], ['lastUsedAt', 'last_used_at'], ['refusedStatuses', 'refused_statuses'],
  ['principalId', 'principal_id'], ['lifetimeDays', 'lifetime_days'], ['leadDays', 'lead_days']
])

/** What a decision finds wrong with a manifest names its members as the domain does. */
export const inWireForm = async <T>(command: Promise<T>): Promise<T> => {
  try {
    return await command
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'manifest_invalid') throw error
    const { errors = [] } = error.fields as { errors?: ManifestError[] }
    const translated = errors.map(({ path, message }) => ({ path: path.split('/').map((name) => wireNames.get(name) ?? name).join('/'), message }))
    throw new Refusal(error.code, error.message, { ...error.fields, errors: translated })
  }
}

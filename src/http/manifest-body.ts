// Reads the body of a manifest: described by its schema like every other, but checked so that every mistake is told at once.
import { Value } from '@sinclair/typebox/value'
import type { TSchema } from '@sinclair/typebox'
import { Refusal } from '../domain/codes.ts'
import { isVisible } from '../domain/visible.ts'
import { errorsOf, formErrors, type ManifestError } from './manifest-items.ts'

/** Fastify's validator for the route: parts other than the body, and the body apart from its manifest, are refused with `invalid_request`. */
export const manifestBody = ({ schema: described, httpPart }: { schema: object, httpPart?: string }) => (data: unknown) => {
  const schema = described as TSchema
  if (httpPart !== 'body') return checked(schema, data, httpPart ?? 'request')
  const { manifest, ...rest } = (typeof data === 'object' && data !== null ? data : {}) as { manifest?: unknown, reason?: unknown }
  const { manifest: _, ...others } = schema['properties'] as Record<string, TSchema>
  const envelope = { ...schema, properties: { ...others }, required: (schema['required'] as string[]).filter((name) => name !== 'manifest') } as unknown as TSchema
  const wrong = typeof rest.reason === 'string' && !isVisible(rest.reason) ? [{ path: '/reason', message: 'must hold something that can be seen' }] : envelopeErrors(envelope, rest)
  if (wrong.length > 0) return { error: new Refusal('invalid_request', 'The body does not have the form that this route takes; see errors.', { errors: wrong.map(({ path, message }) => ({ path: `/body${path}`, message })) }) }
  const errors = formErrors(manifest)
  return errors.length === 0 ? { value: data } : { error: invalid(errors) }
}

const checked = (schema: TSchema, data: unknown, part: string) => Value.Check(schema, data)
  ? { value: data }
  : { error: new Refusal('invalid_request', `The ${part} does not have the form that this route takes.`) }

/** The pattern of visible text needs a flag that this reader of schemas does not set, so it is looked at apart. */
const envelopeErrors = (schema: TSchema, data: object): ManifestError[] => {
  const properties = Object.fromEntries(Object.entries(schema['properties'] as Record<string, TSchema>).map(([name, { pattern: _, ...property }]) => [name, property])) as unknown as Record<string, TSchema>
  return errorsOf({ ...schema, properties }, data)
}

const invalid = (errors: ManifestError[]): Refusal => new Refusal('manifest_invalid', `The manifest has ${errors.length} ${errors.length === 1 ? 'mistake' : 'mistakes'}; see errors. Nothing was recorded.`, { errors })

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

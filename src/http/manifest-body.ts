// Reads the body of a manifest: described by its schema like every other, but checked so that everything that is wrong is told at once.
import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Refusal } from '../domain/codes.ts'
import { manifestInvalid, type ManifestError } from '../domain/credential/manifest-check.ts'
import type { ManifestParts } from '../domain/credential/manifest-parts.ts'
import { isTicket, TICKET_FORM } from '../domain/ticket.ts'
import { isVisible } from '../domain/visible.ts'
import { errorsOf, formErrors } from './manifest-items.ts'
import { manifestParts } from './manifest-parts.ts'
import { ManifestEnvelope } from './schemas/credentials.ts'

/** Fastify's validator for the route. The body is looked at by `wrongIn`: what is wrong with its form is told together with all else. */
export const manifestBody = ({ schema, httpPart = 'request' }: { schema: unknown, httpPart?: string }) => (data: unknown) =>
  httpPart === 'body' || Value.Check(schema as TSchema, data)
    ? { value: data }
    : { error: new Refusal('invalid_request', `The ${httpPart} does not have the form that this route takes.`) }

/** What has not the form that it needs: of the manifest, and beside it; `parts` are what has. */
export interface WrongBody { manifest: ManifestError[], beside: ManifestError[], parts: ManifestParts }

/** Undefined: the body has the form of the schema `ManifestBody`. */
export const wrongIn = (body: unknown): WrongBody | undefined => {
  const { manifest, ...envelope }: { manifest?: unknown, reason?: unknown, ticket?: unknown } = typeof body === 'object' && body !== null ? body : {}
  const beside = envelopeErrors(envelope).map(({ path, message }) => ({ path: `/body${path}`, message }))
  const errors = formErrors(manifest)
  return beside.length + errors.length === 0 ? undefined : { manifest: errors, beside, parts: manifestParts(manifest) }
}

/** One refusal for all of it: a manifest's error is not kept back by one beside it. `found`: what the checks say to the parts. */
export const refusalOf = ({ manifest, beside }: Pick<WrongBody, 'manifest' | 'beside'>, found: readonly ManifestError[]): Refusal => {
  const told = (place: string): boolean => manifest.some(({ path }) => path === place || path.startsWith(`${place}/`))
  const errors = [...manifest, ...inWireNames(found).filter(({ path }) => !told(path))]
  if (errors.length > 0) return manifestInvalid(errors, beside)
  return beside.every(({ message }) => message === TICKET_FORM)
    ? new Refusal('ticket_invalid', TICKET_FORM)
    : new Refusal('invalid_request', 'The body does not have the form that this route takes; see errors.', { errors: beside })
}

const envelopeErrors = (envelope: { reason?: unknown, ticket?: unknown }): ManifestError[] => {
  const errors = errorsOf(ManifestEnvelope, envelope)
  const wrong = (path: string): boolean => errors.some((error) => error.path === path)
  return [
    ...errors,
    ...wrong('/reason') || isVisible(String(envelope.reason)) ? [] : [{ path: '/reason', message: 'must hold something that can be seen' }],
    ...wrong('/ticket') || typeof envelope.ticket !== 'string' || isTicket(envelope.ticket) ? [] : [{ path: '/ticket', message: TICKET_FORM }]
  ]
}

/** Members of a manifest that have another name on the wire. */
const wireNames: ReadonlyMap<string, string> = new Map([
  ['mayMint', 'may_mint'], ['tokenId', 'token_id'], ['expiresAt', 'expires_at'], ['lastUsedAt', 'last_used_at'], ['refusedStatuses', 'refused_statuses'],
  ['principalId', 'principal_id'], ['lifetimeDays', 'lifetime_days'], ['leadDays', 'lead_days']
])

const inWireNames = (errors: readonly ManifestError[]): ManifestError[] =>
  errors.map(({ path, message }) => ({ path: path.split('/').map((name) => wireNames.get(name) ?? name).join('/'), message }))

/** What a decision finds wrong with a manifest names its members as the domain does. */
export const inWireForm = async <T>(command: Promise<T>): Promise<T> => {
  try {
    return await command
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'manifest_invalid') throw error
    const { errors = [] } = error.fields as { errors?: ManifestError[] }
    throw new Refusal(error.code, error.message, { ...error.fields, errors: inWireNames(errors) })
  }
}

// Manifests between the wire and the domain, and everything that is wrong with one, said at once.
import type { TSchema } from '@sinclair/typebox'
import { Errors, ValueErrorType, type ValueError } from '@sinclair/typebox/errors'
import type { ManifestError } from '../domain/credential/manifest-check.ts'
import type { Manifest, Subscriber, VendorSettings } from '../domain/credential/manifest.ts'
import { Clear, type Personal } from '../domain/personal.ts'
import type { OpenText } from './account-items.ts'
import { Manifest as ManifestSchema, type WireManifest } from './schemas/manifest.ts'

/** More than anybody mends at once. */
const MOST = 100

/** What of a manifest has not the form that it needs, by its names on the wire. Values are not repeated: somebody may have pasted a secret. */
export const formErrors = (manifest: unknown): ManifestError[] => errorsOf(ManifestSchema, manifest)

/** The same of any schema whose patterns need no flag. */
export const errorsOf = (schema: TSchema, value: unknown): ManifestError[] => {
  const found: ManifestError[] = []
  for (const error of Errors(schema, [], value)) {
    collect(error, found)
    if (found.length > MOST) break
  }
  // A member that is missing is told twice: that it is, and that it has no type.
  return found.filter(({ path }, at) => found.findIndex((other) => other.path === path) === at).slice(0, MOST)
}

const collect = (error: ValueError, found: ManifestError[]): void => {
  if (error.type !== ValueErrorType.Union) {
    found.push({ path: error.path, message: inWords(error) })
    return
  }
  const kinds = (error.schema['anyOf'] as TSchema[]).map(kindOf)
  const kind = (error.value as { kind?: unknown } | null | undefined)?.kind
  const branch = kinds.findIndex((known) => known !== undefined && known === kind)
  if (branch !== -1) for (const inner of error.errors[branch] ?? []) collect(inner, found)
  else if (kinds.every((known) => known !== undefined)) found.push({ path: `${error.path}/kind`, message: `must be one of ${kinds.join(', ')}` })
  else found.push({ path: error.path, message: unionInWords(error.schema['anyOf'] as TSchema[]) })
}

const kindOf = (schema: TSchema): string | undefined => ((schema['properties'] as Record<string, TSchema> | undefined)?.['kind'] as { const?: string } | undefined)?.const

const unionInWords = (members: TSchema[]): string => members.every((member) => 'const' in member)
  ? `must be one of ${members.map((member) => String(member['const'])).join(', ')}`
  : `must be an object with ${members.map((member) => Object.keys((member['properties'] ?? {}) as object).join(' and ')).join(', or with ')}`

const words: ReadonlyMap<ValueErrorType, (schema: TSchema) => string> = new Map([
  [ValueErrorType.ObjectRequiredProperty, () => 'is missing'],
  [ValueErrorType.ObjectAdditionalProperties, () => 'is not known here'],
  [ValueErrorType.StringPattern, (schema: TSchema) => `must have the form ${String(schema['pattern'])}`],
  [ValueErrorType.StringMinLength, (schema: TSchema) => `must have at least ${String(schema['minLength'])} characters`],
  [ValueErrorType.StringMaxLength, (schema: TSchema) => `must have at most ${String(schema['maxLength'])} characters`],
  [ValueErrorType.ArrayMaxItems, (schema: TSchema) => `must have at most ${String(schema['maxItems'])} items`],
  [ValueErrorType.ArrayMinItems, (schema: TSchema) => `must have at least ${String(schema['minItems'])} items`],
  [ValueErrorType.IntegerMinimum, (schema: TSchema) => `must be ${String(schema['minimum'])} or more`],
  [ValueErrorType.IntegerMaximum, (schema: TSchema) => `must be ${String(schema['maximum'])} or less`]
])

const inWords = ({ type, schema }: ValueError): string =>
  words.get(type)?.(schema) ?? ('const' in schema ? `must be ${String(schema['const'])}` : `must be ${/^[aeiou]/.test(String(schema['type'])) ? 'an' : 'a'} ${String(schema['type'])}`)

/** Takes what `formErrors` found nothing wrong with. */
export const manifestOf = (wire: WireManifest, credential: string): Manifest => {
  const subject = `credential-${credential}`
  return {
    vendor: vendorOf(wire.vendor),
    ...wire.connection !== undefined && { connection: wire.connection },
    sensitivity: wire.sensitivity,
    owner: { name: new Clear(wire.owner.name, subject), email: new Clear(wire.owner.email, subject) },
    ...wire.lifetime_days !== undefined && { lifetimeDays: wire.lifetime_days },
    leadDays: wire.lead_days,
    consumers: wire.consumers
  }
}

/** Takes what its schema found nothing wrong with. */
export const vendorOf = (vendor: WireManifest['vendor']): VendorSettings => {
  switch (vendor.kind) {
    case 'http': {
      const { may_mint: mayMint, mint, list, refused_statuses: refusedStatuses, ...calls } = vendor
      return {
        ...calls,
        mayMint,
        mint: { call: mint.call, secret: mint.secret, tokenId: mint.token_id, ...mint.expires_at !== undefined && { expiresAt: mint.expires_at } },
        list: {
          call: list.call, items: list.items, tokenId: list.token_id, ...list.label !== undefined && { label: list.label },
          ...list.last_used_at !== undefined && { lastUsedAt: list.last_used_at }
        },
        refusedStatuses
      }
    }
    case 'manual': {
      const { refused_statuses: refusedStatuses, ...rest } = vendor
      return { ...rest, refusedStatuses }
    }
    case 'chancery-token': return { kind: vendor.kind, principalId: vendor.principal_id }
    case 'postgres-role':
    case 'redis-acl': return vendor
  }
}

/** A manifest as it is shown. `open` gives null where the caller may not see the owner. */
export const manifestItem = async (manifest: Manifest, open: OpenText) => ({
  vendor: vendorItem(manifest.vendor),
  ...manifest.connection !== undefined && { connection: manifest.connection },
  sensitivity: manifest.sensitivity,
  owner: await ownerItem(manifest.owner, open),
  ...manifest.lifetimeDays !== undefined && { lifetime_days: manifest.lifetimeDays },
  lead_days: manifest.leadDays,
  consumers: manifest.consumers.map(subscriberItem)
})

const ownerItem = async ({ name, email }: { name: Personal, email: Personal }, open: OpenText) => ({ name: await open(name), email: await open(email) })

const subscriberItem = ({ consumer, required, delivery, healthcheck, proof }: Subscriber) => ({ consumer, required, delivery, healthcheck, proof })

const vendorItem = (vendor: VendorSettings): WireManifest['vendor'] => {
  switch (vendor.kind) {
    case 'http': {
      const { mayMint, mint, list, refusedStatuses, ...calls } = vendor
      return {
        ...calls,
        may_mint: mayMint,
        mint: { call: mint.call, secret: mint.secret, token_id: mint.tokenId, ...mint.expiresAt !== undefined && { expires_at: mint.expiresAt } },
        list: {
          call: list.call, items: list.items, token_id: list.tokenId, ...list.label !== undefined && { label: list.label },
          ...list.lastUsedAt !== undefined && { last_used_at: list.lastUsedAt }
        },
        refused_statuses: refusedStatuses
      }
    }
    case 'manual': {
      const { refusedStatuses, ...rest } = vendor
      return { ...rest, refused_statuses: refusedStatuses }
    }
    case 'chancery-token': return { kind: vendor.kind, principal_id: vendor.principalId }
    case 'postgres-role':
    case 'redis-acl': return vendor
  }
}

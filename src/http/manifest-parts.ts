// Reads of a manifest on the wire what has the form that it needs: the rest is told to be wrong, and checked no further.
import type { Static, TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { ManifestParts, SubscriberParts, VendorParts } from '../domain/credential/manifest-parts.ts'
import { vendorOf } from './manifest-items.ts'
import * as schemas from './schemas/manifest.ts'

type Members = Readonly<Record<string, unknown>>

const membersOf = (value: unknown): Members => typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Members : {}

const fit = <T extends TSchema>(schema: T, value: unknown): Static<T> | undefined => Value.Check(schema, value) ? value : undefined

export const manifestParts = (wire: unknown): ManifestParts => {
  const { vendor, connection, lifetime_days: lifetimeDays, lead_days: leadDays, consumers } = membersOf(wire)
  const of = schemas.Manifest.properties
  return {
    vendor: vendorParts(vendor),
    connection: fit(of.connection, connection),
    lifetimeDays: fit(of.lifetime_days, lifetimeDays),
    leadDays: fit(of.lead_days, leadDays),
    consumers: Array.isArray(consumers) ? consumers.slice(0, of.consumers.maxItems).map(subscriberParts) : undefined
  }
}

const subscriberParts = (wire: unknown): SubscriberParts => {
  const { consumer, required, delivery, healthcheck, proof } = membersOf(wire)
  const of = schemas.Consumer.properties
  return {
    consumer: fit(of.consumer, consumer), required: fit(of.required, required), delivery: fit(of.delivery, delivery),
    healthcheck: fit(of.healthcheck, healthcheck), proof: fit(of.proof, proof)
  }
}

const vendorParts = (wire: unknown): VendorParts | undefined => {
  const whole = fit(schemas.Manifest.properties.vendor, wire)
  if (whole !== undefined) return vendorOf(whole)
  const given = membersOf(wire)
  switch (given['kind']) {
    case 'http': {
      const of = schemas.Http.properties
      return {
        kind: 'http',
        authenticate: fit(of.authenticate, given['authenticate']),
        metadata: fit(of.metadata, given['metadata']),
        mayMint: fit(of.may_mint, given['may_mint']),
        mint: { call: fit(of.mint.properties.call, membersOf(given['mint'])['call']) },
        list: { call: fit(of.list.properties.call, membersOf(given['list'])['call']) },
        revoke: fit(of.revoke, given['revoke']),
        refusedStatuses: fit(of.refused_statuses, given['refused_statuses'])
      }
    }
    case 'manual': {
      const of = schemas.Manual.properties
      return { kind: 'manual', authenticate: fit(of.authenticate, given['authenticate']), metadata: fit(of.metadata, given['metadata']), refusedStatuses: fit(of.refused_statuses, given['refused_statuses']) }
    }
    case 'postgres-role': {
      const of = schemas.PostgresRole.properties
      return { kind: 'postgres-role', group: fit(of.group, given['group']), address: fit(of.address, given['address']) }
    }
    case 'redis-acl': {
      const of = schemas.RedisAcl.properties
      return { kind: 'redis-acl', user: fit(of.user, given['user']), address: fit(of.address, given['address']) }
    }
    case 'chancery-token': return { kind: 'chancery-token', principalId: fit(schemas.ChanceryToken.properties.principal_id, given['principal_id']) }
    default: return undefined
  }
}

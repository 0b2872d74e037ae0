// Where a vendor is: a value is for the place that it was adopted for, and is sent to no other.
import { canonical } from './canonical.ts'
import type { Manifest, VendorSettings } from './manifest.ts'
import type { VendorParts } from './manifest-parts.ts'

/** The addresses (scheme, host, port) that a vendor's settings lead to. */
const addressesOf = (vendor: VendorSettings): string[] => {
  switch (vendor.kind) {
    case 'http': {
      const { authenticate, metadata, mayMint, mint, list, revoke } = vendor
      return [authenticate, metadata, mayMint, mint.call, list.call, revoke].map(({ url }) => placeOf(url))
    }
    case 'manual': return [vendor.authenticate, ...vendor.metadata === undefined ? [] : [vendor.metadata]].map(({ url }) => placeOf(url))
    case 'postgres-role':
    case 'redis-acl': return [placeOf(vendor.address)]
    case 'chancery-token': return [vendor.principalId]
  }
}

/** A placeholder before the path makes the whole template the address. */
const placeOf = (text: string): string => {
  if (!URL.canParse(text)) return text
  const { protocol, host, username, password } = new URL(text)
  return /\{\{|%7b%7b/i.test(host + username + password) ? text : `${protocol}//${host}`
}

/** True if `to` is a vendor of another kind, or leads to other addresses, than `from`. */
export const leadsElsewhere = (from: VendorSettings, to: VendorSettings): boolean => {
  const [before, now] = [new Set(addressesOf(from)), new Set(addressesOf(to))]
  return from.kind !== to.kind || before.size !== now.size || [...now].some((address) => !before.has(address))
}

/** Where a manifest's connection is sent, as it stands there. */
export const connectedAddresses = (vendor: VendorParts | undefined): string[] => {
  switch (vendor?.kind) {
    case 'http': return [vendor.mayMint, vendor.mint?.call, vendor.list?.call, vendor.revoke].flatMap((call) => call?.url ?? [])
    case 'postgres-role':
    case 'redis-acl': return vendor.address === undefined ? [] : [vendor.address]
    case 'manual':
    case 'chancery-token':
    case undefined: return []
  }
}

/** True if an address is one of those that a vendor's settings lead to: a credential that serves as a connection goes there, and nowhere else. */
export const leadsTo = (vendor: VendorSettings, address: string): boolean => addressesOf(vendor).includes(placeOf(address))

/** True if revoking needs the id that the vendor gave the token, so that a value without one could never be revoked. */
export const needsTokenId = (vendor: VendorSettings): boolean => {
  if (vendor.kind !== 'http') return false
  const call = JSON.stringify(vendor.revoke)
  return call.includes('{{token_id}}') && !call.includes('{{value}}')
}

/**
 * True if the vendor is asked otherwise, or by another connection. Which statuses mean yes, and which a refusal, may be mended at any
 * time: where they are wrong, a job would neither see the old token refused nor find a way back.
 */
export const otherVendor = (before: Pick<Manifest, 'vendor' | 'connection'>, now: Pick<Manifest, 'vendor' | 'connection'>): boolean =>
  asked(before) !== asked(now)

const JUDGING: ReadonlySet<string> = new Set(['expect', 'refusedStatuses'])

const asked = ({ vendor, connection }: Pick<Manifest, 'vendor' | 'connection'>): string => canonical([
  JSON.parse(JSON.stringify(vendor, (key, part: unknown) => JUDGING.has(key) ? undefined : part)), connection
])

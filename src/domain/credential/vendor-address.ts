// Where a vendor is: a value is for the place that it was adopted for, and is sent to no other.
import { canonical } from './canonical.ts'
import type { HttpCall, Manifest, VendorSettings } from './manifest.ts'

/** Kind and addresses (scheme, host, port) that a vendor's settings lead to. */
export const addressesOf = (vendor: VendorSettings): string[] => {
  switch (vendor.kind) {
    case 'http': {
      const { authenticate, metadata, mayMint, mint, list, revoke } = vendor
      return [authenticate, metadata, mayMint, mint.call, list.call, revoke].map(originOf)
    }
    case 'manual': return [originOf(vendor.authenticate)]
    case 'postgres-role':
    case 'redis-acl': return [URL.canParse(vendor.address) ? new URL(vendor.address).host : vendor.address]
    case 'chancery-token': return [vendor.principalId]
  }
}

/** A placeholder in the host makes the whole template the address. */
const originOf = ({ url }: HttpCall): string => URL.canParse(url) && !/^[a-z]+:\/\/[^/]*\{\{/i.test(url) ? new URL(url).origin : url

/** True if `to` leads somewhere that `from` does not. */
export const leadsElsewhere = (from: VendorSettings, to: VendorSettings): boolean => {
  const known = new Set(addressesOf(from))
  return addressesOf(to).some((address) => !known.has(address))
}

/** True if revoking needs the id that the vendor gave the token, so that a value without one could never be revoked. */
export const needsTokenId = (vendor: VendorSettings): boolean => {
  if (vendor.kind !== 'http') return false
  const call = JSON.stringify(vendor.revoke)
  return call.includes('{{token_id}}') && !call.includes('{{value}}')
}

export const otherVendor = (before: Pick<Manifest, 'vendor' | 'connection'>, now: Pick<Manifest, 'vendor' | 'connection'>): boolean =>
  canonical([before.vendor, before.connection]) !== canonical([now.vendor, now.connection])

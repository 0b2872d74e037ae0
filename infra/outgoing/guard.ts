// Which addresses requests may reach: public ones, private ones that a setting names, and with plain http only this machine.
import { BlockList, isIP, isIPv4 } from 'node:net'
import { StartError } from '../../src/start-error.ts'
import type { Failure } from './failures.ts'

export interface Guard {
  /** Why this address may not be connected to; undefined if it may. `host` and `protocol` are those of the URL. */
  judge (address: string, of: { host: string, protocol: string }): Failure | undefined
}

/** IANA's registry of special-purpose IPv4 addresses as far as they are not public, multicast, reserved, and Azure's host agent, which has a public-looking one. */
const SPECIAL_4 = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24',
  '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4', '168.63.129.16/32'
]
/** Of IPv6 only 2000::/3 is given out at all; within it: protocol assignments with Teredo and ORCHID, documentation, 6to4, 6bone. */
const GIVEN_OUT_6 = ['2000::/3']
const SPECIAL_6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '3ffe::/16']

const cidr = /^([0-9a-f.:]+)\/(\d{1,3})$/i
const hostName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/

const listOf = (networks: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const network of networks) add(list, network)
  return list
}

/** False if it is neither an address nor a CIDR. */
const add = (list: BlockList, network: string): boolean => {
  const [, base = network, bits = isIPv4(network) ? '32' : '128'] = cidr.exec(network) ?? []
  const version = isIP(base)
  if (version === 0 || Number(bits) > (version === 4 ? 32 : 128)) return false
  list.addSubnet(base, Number(bits), version === 4 ? 'ipv4' : 'ipv6')
  return true
}

const special4 = listOf(SPECIAL_4)
const special6 = listOf(SPECIAL_6)
const givenOut6 = listOf(GIVEN_OUT_6)
const loopback = listOf(['127.0.0.0/8', '::1'])

/** The same host, however it is written: a trailing dot only says that the name is whole. */
export const bareHost = (host: string): string => host.toLowerCase().replace(/^\[|\]$/g, '').replace(/\.$/, '')

/**
 * The address that a connection really reaches: without zone, and IPv4 where it stands in an IPv6 address that the machine
 * (mapped) or the network (NAT64, RFC 6052) turns into it. Other such forms (compatible, 6to4, Teredo) are special as they are.
 */
export const reached = (address: string): string => {
  const [bare = ''] = address.split('%')
  if (isIP(bare) !== 6) return bare
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1)
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(canonical) ?? /^64:ff9b::(?:([0-9a-f]+):)?([0-9a-f]+)$/.exec(canonical) ?? []
  if (low === undefined) return canonical
  const bits = parseInt(high ?? '0', 16) * 65536 + parseInt(low, 16)
  return [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256).join('.')
}

const family = (address: string): 'ipv4' | 'ipv6' => isIPv4(address) ? 'ipv4' : 'ipv6'

/** `open`: public, or in a network that the setting opens. */
interface Place { valid: boolean, here: boolean, open: boolean }
/** Addresses of which that is remembered. */
const LOOKED = 1_024

/** True if the address belongs to everybody's internet. */
const isPublic = (address: string): boolean =>
  isIPv4(address) ? !special4.check(address) : givenOut6.check(address, 'ipv6') && !special6.check(address, 'ipv6')

/**
 * Guard of the settings `CHANCERY_OUTGOING_ALLOW` and `CHANCERY_OUTGOING_HTTP` (decision 35).
 * @throws StartError for an entry that is neither address, CIDR nor host name
 */
export const createGuard = ({ allow, plainLoopback }: { allow: readonly string[], plainLoopback: boolean }): Guard => {
  const networks = new BlockList()
  const hosts = new Set<string>()
  for (const entry of allow.map(bareHost)) {
    if (add(networks, entry)) continue
    // Figures and dots, or anything with a slash or colon, was meant as an address.
    if (!hostName.test(entry) || /^[\d.]+$/.test(entry)) {
      throw new StartError(`CHANCERY_OUTGOING_ALLOW holds ${JSON.stringify(entry)}, which is no address, no CIDR and no host name`, ['Write entries like 10.20.0.0/16, fd00::/8 or vault.internal, separated by commas.'])
    }
    hosts.add(entry)
  }
  const looked = new Map<string, Place>()
  /** What an address is never changes, and each is asked about twice a connection. */
  const placeOf = (address: string): Place => {
    const known = looked.get(address)
    if (known !== undefined) return known
    const target = reached(address)
    const valid = isIP(target) !== 0
    const place = { valid, here: valid && loopback.check(target, family(target)), open: valid && (isPublic(target) || networks.check(target, family(target))) }
    if (looked.size >= LOOKED) looked.clear()
    looked.set(address, place)
    return place
  }
  return {
    judge: (address, { host, protocol }) => {
      const { valid, here, open } = placeOf(address)
      if (!valid) return 'address_forbidden'
      if (protocol !== 'https:' && !(plainLoopback && here)) return 'scheme_forbidden'
      if (open || (here && plainLoopback)) return undefined
      return hosts.has(bareHost(host)) ? undefined : 'address_forbidden'
    }
  }
}

// The address rule (decision 41): when two spellings are one address. Fixed with the first address that was hashed.
import { domainToASCII } from 'node:url'
import { refuse } from '../domain/codes.ts'
import type { Keys } from '../ports.ts'

/** Version of the rule; it stands in every hash, so that another rule could live beside this one. */
export const ADDRESS_RULE = 1

/** Local part: no spaces, controls or the characters that would need quoting or could end a header (RFC 5321, 4.1.2). */
const LOCAL = /^[^\s\p{C}@"(),:;<>[\\\]]{1,64}$/u
/** A domain of at least two labels (RFC 1035, 2.3.4), after IDNA. */
const DOMAIN = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/

export interface Address {
  /** As it is written to: trimmed, composed, its domain as given. */
  text: string
  /** Keyed hash of rule version and normalised form: the id of its reservations. */
  hash: string
}

/** The normalised form: NFC, trimmed, lower case, domain in IDNA; undefined if it is no address. */
export const normalise = (text: string): string | undefined => {
  const composed = text.normalize('NFC').trim()
  const at = composed.lastIndexOf('@')
  const local = composed.slice(0, at).toLowerCase()
  const domain = domainToASCII(composed.slice(at + 1).toLowerCase())
  return at > 0 && LOCAL.test(local) && DOMAIN.test(domain) && composed.length <= 254 ? `${local}@${domain}` : undefined
}

/** Reads an address, or gives back undefined if it is none. */
export const readAddress = (keys: Pick<Keys, 'addressHash'>, text: string): Address | undefined => {
  const normalised = normalise(text)
  return normalised === undefined
    ? undefined
    : { text: text.normalize('NFC').trim(), hash: keys.addressHash(`${ADDRESS_RULE}:${normalised}`) }
}

/** Reads an address of a request. Refuses with `invalid_request`. */
export const requireAddress = (keys: Pick<Keys, 'addressHash'>, text: string): Address =>
  readAddress(keys, text) ?? refuse('invalid_request', 'The e-mail address is not one that mail can be sent to.')

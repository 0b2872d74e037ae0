// Which public keys a passkey may have: with attestation `none` nobody else has looked whether it is a key at all.
import { createPublicKey, type JsonWebKeyInput } from 'node:crypto'
import { cose, decodeCredentialPublicKey } from '@simplewebauthn/server/helpers'

const { COSEALG, COSECRV, COSEKTY } = cose

/** Offered in this order: what devices have most, first. */
export const ALGORITHMS = [COSEALG.ES256, COSEALG.EdDSA, COSEALG.RS256] as const

const MIN_RSA_BITS = 2048
/** Beyond this a verification costs more than it protects. */
const MAX_RSA_BITS = 8192

/** The key's COSE algorithm if it is a real key of an algorithm that was offered, else undefined. */
export const acceptableKey = (publicKey: Uint8Array): number | undefined => {
  try {
    const key = decodeCredentialPublicKey(new Uint8Array(publicKey)) as unknown as Map<number, unknown>
    const algorithm = key.get(3)
    const jwk = jwkOf(key, algorithm)
    if (jwk === undefined) return undefined
    // OpenSSL refuses points that are not on the curve.
    const { asymmetricKeyDetails } = createPublicKey({ key: jwk, format: 'jwk' })
    const bits = asymmetricKeyDetails?.modulusLength
    if (bits !== undefined && (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)) return undefined
    return algorithm as number
  } catch {
    return undefined
  }
}

/** COSE labels (RFC 9053): 1 kty, 3 alg, -1 curve or modulus, -2 x or exponent, -3 y. */
const jwkOf = (key: Map<number, unknown>, algorithm: unknown): JsonWebKeyInput['key'] | undefined => {
  const [kty, first, second, third] = [key.get(1), key.get(-1), key.get(-2), key.get(-3)]
  if (algorithm === COSEALG.ES256 && kty === COSEKTY.EC2 && first === COSECRV.P256 && key.size === 5) {
    return { kty: 'EC', crv: 'P-256', x: text(second, 32), y: text(third, 32) }
  }
  if (algorithm === COSEALG.EdDSA && kty === COSEKTY.OKP && first === COSECRV.ED25519 && key.size === 4) {
    return { kty: 'OKP', crv: 'Ed25519', x: text(second, 32) }
  }
  if (algorithm === COSEALG.RS256 && kty === COSEKTY.RSA && key.size === 4) {
    const exponent = bytesOf(second)
    // 65537, the only exponent in use; small and even ones are no keys.
    return exponent.toString('hex') === '010001' ? { kty: 'RSA', n: text(first), e: exponent.toString('base64url') } : undefined
  }
  return undefined
}

const bytesOf = (value: unknown): Buffer => {
  if (!(value instanceof Uint8Array)) throw new TypeError('not a byte string')
  return Buffer.from(value)
}

const text = (value: unknown, length?: number): string => {
  const bytes = bytesOf(value)
  if (length !== undefined && bytes.length !== length) throw new TypeError('wrong length')
  return bytes.toString('base64url')
}

// Looks at the key that a consumer wants its deliveries sealed to: an X25519 public key that agrees on a secret at all.
import { createHash, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'
import { refuse } from '../../domain/codes.ts'
import type { SubscriberKey } from '../../rotation-ports.ts'

/**
 * The key under its name, the RFC 7638 thumbprint.
 * @throws Refusal `invalid_request` for what is no X25519 key, and for points of low order, to which everything would be
 *   sealed with a secret that everybody knows (RFC 7748, section 6.1)
 */
export const checkedKey = (jwk: SubscriberKey['key']): SubscriberKey => {
  const { kty, crv, x } = jwk
  // Another spelling of the same bytes would be another key by its name.
  if (Buffer.from(x, 'base64url').toString('base64url') !== x || !agrees(jwk)) {
    refuse('invalid_request', 'x is no usable X25519 public key. Make a key pair anew and send its public half as a JWK (RFC 8037).')
  }
  return { keyId: createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url'), key: { kty, crv, x } }
}

/** Agreement with a point of low order gives zeros, which OpenSSL refuses. */
const agrees = (jwk: SubscriberKey['key']): boolean => {
  try {
    diffieHellman({ privateKey: generateKeyPairSync('x25519').privateKey, publicKey: createPublicKey({ key: { ...jwk }, format: 'jwk' }) })
    return true
  } catch {
    return false
  }
}

// Seals a value to a consumer's key: compact JWE, ECDH-ES on X25519 and A256GCM (decision 34; RFC 7516, 7518, 8037; ADR 0166).
import { createCipheriv, createHash, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { DeliveryContent, SubscriberKey } from '../../src/rotation-ports.ts'

const ENC = 'A256GCM'
const KEY_BITS = 256

/**
 * The delivery_seq is inside: whoever can put back an old delivery cannot make it look newer (decision 33).
 * @throws for a key of low order, which is refused at its registration already
 */
export const sealTo = async ({ credential, value, valueId, deliverySeq, rotationId }: DeliveryContent, { keyId, key }: SubscriberKey): Promise<string> => {
  const plain = JSON.stringify({
    credential, value: value.reveal(), value_id: valueId, delivery_seq: deliverySeq, ...rotationId !== undefined && { rotation_id: rotationId }
  })
  // A key pair for this one text: whoever opens it later needs the consumer's private key, and nothing of ours.
  const ephemeral = generateKeyPairSync('x25519')
  const agreed = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: createPublicKey({ key, format: 'jwk' }) })
  const { kty, crv, x } = ephemeral.publicKey.export({ format: 'jwk' })
  const header = Buffer.from(JSON.stringify({ alg: 'ECDH-ES', enc: ENC, kid: keyId, cty: 'json', epk: { kty, crv, x } })).toString('base64url')
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', contentKey(agreed), nonce)
  cipher.setAAD(Buffer.from(header, 'ascii'))
  const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
  // The second part is that of an encrypted key, which agreement has none of.
  return [header, '', ...[nonce, sealed, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.')
}

/** Concat KDF with one round (RFC 7518, section 4.6.2; NIST SP 800-56A): neither party is named. */
const contentKey = (agreed: Buffer): Buffer =>
  createHash('sha256').update(uint32(1)).update(agreed).update(uint32(ENC.length)).update(ENC, 'ascii').update(uint32(0)).update(uint32(0)).update(uint32(KEY_BITS)).digest()

const uint32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes
}

// Seals a value to a consumer's key: compact JWE, ECDH-ES on X25519 and A256GCM (decision 34; RFC 7516, 7518, 8037; ADR 0166).
import { createCipheriv, createHash, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import type { DeliveryContent, SubscriberKey } from '../../src/rotation-ports.ts'

const ENC = 'A256GCM'
const KEY_BITS = 256

const uint32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes
}

const ROUND = uint32(1)
const OTHER_INFO = Buffer.concat([uint32(ENC.length), Buffer.from(ENC, 'ascii'), uint32(0), uint32(0), uint32(KEY_BITS)])

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
  const agreed = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: imported(key) })
  const { kty, crv, x } = ephemeral.publicKey.export({ format: 'jwk' })
  const header = Buffer.from(JSON.stringify({ alg: 'ECDH-ES', enc: ENC, kid: keyId, cty: 'json', epk: { kty, crv, x } })).toString('base64url')
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', contentKey(agreed), nonce)
  cipher.setAAD(Buffer.from(header, 'ascii'))
  const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
  // The second part is that of an encrypted key, which agreement has none of.
  return [header, '', ...[nonce, sealed, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.')
}

/** A consumer's key is met with each of its deliveries. */
const known = new WeakMap<SubscriberKey['key'], KeyObject>()

const imported = (key: SubscriberKey['key']): KeyObject => {
  const found = known.get(key) ?? createPublicKey({ key, format: 'jwk' })
  known.set(key, found)
  return found
}

/** Concat KDF with one round (RFC 7518, section 4.6.2; NIST SP 800-56A): neither party is named. */
const contentKey = (agreed: Buffer): Buffer =>
  createHash('sha256').update(Buffer.concat([ROUND, agreed, OTHER_INFO])).digest()

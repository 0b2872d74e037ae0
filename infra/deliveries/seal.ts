// Seals a value to a consumer's key: compact JWE, ECDH-ES on X25519 and A256GCM (decision 34, RFC 7516, RFC 8037).
import { CompactEncrypt, importJWK } from 'jose'
import type { DeliveryContent, SubscriberKey } from '../../src/rotation-ports.ts'

const encoder = new TextEncoder()

/** The delivery_seq is inside: whoever can put back an old delivery cannot make it look newer (decision 33). */
export const sealTo = async ({ credential, value, valueId, deliverySeq, rotationId }: DeliveryContent, { keyId, key }: SubscriberKey): Promise<string> => {
  const plain = JSON.stringify({
    credential, value: value.reveal(), value_id: valueId, delivery_seq: deliverySeq, ...rotationId !== undefined && { rotation_id: rotationId }
  })
  return await new CompactEncrypt(encoder.encode(plain))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: keyId, cty: 'json' })
    .encrypt(await importJWK(key, 'ECDH-ES'))
}

// The two primitives that all keys and envelopes are made with: AES-256-GCM and HKDF-SHA-256.
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto'

const NONCE = 12
const TAG = 16
export const KEY_BYTES = 32

/** nonce ‖ ciphertext ‖ tag; a random nonce is safe here, since no key ever seals more than a few thousand values. */
export const encrypt = (key: KeyObject, plain: Uint8Array, bound: string): Buffer => {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG })
  cipher.setAAD(Buffer.from(bound, 'utf8'))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** The plain bytes, or undefined if the key is another, the bytes were changed, or they belong elsewhere than to `bound`. */
export const decrypt = (key: KeyObject, sealed: Uint8Array, bound: string): Buffer | undefined => {
  if (sealed.length < NONCE + TAG) return undefined
  const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE), { authTagLength: TAG })
  cipher.setAAD(Buffer.from(bound, 'utf8'))
  cipher.setAuthTag(sealed.subarray(sealed.length - TAG))
  try {
    return Buffer.concat([cipher.update(sealed.subarray(NONCE, sealed.length - TAG)), cipher.final()])
  } catch {
    return undefined
  }
}

/** A key of its own for one purpose (decision 16). */
export const deriveKey = (root: KeyObject, purpose: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', root, '', `chancery/${purpose}`, KEY_BYTES)))

export const newKey = (): Buffer => randomBytes(KEY_BYTES)

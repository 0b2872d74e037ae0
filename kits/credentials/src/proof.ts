// Proof that a value is held, which tells nothing of it.
import { createHmac } from 'node:crypto'

/** base64url(HMAC-SHA-256(key = UTF-8 of the value, message = "chancery-possession:" + credential + ":" + nonce)). */
export const possessionProof = ({ credential, nonce, value }: { credential: string, nonce: string, value: string }): string =>
  createHmac('sha256', value).update(`chancery-possession:${credential}:${nonce}`, 'utf8').digest('base64url')

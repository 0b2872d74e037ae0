// Checks that a request is Chancery's own and of now: Standard Webhooks (standardwebhooks.com, spec 1.0.0).
import { createHmac, timingSafeEqual } from 'node:crypto'

/** How far the sender's clock may be away, in seconds: an older request may be somebody's recording. */
const TOLERANCE_S = 300
const PREFIX = 'whsec_'

export interface SignedRequest {
  /** Header names in lower case, as Node has them. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** Byte for byte as it came: a body that was parsed and written again has another signature. */
  body: Uint8Array | string
  /** `whsec_…` */
  secret: string
  now?: Date
}

/** True only for a signature of the version 1 with this secret, over this body, made within five minutes. */
export const verifyWebhook = ({ headers, body, secret, now = new Date() }: SignedRequest): boolean => {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers
  if (typeof id !== 'string' || id === '' || typeof signatures !== 'string' || typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp)) return false
  if (Math.abs(now.getTime() / 1000 - Number(timestamp)) > TOLERANCE_S) return false
  const key = Buffer.from(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret, 'base64')
  if (key.length === 0) return false
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`, 'utf8').update(body).digest()
  return signatures.split(' ').some((signature) => {
    const [version, text = ''] = signature.split(',')
    const given = Buffer.from(text, 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
}

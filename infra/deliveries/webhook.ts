// Standard Webhooks (standardwebhooks.com, spec 1.0.0): what proves to a consumer that a push is ours.
import { createHmac } from 'node:crypto'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { Keys } from '../../src/ports.ts'

const PREFIX = 'whsec_'

/** One for each consumer, credential and URL: a URL that is changed in the manifest knows nothing of the one before. */
export const webhookSecretOf = (keys: Pick<Keys, 'webhookSecret'>, { consumer, credential, url }: { consumer: string, credential: string, url: string }): Secret =>
  new Secret(`${PREFIX}${Buffer.from(keys.webhookSecret(JSON.stringify([consumer, credential, url]))).toString('base64')}`)

/** Headers of a request with this body. The id stays the same for each repetition, so that a consumer may tell one. */
export const signedHeaders = ({ id, at, body, secret }: { id: string, at: Date, body: string, secret: Secret }): Record<string, string> => {
  const seconds = String(Math.floor(at.getTime() / 1000))
  const key = Buffer.from(secret.reveal().slice(PREFIX.length), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`, 'utf8').digest('base64')
  return { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${signature}` }
}

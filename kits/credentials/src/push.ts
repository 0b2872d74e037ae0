// Answers a pushed delivery: signature first, then the seal, then the value.
import { DeliveryProblem, openDelivery } from './delivery.ts'
import type { Hands } from './hands.ts'
import type { CredentialConsumer, CredentialConsumerOptions, HttpAnswer } from './types.ts'
import { verifyWebhook } from './webhook.ts'

/** The secret is asked for again at most so often: the URL in the manifest may have changed, or somebody guesses. */
const ASK_AGAIN_MS = 60_000
const LONGEST = 131_072

export const answer = (status: number, body: object): HttpAnswer =>
  ({ status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body: JSON.stringify(body) })
const refusal = (status: number, error: string): HttpAnswer => answer(status, { error })

export const createPushHandler = ({ credentials, key, service, onTrouble = () => {} }: CredentialConsumerOptions, hands: Hands): CredentialConsumer['handlePush'] => {
  const secrets = new Map<string, { secret: Promise<string>, askedAt: number }>()
  const secretOf = async (credential: string, anew: boolean): Promise<string | undefined> => {
    const known = secrets.get(credential)
    if (known !== undefined && (!anew || performance.now() - known.askedAt < ASK_AGAIN_MS)) return known.secret
    const secret = service.webhookSecret(credential)
    const asked = { secret, askedAt: performance.now() }
    secrets.set(credential, asked)
    // What could not be had is asked for again with the next push.
    secret.catch(() => { if (secrets.get(credential) === asked) secrets.delete(credential) })
    return secret
  }

  return async ({ headers, body }) => {
    if (body.length > LONGEST) return refusal(413, 'too_large')
    const said = read(body)
    if (said === undefined) return refusal(400, 'not_a_delivery')
    // Said by nobody knows whom yet: good for nothing but finding the secret that tells.
    const { credential, jwe } = said
    if (!credentials.includes(credential)) return refusal(404, 'not_ours')
    try {
      const signed = async (anew: boolean): Promise<boolean> => {
        const secret = await secretOf(credential, anew)
        return secret !== undefined && verifyWebhook({ headers, body, secret })
      }
      if (!await signed(false) && !await signed(true)) return refusal(401, 'signature')
    } catch (error) {
      onTrouble({ credential, doing: 'checking', error })
      return refusal(503, 'cannot_check')
    }
    try {
      const taken = await hands.take(await openDelivery(jwe, key, { credential }))
      return taken === 'superseded' ? refusal(409, 'superseded') : answer(200, { status: taken })
    } catch (error) {
      if (error instanceof DeliveryProblem) return refusal(400, error.fault)
      onTrouble({ credential, doing: 'using', error })
      return refusal(500, 'not_in_use')
    }
  }
}

const read = (body: Uint8Array | string): { credential: string, jwe: string } | undefined => {
  try {
    const { type, data } = JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8')) as { type?: unknown, data?: { credential?: unknown, jwe?: unknown } }
    const { credential, jwe } = data ?? {}
    return type === 'credential.rotation' && typeof credential === 'string' && typeof jwe === 'string' ? { credential, jwe } : undefined
  } catch {
    return undefined
  }
}

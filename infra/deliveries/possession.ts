// Proof of possession: a healthcheck's answer, keyed by the value that the consumer uses.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../../src/domain/credential/secret.ts'
import type { ProofAnswer } from '../../src/rotation-ports.ts'
import { jsonIn } from '../json.ts'

/** base64url(HMAC-SHA-256(key = UTF-8 of the value, message = "chancery-possession:" + credential + ":" + nonce)). */
const proofOf = (value: Secret, credential: string, nonce: string): string =>
  createHmac('sha256', value.reveal()).update(`chancery-possession:${credential}:${nonce}`, 'utf8').digest('base64url')

export interface Answer {
  status: number
  body: string | undefined
  needsProof: boolean
  credential: string
  nonce: string
  value: Secret
}

/**
 * What an answer is worth: healthy alone proves nothing (issue: stage 3). `unproved` is keyed by something else,
 * `not_possessing` has no proof in it at all. `proof` as it was sent, to be kept out of the log.
 */
export const judge = ({ status, body, needsProof, credential, nonce, value }: Answer): { outcome: ProofAnswer['outcome'], proof: string | undefined } => {
  const { health, proof } = read(body)
  if (status < 200 || status > 299 || (health !== undefined && health !== 'ok')) return { outcome: 'unhealthy', proof }
  if (!needsProof) return { outcome: 'proved', proof }
  if (proof === undefined || !/^[A-Za-z0-9_-]{43}$/.test(proof)) return { outcome: 'not_possessing', proof }
  const expected = Buffer.from(proofOf(value, credential, nonce), 'base64url')
  return { outcome: timingSafeEqual(expected, Buffer.from(proof, 'base64url')) ? 'proved' : 'unproved', proof }
}

const read = (body: string | undefined): { health: unknown, proof: string | undefined } => {
  const said = jsonIn(body)
  const { status, proof }: { status?: unknown, proof?: unknown } = typeof said === 'object' && said !== null ? said : {}
  return { health: status, proof: typeof proof === 'string' ? proof : undefined }
}

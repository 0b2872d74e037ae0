// Reads what a browser says of a registration, strictly: one encoding for one meaning, and no attestation that we
// have no trust anchors for.
import { decodeAttestationObject, isoCBOR } from '@simplewebauthn/server/helpers'
import type { RegistrationAnswer } from '../../src/ports.ts'

export interface ReadAnswer {
  challenge: Buffer
  origin: string
  /** The page stood in somebody else's frame. */
  embedded: boolean
  /** COSE algorithm of a packed self attestation; undefined for `none`. */
  selfAttestedWith: number | undefined
}

/** WebAuthn's own bound of a credential id; authenticators may make shorter ones, never longer. */
const MAX_CREDENTIAL_ID_BYTES = 1023

/** What the answer says, or one word for why it cannot be read. */
export const readAnswer = (answer: RegistrationAnswer): ReadAnswer | string => {
  const { id, rawId, type, response } = answer
  const credentialId = fromBase64Url(id)
  if (type !== 'public-key' || id !== rawId || credentialId === undefined) return 'credential_id'
  if (credentialId.length === 0 || credentialId.length > MAX_CREDENTIAL_ID_BYTES) return 'credential_id'
  const client = readClientData(response.clientDataJSON)
  if (client === undefined) return 'client_data'
  const attestation = readAttestation(response.attestationObject)
  return attestation === undefined ? 'attestation' : { ...client, selfAttestedWith: attestation.algorithm }
}

const readClientData = (encoded: string): Omit<ReadAnswer, 'selfAttestedWith'> | undefined => {
  const data = parse(fromBase64Url(encoded))
  if (data === undefined || data['type'] !== 'webauthn.create') return undefined
  const { challenge: encodedChallenge, origin, crossOrigin, topOrigin } = data
  if (typeof encodedChallenge !== 'string' || typeof origin !== 'string') return undefined
  const challenge = fromBase64Url(encodedChallenge)
  if (challenge === undefined) return undefined
  return { challenge, origin, embedded: (crossOrigin !== undefined && crossOrigin !== false) || topOrigin !== undefined }
}

const readAttestation = (encoded: string): { algorithm: number | undefined } | undefined => {
  const bytes = fromBase64Url(encoded)
  if (bytes === undefined) return undefined
  try {
    const object = decodeAttestationObject(new Uint8Array(bytes))
    // CTAP2 allows one encoding only; the library reads others too, and ignores whatever follows.
    if (!(object instanceof Map) || object.size !== 3 || !bytes.equals(isoCBOR.encode(object))) return undefined
    const statement: unknown = object.get('attStmt')
    if (!(statement instanceof Map)) return undefined
    const format: unknown = object.get('fmt')
    if (format === 'none') return statement.size === 0 ? { algorithm: undefined } : undefined
    const algorithm: unknown = statement.get('alg')
    // Self attestation proves possession of the new key and nothing else; a certificate would need a trust anchor.
    return format === 'packed' && statement.size === 2 && statement.has('sig') && typeof algorithm === 'number' ? { algorithm } : undefined
  } catch {
    return undefined
  }
}

/** The bytes, if the text is their one base64url form without padding. */
const fromBase64Url = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const parse = (bytes: Buffer | undefined): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : undefined
  } catch {
    return undefined
  }
}

// A passkey authenticator in software with the part of a browser that speaks for it: real keys, real CBOR, real
// attestation. For the demo and the tests, which may make it misbehave in one thing at a time.
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { cbor, type CborMap } from './cbor.ts'

/** The part of `PublicKeyCredentialCreationOptionsJSON` that an authenticator and its browser look at. */
export interface CreationOptions {
  challenge: string
  rp: { id: string }
  pubKeyCredParams: ReadonlyArray<{ alg: number }>
}

export interface RegistrationAnswer {
  id: string
  rawId: string
  type: string
  response: { clientDataJSON: string, attestationObject: string, transports: string[] }
  clientExtensionResults: object
}

export interface AuthenticatorSettings {
  /** COSE algorithm: -7 ES256, -8 EdDSA, -257 RS256. Default: ES256. */
  algorithm?: number
  /** `self` signs the whole answer with the new key (packed self attestation). Default: `none`. */
  attestation?: 'none' | 'self'
  /** Bits of an RSA key. Default: 2048. */
  rsaBits?: number
  /** Default: 16 random bytes. */
  aaguid?: Buffer
}

/** What a test may turn from right to wrong. */
export interface Faults {
  credentialId?: Buffer
  /** Replaces members of the client data; undefined takes one out. */
  clientData?: Record<string, unknown>
  rpId?: string
  /** Default: user present, user verified, backup eligible, attested data. */
  flags?: number
  counter?: number
  format?: string
  statement?: CborMap
  publicKey?: Buffer
}

export const USER_PRESENT = 0x01
export const USER_VERIFIED = 0x04
export const BACKUP_ELIGIBLE = 0x08
export const ATTESTED_DATA = 0x40

/** An authenticator that makes a new key for every registration. `register` answers as a page at `origin` would. */
export const createAuthenticator = (settings: AuthenticatorSettings = {}) => {
  const { algorithm = -7, attestation = 'none', rsaBits = 2048, aaguid = randomBytes(16) } = settings
  return {
    register: (options: CreationOptions, origin: string, faults: Faults = {}): RegistrationAnswer => {
      const { privateKey, publicKey } = keyPair(algorithm, rsaBits)
      const credentialId = faults.credentialId ?? randomBytes(32)
      const clientData = Buffer.from(JSON.stringify({
        type: 'webauthn.create', challenge: options.challenge, origin, crossOrigin: false, ...faults.clientData
      }))
      const authenticatorData = Buffer.concat([
        sha256(Buffer.from(faults.rpId ?? options.rp.id)),
        Buffer.of(faults.flags ?? (USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE | ATTESTED_DATA)),
        uint32(faults.counter ?? 0),
        aaguid,
        uint16(credentialId.length),
        credentialId,
        faults.publicKey ?? coseKey(publicKey, algorithm)
      ])
      const signed = Buffer.concat([authenticatorData, sha256(clientData)])
      const statement = faults.statement ?? (attestation === 'none'
        ? new Map()
        : new Map<string, number | Buffer>([['alg', algorithm], ['sig', signature(signed, privateKey)]]))
      const attestationObject = cbor(new Map<string, string | CborMap | Buffer>([
        ['fmt', faults.format ?? (attestation === 'none' ? 'none' : 'packed')], ['attStmt', statement], ['authData', authenticatorData]
      ]))
      const id = credentialId.toString('base64url')
      return {
        id,
        rawId: id,
        type: 'public-key',
        response: {
          clientDataJSON: clientData.toString('base64url'), attestationObject: attestationObject.toString('base64url'), transports: ['internal']
        },
        clientExtensionResults: {}
      }
    }
  }
}

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()

const uint16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const keyPair = (algorithm: number, rsaBits: number): { privateKey: KeyObject, publicKey: KeyObject } => {
  if (algorithm === -8) return generateKeyPairSync('ed25519')
  if (algorithm === -257) return generateKeyPairSync('rsa', { modulusLength: rsaBits })
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

const signature = (bytes: Buffer, key: KeyObject): Buffer =>
  sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', bytes, key)

/** The key in COSE (RFC 9053): the labels are 1 kty, 3 alg, -1 curve or modulus, -2 x or exponent, -3 y. */
export const coseKey = (key: KeyObject, algorithm: number): Buffer => {
  const jwk = key.export({ format: 'jwk' })
  const part = (name: 'x' | 'y' | 'n' | 'e') => Buffer.from(jwk[name] ?? '', 'base64url')
  const start: Array<[number, number | Buffer]> = [[1, jwk.kty === 'RSA' ? 3 : jwk.kty === 'OKP' ? 1 : 2], [3, algorithm]]
  if (jwk.kty === 'RSA') return cbor(new Map([...start, [-1, part('n')], [-2, part('e')]]))
  if (jwk.kty === 'OKP') return cbor(new Map([...start, [-1, 6], [-2, part('x')]]))
  return cbor(new Map([...start, [-1, 1], [-2, part('x')], [-3, part('y')]]))
}

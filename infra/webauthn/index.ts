// Registration ceremonies with @simplewebauthn/server, and the checks that it leaves to whoever calls it.
import { isIP } from 'node:net'
import { generateRegistrationOptions, verifyRegistrationResponse } from '@simplewebauthn/server'
import type { Ceremonies, CeremonyOutcome, RegistrationAnswer } from '../../src/ports.ts'
import { StartError } from '../../src/start-error.ts'
import { readAnswer } from './answer.ts'
import { acceptableKey, ALGORITHMS } from './key.ts'

export interface CeremonySettings {
  /** `CHANCERY_PUBLIC_URL`: its host is the RP ID, its origin the only one that is accepted (decision 24). */
  publicUrl: string
  /** What a device shows beside the passkey. Default: Chancery. */
  name?: string
}

/** @throws StartError if the URL's host is an IP address, which cannot be an RP ID */
export const openCeremonies = ({ publicUrl, name = 'Chancery' }: CeremonySettings): Ceremonies => {
  const { hostname, origin } = new URL(publicUrl)
  if (isIP(hostname) !== 0 || hostname.startsWith('[')) {
    throw new StartError(`CHANCERY_PUBLIC_URL names the IP address ${hostname}: passkeys need a host name, for instance http://localhost:8420`)
  }
  return {
    creationOptions: ({ challenge, userId, userName, timeoutMs }) => generateRegistrationOptions({
      rpID: hostname,
      rpName: name,
      userID: new Uint8Array(Buffer.from(userId.replaceAll('-', ''), 'hex')),
      userName,
      userDisplayName: userName,
      challenge: new Uint8Array(challenge),
      timeout: timeoutMs,
      attestationType: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      supportedAlgorithmIDs: [...ALGORITHMS]
    }),
    challengeOf: (answer) => {
      const read = readAnswer(answer)
      return typeof read === 'string' ? undefined : read.challenge
    },
    verify: (answer, challenge) => verify(answer, Buffer.from(challenge).toString('base64url'), { hostname, origin })
  }
}

const failed = (cause: string): CeremonyOutcome => ({ status: 'failed', cause })

const verify = async (
  answer: RegistrationAnswer, expectedChallenge: string, { hostname, origin }: { hostname: string, origin: string }
): Promise<CeremonyOutcome> => {
  const read = readAnswer(answer)
  if (typeof read === 'string') return failed(read)
  if (read.embedded) return failed('cross_origin')
  if (read.origin !== origin) return failed('origin')
  const registration = await ask(answer, expectedChallenge, { hostname, origin })
  if (registration === undefined) return failed('not_verified')
  const { credential, aaguid, credentialBackedUp } = registration
  // The library compares `id` with `rawId`, both the browser's; only the authenticator's own word counts.
  if (credential.id !== answer.id) return failed('credential_id')
  const algorithm = acceptableKey(credential.publicKey)
  if (algorithm === undefined) return failed('public_key')
  if (read.selfAttestedWith !== undefined && read.selfAttestedWith !== algorithm) return failed('attestation')
  return {
    status: 'verified',
    passkey: {
      credentialId: credential.id,
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      algorithm,
      counter: credential.counter,
      aaguid,
      backedUp: credentialBackedUp,
      transports: [...new Set(answer.response.transports ?? [])]
    }
  }
}

/** The library's errors carry challenge and origin, so none of them leaves this function. */
const ask = async (answer: RegistrationAnswer, expectedChallenge: string, { hostname, origin }: { hostname: string, origin: string }) => {
  try {
    const verification = await verifyRegistrationResponse({
      response: {
        id: answer.id,
        rawId: answer.rawId,
        type: answer.type as 'public-key',
        response: { clientDataJSON: answer.response.clientDataJSON, attestationObject: answer.response.attestationObject },
        clientExtensionResults: {}
      },
      expectedChallenge,
      expectedOrigin: origin,
      expectedRPID: hostname,
      expectedType: 'webauthn.create',
      requireUserPresence: true,
      requireUserVerification: true,
      supportedAlgorithmIDs: [...ALGORITHMS]
    })
    return verification.verified ? verification.registrationInfo : undefined
  } catch {
    return undefined
  }
}

// What the enrolment routes take and give; the ceremony's own shapes keep WebAuthn's names, as browsers speak them.
import { Type } from '@sinclair/typebox'
import { Accepted, closed, Id, Time } from './shared.ts'

/** Any text: a token that is not ours is refused as unknown, whatever it looks like. */
const LinkToken = () => Type.String({ maxLength: 512, description: 'What stands behind the # of the link' })
const Encoded = (maxLength: number) => Type.String({ maxLength, description: 'base64url' })

export const TokenBody = Type.Object({ token: LinkToken() }, closed)

export const LinkOpened = Accepted({ opened_at: Time(), expires_at: Time() })

const algorithm = Type.Object({ alg: Type.Integer(), type: Type.Literal('public-key') }, closed)

/** PublicKeyCredentialCreationOptionsJSON, as far as we use it. */
const CreationOptions = Type.Object({
  challenge: Encoded(128),
  rp: Type.Object({ name: Type.String({ maxLength: 200 }), id: Type.String({ maxLength: 253 }) }, closed),
  user: Type.Object({ id: Encoded(86), name: Type.String({ maxLength: 320 }), displayName: Type.String({ maxLength: 320 }) }, closed),
  pubKeyCredParams: Type.Array(algorithm, { maxItems: 8 }),
  timeout: Type.Integer(),
  attestation: Type.Literal('none'),
  authenticatorSelection: Type.Object({
    residentKey: Type.String({ maxLength: 16 }), requireResidentKey: Type.Boolean(), userVerification: Type.String({ maxLength: 16 })
  }, closed)
}, closed)

export const OptionsIssued = Accepted({ user_id: Id(), expires_at: Time(), public_key: CreationOptions })

/** RegistrationResponseJSON. What a browser adds for convenience is taken and not looked at. */
const RegistrationAnswer = Type.Object({
  id: Encoded(2048),
  rawId: Encoded(2048),
  type: Type.String({ maxLength: 32 }),
  authenticatorAttachment: Type.Optional(Type.String({ maxLength: 32 })),
  clientExtensionResults: Type.Optional(Type.Object({
    credProps: Type.Optional(Type.Object({ rk: Type.Optional(Type.Boolean()) }, closed))
  }, closed)),
  response: Type.Object({
    clientDataJSON: Encoded(4096),
    attestationObject: Encoded(16_384),
    transports: Type.Optional(Type.Array(Type.String({ maxLength: 32 }), { maxItems: 16 })),
    authenticatorData: Type.Optional(Encoded(16_384)),
    publicKey: Type.Optional(Encoded(8192)),
    publicKeyAlgorithm: Type.Optional(Type.Integer())
  }, closed)
}, closed)

export const VerifyBody = Type.Object({ token: LinkToken(), response: RegistrationAnswer }, closed)

export const Enrolled = Accepted({ user_id: Id(), registered_at: Time() })

// Registration ceremonies: what must pass, what must fail and why, and that no rubbish is taken for a passkey.
import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { openCeremonies } from '../../../infra/webauthn/index.ts'
import {
  ATTESTED_DATA, BACKUP_ELIGIBLE, USER_PRESENT, USER_VERIFIED, coseKey, createAuthenticator,
  type AuthenticatorSettings, type CreationOptions, type Faults, type RegistrationAnswer
} from '../../../src/cli/demo/authenticator.ts'
import { cbor } from '../../../src/cli/demo/cbor.ts'

const origin = 'https://accounts.example'
const ceremonies = openCeremonies({ publicUrl: `${origin}/somewhere` })
const userId = '018f5b7e-8f3a-7cc1-9d3c-8d6a4f0b1c2d'
const challenge = randomBytes(32)
const options = await ceremonies.creationOptions({ challenge, userId, userName: 'person@example.com', timeoutMs: 300_000 }) as CreationOptions

const answerOf = (settings: AuthenticatorSettings = {}, faults: Faults = {}, at = origin) =>
  createAuthenticator(settings).register(options, at, faults)
const verify = (answer: RegistrationAnswer) => ceremonies.verify(answer, challenge)

t.test('what is asked of the device', async (t) => {
  t.match(options, {
    rp: { id: 'accounts.example', name: 'Chancery' },
    challenge: challenge.toString('base64url'),
    user: { id: Buffer.from(userId.replaceAll('-', ''), 'hex').toString('base64url'), name: 'person@example.com' },
    pubKeyCredParams: [{ alg: -7 }, { alg: -8 }, { alg: -257 }],
    attestation: 'none',
    timeout: 300_000,
    authenticatorSelection: { userVerification: 'required', residentKey: 'required' }
  })
  t.same(options.pubKeyCredParams.length, 3)
  for (const host of ['127.0.0.1:8420', '[::1]:8420']) {
    t.throws(() => openCeremonies({ publicUrl: `http://${host}` }), { name: 'StartError' }, `${host} cannot be an RP ID`)
  }
})

t.test('ceremonies that pass', async (t) => {
  for (const algorithm of [-7, -8, -257]) {
    for (const attestation of ['none', 'self'] as const) {
      const aaguid = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
      const answer = answerOf({ algorithm, attestation, aaguid }, { counter: 7 })
      const outcome = await verify(answer)
      t.match(outcome, {
        status: 'verified',
        passkey: {
          credentialId: answer.id, algorithm, counter: 7, aaguid: '00112233-4455-6677-8899-aabbccddeeff', backedUp: false, transports: ['internal']
        }
      }, `algorithm ${algorithm}, attestation ${attestation}`)
    }
  }
  t.match(await verify(answerOf({}, { credentialId: randomBytes(1023) })), { status: 'verified' }, 'a credential id of 1,023 bytes')
  t.match(await verify(answerOf({}, { clientData: { crossOrigin: undefined } })), { status: 'verified' }, 'an older browser says nothing of frames')
  t.match(await verify(answerOf({}, { flags: 0x5d })), { status: 'verified', passkey: { backedUp: true } }, 'a synced passkey')
})

const secp384 = () => {
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })
  return cbor(new Map<number, number | Buffer>([[1, 2], [3, -7], [-1, 2], [-2, Buffer.from(x, 'base64url')], [-3, Buffer.from(y, 'base64url')]]))
}
const offCurve = () => cbor(new Map<number, number | Buffer>([[1, 2], [3, -7], [-1, 1], [-2, randomBytes(32)], [-3, Buffer.alloc(32, 1)]]))
const rsa = (exponent: Buffer) => {
  const { n = '' } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  return cbor(new Map<number, number | Buffer>([[1, 3], [3, -257], [-1, Buffer.from(n, 'base64url')], [-2, exponent]]))
}
const allFlags = USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE | ATTESTED_DATA
const changed = (change: Partial<RegistrationAnswer>) => ({ ...answerOf(), ...change })
const inside = (change: (response: RegistrationAnswer['response']) => Partial<RegistrationAnswer['response']>, settings?: AuthenticatorSettings) => {
  const answer = answerOf(settings)
  return { ...answer, response: { ...answer.response, ...change(answer.response) } }
}
const someSignature = new Map<string, number | Buffer>([['alg', -7], ['sig', randomBytes(70)]])

const mustFail: Array<[string, () => RegistrationAnswer, string]> = [
  ['the answer to another challenge', () => answerOf({}, { clientData: { challenge: randomBytes(32).toString('base64url') } }), 'not_verified'],
  ['a login instead of a registration', () => answerOf({}, { clientData: { type: 'webauthn.get' } }), 'client_data'],
  ['a page in somebody else\'s frame', () => answerOf({}, { clientData: { crossOrigin: true } }), 'cross_origin'],
  ['a frame flag of another type', () => answerOf({}, { clientData: { crossOrigin: 'false' } }), 'cross_origin'],
  ['a top origin', () => answerOf({}, { clientData: { topOrigin: origin } }), 'cross_origin'],
  ['an origin that only begins like ours', () => answerOf({}, {}, `${origin}.evil`), 'origin'],
  ['an origin that only ends like ours', () => answerOf({}, {}, 'https://evil-accounts.example'), 'origin'],
  ['a subdomain', () => answerOf({}, {}, 'https://sub.accounts.example'), 'origin'],
  ['another scheme', () => answerOf({}, {}, 'http://accounts.example'), 'origin'],
  ['another port', () => answerOf({}, {}, `${origin}:8443`), 'origin'],
  ['another RP ID', () => answerOf({}, { rpId: 'example' }), 'not_verified'],
  ['nobody present', () => answerOf({}, { flags: allFlags & ~USER_PRESENT }), 'not_verified'],
  ['nobody verified', () => answerOf({}, { flags: allFlags & ~USER_VERIFIED }), 'not_verified'],
  ['no attested data', () => answerOf({}, { flags: allFlags & ~ATTESTED_DATA }), 'not_verified'],
  ['backed up but not eligible', () => answerOf({}, { flags: 0x55 }), 'not_verified'],
  ['an algorithm that was not offered', () => answerOf({ algorithm: -37 }), 'not_verified'],
  ['RS256 with 512 bits', () => answerOf({ algorithm: -257, rsaBits: 512 }), 'public_key'],
  ['RS256 with 2,047 bits', () => answerOf({ algorithm: -257, rsaBits: 2047 }), 'public_key'],
  ['RS256 with the exponent 3', () => answerOf({}, { publicKey: rsa(Buffer.of(3)) }), 'public_key'],
  ['RS256 with the exponent 1', () => answerOf({}, { publicKey: rsa(Buffer.of(1)) }), 'public_key'],
  ['ES256 on another curve', () => answerOf({}, { publicKey: secp384() }), 'public_key'],
  ['ES256 with a point beside the curve', () => answerOf({}, { publicKey: offCurve() }), 'public_key'],
  ['a key of another type than its algorithm', () => answerOf({}, { publicKey: coseKey(generateKeyPairSync('ed25519').publicKey, -7) }), 'public_key'],
  ['a credential id of 1,024 bytes', () => answerOf({}, { credentialId: randomBytes(1024) }), 'credential_id'],
  ['an empty credential id', () => answerOf({}, { credentialId: Buffer.alloc(0) }), 'credential_id'],
  ['an id that is not the authenticator\'s', () => changed({ id: 'AAAA', rawId: 'AAAA' }), 'credential_id'],
  ['id and rawId that differ', () => changed({ rawId: 'AAAA' }), 'credential_id'],
  ['another credential type', () => changed({ type: 'password' }), 'credential_id'],
  ['none, but with a statement', () => answerOf({}, { statement: someSignature }), 'attestation'],
  ['self attestation with somebody\'s signature', () => answerOf({}, { format: 'packed', statement: someSignature }), 'not_verified'],
  ['packed with a certificate nobody vouches for', () => answerOf({}, { format: 'packed', statement: new Map([...someSignature, ['x5c', randomBytes(300)]]) }), 'attestation'],
  ...['fido-u2f', 'tpm', 'apple', 'android-key', 'android-safetynet', 'unheard-of'].map((format): [string, () => RegistrationAnswer, string] =>
    [`attestation ${format}`, () => answerOf({}, { format, statement: someSignature }), 'attestation']),
  ['something after the attestation', () => inside(({ attestationObject }) =>
    ({ attestationObject: Buffer.concat([Buffer.from(attestationObject, 'base64url'), Buffer.of(0)]).toString('base64url') })), 'attestation'],
  ['padded base64', () => inside(({ clientDataJSON }) => ({ clientDataJSON: `${clientDataJSON}=` })), 'client_data'],
  ['client data that is no object', () => inside(() => ({ clientDataJSON: Buffer.from('[]').toString('base64url') })), 'client_data'],
  ['client data that is not UTF-8', () => inside(() => ({ clientDataJSON: Buffer.of(0x22, 0xff, 0x22).toString('base64url') })), 'client_data'],
  ['CBOR nested 5,000 deep', () => inside(() => ({ attestationObject: Buffer.alloc(5000, 0x81).toString('base64url') })), 'attestation'],
  ['a CBOR map of 4 billion entries', () => inside(() => ({ attestationObject: Buffer.of(0xba, 255, 255, 255, 255, 0, 0).toString('base64url') })), 'attestation']
]

t.test('ceremonies that must fail', async (t) => {
  for (const [name, answer, cause] of mustFail) t.same(await verify(answer()), { status: 'failed', cause }, name)
})

/** One change to some bytes: flipped, cut, longer, doubled, swapped, or overwritten by a CBOR head. */
const mutation = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'insert', 'double', 'overwrite'), at: fc.nat(), byte: fc.integer({ min: 1, max: 255 }), length: fc.integer({ min: 1, max: 9 })
})
type Mutation = typeof mutation extends fc.Arbitrary<infer M> ? M : never

const mutate = (bytes: Buffer, { kind, at, byte, length }: Mutation): Buffer => {
  const place = at % bytes.length
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)]
  switch (kind) {
    case 'flip': return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ byte), after.subarray(1)])
    case 'cut': return Buffer.concat([before, after.subarray(length)])
    case 'insert': return Buffer.concat([before, Buffer.alloc(length, byte), after])
    case 'double': return Buffer.concat([before, after.subarray(0, length), after])
    case 'overwrite': return Buffer.concat([before, Buffer.alloc(Math.min(length, after.length), byte), after.subarray(length)])
  }
}

t.test('10,000 mutations: nothing is thrown, nothing is accepted', async (t) => {
  const seed = randomInt(2 ** 31)
  t.comment(`seed ${seed}`)
  // Everything in a self attestation by Ed25519 is signed, and such a signature has one form only.
  const genuine = Array.from({ length: 20 }, () => answerOf({ algorithm: -8, attestation: 'self' }))
  const fields = ['clientDataJSON', 'attestationObject'] as const
  let unchanged = 0
  const check = async (answer: RegistrationAnswer, original: RegistrationAnswer) => {
    ceremonies.challengeOf(answer)
    const outcome = await verify(answer)
    if (JSON.stringify(answer) === JSON.stringify(original)) { unchanged++; return outcome.status === 'verified' }
    return outcome.status === 'failed'
  }
  const input = [fc.constantFrom(...genuine), fc.constantFrom(...fields), mutation] as const
  await fc.assert(fc.asyncProperty(...input, async (original, field, change) => {
    const bytes = mutate(Buffer.from(original.response[field], 'base64url'), change)
    return check({ ...original, response: { ...original.response, [field]: bytes.toString('base64url') } }, original)
  }), { numRuns: 7000, seed })
  await fc.assert(fc.asyncProperty(...input, async (original, field, change) => {
    const text = mutate(Buffer.from(original.response[field]), change).toString('latin1')
    return check({ ...original, response: { ...original.response, [field]: text } }, original)
  }), { numRuns: 2500, seed })
  await fc.assert(fc.asyncProperty(fc.constantFrom(...genuine), fc.constantFrom('id', 'rawId', 'both'), mutation, async (original, which, change) => {
    const text = mutate(Buffer.from(original.id), change).toString('latin1')
    return check({ ...original, ...which !== 'rawId' && { id: text }, ...which !== 'id' && { rawId: text } }, original)
  }), { numRuns: 500, seed })
  t.ok(unchanged < 500, `${unchanged} of them changed nothing`)
})

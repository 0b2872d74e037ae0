// What the routes of consumers of credentials take and give.
import { Type } from '@sinclair/typebox'
import { CredentialName, SubscriberName } from '../../domain/credential/fields.ts'
import { Accepted, closed, Time } from './shared.ts'

const Name = () => Type.String({ ...SubscriberName(), description: 'The consumer: the one of the caller\'s role `consumer:{name}`' })
const Credential = () => Type.String({ ...CredentialName(), description: 'The credential' })
const KeyId = () => Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', maxLength: 43, description: 'RFC 7638 thumbprint: `kid` of what is sealed to the key' })
const DeliverySeq = () => Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'Rises with each value that is to be taken; a smaller one is to be refused' })

export const SubscriberParams = Type.Object({ name: Name() }, closed)
export const SubscriberCredentialParams = Type.Object({ name: Name(), credential: Credential() }, closed)

export const KeyBody = Type.Object({
  kty: Type.Literal('OKP'),
  crv: Type.Literal('X25519'),
  x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', maxLength: 43, description: 'The public key, 32 bytes in base64url (RFC 8037)' })
}, closed)
export const KeyAccepted = Accepted({ consumer: Name(), key_id: KeyId(), registered_at: Time() })

export const WebhookSecretBody = Type.Object({ credential: Credential() }, closed)
export const WebhookSecretAnswer = Accepted({
  consumer: Name(), credential: Credential(),
  url: Type.String({ maxLength: 1024, description: 'Where pushes go; another URL has another secret' }),
  secret: Type.String({ pattern: '^whsec_[A-Za-z0-9+/]+=*$', maxLength: 128, description: 'Standard Webhooks; a secret' })
})

export const FetchHeaders = Type.Object({
  'if-none-match': Type.Optional(Type.String({ maxLength: 32, description: 'The delivery_seq that the consumer has, as ETag gave it out: 304 and no fact if there is nothing newer' }))
})
export const NothingNewer = Type.Null({ description: 'The consumer has what it is to use' })
export const FetchedAnswer = Accepted({
  consumer: Name(), credential: Credential(), delivery_seq: DeliverySeq(),
  jwe: Type.String({ maxLength: 65_536, description: 'Compact JWE (ECDH-ES on X25519, A256GCM) of {credential, value, value_id, delivery_seq, rotation_id?}' })
})

export const AcknowledgementBody = Type.Object({ delivery_seq: DeliverySeq() }, closed)
export const AcknowledgementAnswer = Accepted({ consumer: Name(), credential: Credential(), delivery_seq: DeliverySeq() })

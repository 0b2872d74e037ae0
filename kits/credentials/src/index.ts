// The kit's public face: a consumer of credentials, and the parts it is made of for who wants to build his own.
export { createCredentialConsumer } from './consumer.ts'
export { DeliveryProblem, openDelivery, type Delivered, type DeliveryFault } from './delivery.ts'
export { fileStore, memoryStore, type CredentialStore, type Holding } from './holding.ts'
export { loadOrMakeKey, type ConsumerKey, type PublicJwk } from './key.ts'
export { possessionProof } from './proof.ts'
export { createCredentialsService, ServiceRefusal, type CredentialsService, type ServiceOptions } from './service.ts'
export { verifyWebhook } from './webhook.ts'
export type { Announced, CredentialConsumer, CredentialConsumerOptions, Follow, HttpAnswer, Trouble } from './types.ts'

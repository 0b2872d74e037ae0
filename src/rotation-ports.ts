// What rotations need from outside: the values' vault, vendors, consumers and tickets; infra/ provides each.
import type { Exchange } from './domain/credential/fields.ts'
import type { ManifestError } from './domain/credential/manifest-check.ts'
import type { Connection, Manifest, Subscriber } from './domain/credential/manifest.ts'
import type { ManifestParts } from './domain/credential/manifest-parts.ts'
import type { Secret } from './domain/credential/secret.ts'
import type { Instant } from './domain/event.ts'

// --- values ----------------------------------------------------------------------------------------------------

/** Values of credentials, sealed under the master key in Postgres's vault schema. */
export interface CredentialValues {
  /** Committed when it resolves; the same id again changes nothing. */
  put (value: { valueId: string, credential: string, secret: Secret }): Promise<void>
  /** Undefined if it was never stored or was destroyed. The caller has announced the opening by a fact. */
  open (valueId: string): Promise<Secret | undefined>
  /** For good; again changes nothing. */
  destroy (valueId: string): Promise<void>
  /** Keyed hash, 43 characters of base64url: all that log, logs and metrics know of a value. */
  fingerprint (secret: Secret): string
}

// --- vendors ---------------------------------------------------------------------------------------------------

/** `label` is absent only where the list shows no labels at all: then a token that is new may be ours; one that has none has the empty one. */
export interface ListedToken { tokenId: string, label?: string, lastUsedAt?: Instant }

export type MintOutcome =
  | { status: 'minted', secret: Secret, tokenId?: string, expiresAt?: Instant, exchange: Exchange }
  /** The vendor said no: nothing was made. */
  | { status: 'refused', exchange: Exchange }
  /** No answer, or one that says neither yes nor no: it may have minted. */
  | { status: 'unknown', exchange: Exchange }
export type ListOutcome = { status: 'listed', tokens: ListedToken[], exchange: Exchange } | { status: 'failed', exchange: Exchange }
export interface RevokeOutcome { status: 'revoked' | 'refused' | 'unknown', exchange: Exchange }
export interface RefusalOutcome { status: 'refused' | 'accepted' | 'unknown', exchange: Exchange }

/**
 * One vendor as one manifest describes it. Nothing here throws for what a vendor says or fails to say: that is an
 * outcome. Every exchange is scrubbed of the value, the new value and the connection's secret.
 */
export interface VendorGateway {
  /**
   * The three probes (seed 004, stage 1): `authenticate`, `metadata`, `may_mint`; then `refuses_random`, a made-up value that has to be refused
   * (ADR 0186). Zero change; the reactor looks at the list after it. Stops at the first that does not pass. With `replace`, only the last two.
   */
  verify (value: Secret, options: { replace: boolean }): Promise<Exchange[]>
  /** `valueId` seeds what the adapter makes itself. */
  mint (request: { label: string, valueId: string }): Promise<MintOutcome>
  list (): Promise<ListOutcome>
  /** Of a token that is gone already: `revoked`. */
  revoke (token: { tokenId?: string, value: Secret | undefined }): Promise<RevokeOutcome>
  /** Tries the value once: is it refused? */
  probeRefused (value: Secret): Promise<RefusalOutcome>
  /** False where nothing can be listed (`manual`): minting and revoking are a human's, and unknown outcomes cannot be. */
  readonly lists: boolean
  /** The longest that one request may take, in ms: an unknown outcome is looked for twice as long (decision 31). */
  readonly timeLimitMs: number
}

/** Opens what a manifest describes. The connection's value is opened for each call, never kept. */
export interface Vendors {
  gateway (of: { credential: string, manifest: Manifest }): VendorGateway
  /** What is wrong with what a manifest reaches, in sentences with their places: an unknown account, a server that can do neither ACL SAVE nor CONFIG REWRITE, an address to which nothing is sent. */
  check (of: { credential: string, manifest: ManifestParts }): Promise<ManifestError[]>
}

/** `elsewhere`: it is not for the address that it was asked for; nothing was opened (ADR 0180). */
export type OpenedConnection = Secret | 'elsewhere' | undefined

/** Secret of an account named in `CHANCERY_VENDOR_ACCOUNTS_FILE`, or the current value of another credential, for one call to an address by the credential `for`. */
export type OpenConnection = (connection: Connection, call: { for: string, address: string }) => Promise<OpenedConnection>

// --- consumers -------------------------------------------------------------------------------------------------

/** The key that deliveries are sealed to: JWK of an X25519 public key. */
export interface SubscriberKey { keyId: string, key: { kty: 'OKP', crv: 'X25519', x: string } }

/** Which key a consumer has registered: read from its stream. */
export interface SubscriberKeys { keyOf (consumer: string): Promise<SubscriberKey | undefined> }

/** The sealed part of a delivery (decision 33): consumers refuse a `delivery_seq` smaller than the one they hold. */
export interface DeliveryContent { credential: string, value: Secret, valueId: string, deliverySeq: number, rotationId?: string }

export interface DeliveryOutcome { status: 'sent' | 'succeeded' | 'failed' | 'unreachable', exchange?: Exchange }
export interface ProofAnswer { outcome: 'proved' | 'unproved' | 'unhealthy' | 'unreachable' | 'not_possessing', exchange: Exchange }

export interface Deliveries {
  /** Compact JWE: ECDH-ES on X25519, A256GCM (decision 34). */
  seal (content: DeliveryContent, to: SubscriberKey): Promise<string>
  /**
   * Pushes a sealed value as a Standard Webhooks request, once; 2xx: `succeeded`, another answer: `failed`, none: `unreachable`.
   * `secrets`: what the consumer may know and its answer repeat, the value and the one before it; the exchange shows none of it.
   */
  push (to: { subscriber: Subscriber, credential: string, rotationId: string, deliverySeq: number, jwe: string, secrets: readonly Secret[] }): Promise<DeliveryOutcome>
  /** Puts the thin entries of pulls on the Redis stream `credential:rotation_events`; throws if Redis is away. */
  announce (entries: ReadonlyArray<{ credential: string, rotationId: string, consumer: string, deliverySeq: number }>): Promise<void>
  /**
   * Asks a healthcheck with a nonce; `proved` if the answer is keyed by the value. One with proof `none` is `proved` by a healthy answer.
   * `secrets`: what else its answer may repeat, the value before; the exchange shows neither.
   */
  probe (of: { subscriber: Subscriber, credential: string, value: Secret, secrets?: readonly Secret[] }): Promise<ProofAnswer>
  /** Standard Webhooks secret (`whsec_…`) of a consumer, a credential and a URL: another URL has another. */
  webhookSecret (of: { consumer: string, credential: string, url: string }): Secret
}

// --- tickets ---------------------------------------------------------------------------------------------------

/** FreeScout where it is configured; else only the form is checked, and the answer says so. */
export interface Tickets {
  /** Throws Refusal `ticket_invalid`, `ticket_not_open` or `tickets_unavailable`. */
  check (ticket: string): Promise<'open' | 'format'>
}

// What the program needs from outside; infra/ provides each, main.ts joins them.
import type { ChanceryEvent, LogEvent, RecordedEvent } from './domain/catalogue.ts'
import type { EventMetadata } from './domain/event.ts'
import type { Personal, Sealed } from './domain/personal.ts'

// --- time and chance -------------------------------------------------------------------------------------------

export interface Clock { now (): Date }

export interface Ids {
  /** A new, time-ordered id (UUIDv7). */
  next (): string
  /** The same id for the same words, always (UUIDv5 of the words joined by a colon). */
  derive (...words: string[]): string
}

// --- processes beside this one -----------------------------------------------------------------------------------

/** Proof of which processes may run beside this one (decision 2): `single` holds the lock alone, `many` share it. */
export interface ProcessLock {
  readonly mode: 'single' | 'many'
  /** True while the lock is held, no predecessor can still believe to hold it, and its connection answered within the last second. */
  proven (): boolean
  /** Counts the times the lock was taken: what was read under an older number proves nothing. */
  readonly epoch: number
  /** Resolves with true as soon as the lock is proven, with false after `withinMs`. */
  whenProven (withinMs: number): Promise<boolean>
}

// --- the log ---------------------------------------------------------------------------------------------------

export type ExpectedRevision = bigint | 'no_stream'

/** An event about to be appended; personal fields may still be `Clear`, the codec seals them. */
export type NewEvent = ChanceryEvent & { id: string, metadata: EventMetadata }

export interface Appended {
  /** Revision of the last event of the append. */
  revision: bigint
  /** Commit position of the last event of the append. */
  position: bigint
  /** The events as they were recorded (sealed), so that a cache can fold them without a read. */
  events: RecordedEvent[]
}

export interface ReadOptions {
  /** First revision read (forwards: default 0; backwards: default the last). Inclusive. */
  from?: bigint
  direction?: 'forwards' | 'backwards'
  limit?: number
}

export interface ReadAllOptions {
  /** Only events after this position (forwards) or before it (backwards). Exclusive in both directions. */
  after?: bigint
  direction?: 'forwards' | 'backwards'
  limit?: number
}

export interface SubscribeOptions {
  /** Resume after this position (of an event or a delivered checkpoint); default: from the beginning. */
  after?: bigint
  /** The last event known to the subscriber. */
  last?: { position: bigint, id: string }
  signal: AbortSignal
}

/** What a subscription delivers. */
export type Delivery =
  | { kind: 'event', event: LogEvent }
  /** Everything up to here was looked at; no event of ours is missing before it. */
  | { kind: 'checkpoint', position: bigint }
  | { kind: 'caught_up' }

/** An event byte for byte as it was appended: what an auditor reads. Not upcast, not validated, still sealed. */
export interface RawEvent {
  id: string
  stream: string
  type: string
  revision: bigint
  position: bigint
  created: Date
  data: unknown
  metadata: unknown
}

/**
 * The log, as a plain object of functions, so that another append can be put round it by a spread. Stream names are without namespace. Errors: `WrongExpectedRevision`, `LogUnavailable`, `LogOutcomeUnknown`
 * (see src/log-errors.ts), `UnreadableEvent` when an event of ours fits no schema.
 */
export interface EventStore {
  append (stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<Appended>
  /** Events of one stream; an absent stream yields nothing. Events are LogEvents: positions included. */
  readStream (stream: string, options?: ReadOptions): AsyncIterable<LogEvent>
  /** Chancery's events of the whole log, in order. */
  readAll (options?: ReadAllOptions): AsyncIterable<LogEvent>
  /**
   * Chancery's events after a position, then live, until the signal aborts; resumes by itself after a drop.
   * Ends only by abort, UnreadableEvent, or LogForked: before every (re)subscription the log must still hold `last`
   * (the last event that was applied, with its id) and reach `after` (decision 12).
   */
  subscribe (options: SubscribeOptions): AsyncIterable<Delivery>
  /** The last event of ours, or undefined in an empty log. */
  last (): Promise<LogEvent | undefined>
  /** The event at exactly this position, if there is one (fork check, decision 12). */
  at (position: bigint): Promise<RawEvent | undefined>
  /** Raw reads for the auditor. */
  rawStream (stream: string, options?: ReadOptions): AsyncIterable<RawEvent>
  rawAll (options?: ReadAllOptions): AsyncIterable<RawEvent>
  /** Resolves if the store answers, rejects with LogUnavailable within a second. */
  ping (): Promise<void>
}

// --- keys and personal data ------------------------------------------------------------------------------------

/** Keyed derivations; each purpose has a key of its own, derived by HKDF (decision 16). */
export interface Keys {
  /** Keyed hash of a normalised address: 64 hex digits. Its key never changes. */
  addressHash (normalised: string): string
  /** The secret part of a walkthrough token: HMAC-SHA-256(link key, token id), base64url (decision 3). */
  linkSecret (tokenId: string): string
  /** A registration challenge, derived so that it is stored nowhere; 32 bytes. */
  challenge (challengeId: string): Uint8Array
  /** Keyed hash of a normalised user name: 64 hex digits. Its key never changes. */
  userNameHash (normalised: string): string
  /** `kid:base64url(HMAC-SHA-256)` over a canonical entry of the lifecycle stream (decision 28). */
  lifecycleMac (canonical: string): string
  /** The key behind it, for consumers that check: 32 bytes. Handing it out is a fact (`consumer.mac_key_opened`). */
  lifecycleMacKey (): { keyId: string, key: Uint8Array }
  /** Signs the deliveries to one place: 32 bytes, the same for the same words. Handing it out is a fact (`subscriber.webhook_secret_opened`). */
  webhookSecret (place: string): Uint8Array
  /** HMAC of route and canonical body (decision 4), base64url. */
  fingerprint (route: string, canonicalBody: string): string
}

export type Opened = { status: 'open', text: string } | { status: 'erased' }

/** The subjects' keys (Postgres `vault` schema). A missing key without the erased mark is `key_missing`, never an erasure (decision 15). */
export interface Vault {
  /** Seals a text for a field of an event. Stores the subject's key before it returns, if it is new. */
  seal (text: string, place: { subject: string, stream: string, eventId: string, field: string }): Promise<Sealed>
  /** Opens an envelope that must belong to `subject`. Throws Refusal `key_missing`. */
  open (sealed: Personal, subject: string): Promise<Opened>
}

/** Erasure, kept apart from the vault's daily use: only the erasure's reactor and the start have it. */
export interface KeyDestroyer {
  /** Destroys a subject's key for good and marks it so; again, or for a subject without a key: only the mark. */
  destroy (subject: string): Promise<void>
  /** The same for many at once. @returns how many were not marked so before */
  destroyAll (subjects: readonly string[]): Promise<number>
}

// --- the database of the read models (infra/postgres) ------------------------------------------------------------

export interface Answer<R> {
  rows: R[]
  /** Rows that the statement touched. */
  count: number
  /** The command as Postgres did it: a COMMIT of a failed transaction says ROLLBACK. */
  command: string
}

export interface Sql {
  /** Runs one statement; int8 comes as BigInt, timestamptz as an ISO instant. A `name` keeps it prepared. */
  query<R extends object = Record<string, unknown>> (text: string, values?: readonly unknown[], name?: string): Promise<Answer<R>>
}

/** One connection of one's own. Statements may be issued without awaiting each other: they run in that order. */
export interface Connection extends Sql {
  /** True once the connection is lost; it never comes back. */
  readonly lost: boolean
  close (): Promise<void>
}

export interface Database extends Sql {
  /** A dedicated connection, its unqualified names resolved in the schema of the read models. */
  connect (purpose: string): Promise<Connection>
  /** Runs `work` in one transaction, again if Postgres asks for it (serialization, deadlock, lock timeout). */
  transaction<T> (work: (sql: Sql) => Promise<T>): Promise<T>
  /** True if the same may succeed later: the server is away, starting, or short of something. */
  isPassing: (error: unknown) => boolean
}

// --- Redis, for the lifecycle stream -----------------------------------------------------------------------------

/**
 * Where Redis is. It may come late, since a local one may have to be fetched first, and it may go away: nothing but the
 * publisher waits for it.
 */
export interface RedisSource {
  /** `waiting`: there is none yet; `away`: there is one, and it does not answer; `ready`: it answers. */
  state (): 'waiting' | 'away' | 'ready'
  /** What an operator should know, a sentence each: why it is waited for, and what the checks of its settings found. */
  remarks (): readonly string[]
  /** Its address, password included; undefined while it is waited for. Once known it stays the same. */
  url (): string | undefined
  /** Resolves with the address once there is one; rejects with the signal's reason. */
  whenUrl (signal: AbortSignal): Promise<string>
}

// --- the outside world -----------------------------------------------------------------------------------------

export interface Mail { messageId: string, to: string, subject: string, text: string }
/** `where` is an outbox file's path, only for the operator's terminal. */
export type MailOutcome = { status: 'sent', replyCode?: number, where?: string } | { status: 'failed', final: boolean, replyCode?: number }
export interface Mailer { send (mail: Mail): Promise<MailOutcome> }
/** Removes what is kept here of a mail: a file of the outbox. What a server took is out of our hands. */
export interface MailForgetter { forget (messageId: string): Promise<void> }

/**
 * What became of a mail, as far as is known: `failed` is final. Waits for the outcome's fact at most `ms` milliseconds,
 * whichever process appends it.
 */
export interface MailWatch { waitForMail (testerId: string, mailId: string, ms: number): Promise<'sent' | 'failed' | 'pending'> }

// --- passkeys --------------------------------------------------------------------------------------------------

/** What an authenticator answered, as a browser's `PublicKeyCredential.toJSON()` writes it; nothing in it is trusted. */
export interface RegistrationAnswer {
  id: string
  rawId: string
  type: string
  response: { clientDataJSON: string, attestationObject: string, transports?: string[] }
}

/** A passkey whose ceremony passed every check. */
export interface VerifiedPasskey {
  /** base64url, at most 1,023 bytes. */
  credentialId: string
  /** base64url of the COSE key. */
  publicKey: string
  algorithm: number
  counter: number
  aaguid: string
  backedUp: boolean
  transports: string[]
}

/** `cause` is one word of our own: what a library says carries challenge and origin, and stops here. */
export type CeremonyOutcome = { status: 'verified', passkey: VerifiedPasskey } | { status: 'failed', cause: string }

/** Registration ceremonies under one RP ID (WebAuthn level 3, section 7.1). */
export interface Ceremonies {
  /** `PublicKeyCredentialCreationOptionsJSON`. `userName` is what the person's device shows. */
  creationOptions (of: { challenge: Uint8Array, userId: string, userName: string, timeoutMs: number }): Promise<object>
  /** The challenge that an answer claims to answer, or undefined if none can be read. */
  challengeOf (answer: RegistrationAnswer): Uint8Array | undefined
  /** Never throws for anything in the answer. */
  verify (answer: RegistrationAnswer, challenge: Uint8Array): Promise<CeremonyOutcome>
}

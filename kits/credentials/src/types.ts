// What a consumer of credentials is told, asked and given.
import type { CredentialStore, Holding } from './holding.ts'
import type { ConsumerKey } from './key.ts'
import type { CredentialsService } from './service.ts'

/** An entry of the Redis stream: there is something to fetch. Anybody may have written it, so it is a hint and nothing else. */
export interface Announced { consumer: string, credential: string }

/** Follows announcements until the signal aborts; `onGap` says that some may have been missed, as after every (re)connection. */
export type Follow = (options: { signal: AbortSignal, onEntry: (entry: Announced) => void, onGap: () => void }) => Promise<void>

/** Something did not work and is tried again, or is for people to look at. Never has a value in it. */
export interface Trouble { credential: string | undefined, doing: 'registering' | 'fetching' | 'acknowledging' | 'using' | 'following' | 'checking', error: unknown }

export interface CredentialConsumerOptions {
  /** Its name, as manifests have it. */
  name: string
  /** What it takes: deliveries of any other credential are refused. */
  credentials: readonly string[]
  key: ConsumerKey
  service: CredentialsService
  /** Default: forgets with the process. */
  store?: CredentialStore
  /**
   * Goes over to a value, also at the start to the one that was kept. Once it resolves the value counts as in use, and is what the
   * healthcheck proves; for a push it has as long as the sender waits (5 s). If it throws, the delivery is refused, to be tried again.
   */
  use: (holding: Holding & { credential: string }) => Promise<void> | void
  /** With it the consumer pulls: it fetches at the start, when it hears of something, after each gap, and every `pollMs`. */
  pull?: { follow?: Follow, pollMs?: number }
  onTrouble?: (trouble: Trouble) => void
}

/** What to answer: write it out as it is. */
export interface HttpAnswer { status: number, headers: Record<string, string>, body: string }

export interface CredentialConsumer {
  /** Takes up what was kept, registers the key, fetches what is missing. Resolves when the kept values are in use; the rest goes on behind it. */
  start (): Promise<void>
  /** For `POST` at the URL of the manifest. */
  handlePush (request: { headers: Readonly<Record<string, string | string[] | undefined>>, body: Uint8Array | string }): Promise<HttpAnswer>
  /** For `GET` at the healthcheck of the manifest. `healthy` false: answers 503, whatever it holds. */
  handleHealthcheck (query: { credential?: string | null, nonce?: string | null }, healthy?: boolean): HttpAnswer
  /** What is in use. */
  holding (credential: string): Holding | undefined
  /** Fetches now, takes it and acknowledges it. @throws what the service refuses, or DeliveryProblem */
  fetch (credential: string): Promise<'taken' | 'known' | 'superseded'>
  stop (): Promise<void>
}

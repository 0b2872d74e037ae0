// What a reactor is: it finds intents in the log, acts outside, and appends each outcome as a fact (decision 9).
import type { EventType } from '../domain/catalogue.ts'

/** An intent without an outcome. What is to be done about it is decided from its stream, not from here. */
export interface Intent {
  /** What tells it from others of its kind: a mail id. */
  id: string
  stream: string
  /** For the outcome's metadata: the event that asked for it, and the request it belongs to. */
  eventId: string
  correlationId: string
}

export interface Reactor {
  name: string
  /** The facts that it follows; src/domain/intents.ts says which facts end them. */
  intent: EventType
  /** True if any fact in the stream of an open intent is a reason to look at it at once, whoever appended it. */
  wakesOnStream?: boolean
  /**
   * Brings an intent to its outcome, or as far as it goes now. It may have been carried out already, and may be under
   * way in another process: the claim is a fact appended with the expected revision, never a row or a lock.
   * @returns in how many ms to come back; undefined once there is an outcome
   */
  carryOut (intent: Intent): Promise<number | undefined>
}

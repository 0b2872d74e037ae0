// What an event is: its definition in the catalogue, its metadata, and its recorded form.
import type { TObject, Static } from '@sinclair/typebox'
import type { Personal } from './personal.ts'

/** A moment: ISO 8601 in UTC with milliseconds, as JSON holds it. */
export type Instant = string

/** The first moment that every store here can keep: Postgres knows no year 0, and one such fact would stop a read model for good. */
export const EARLIEST: Instant = '0001-01-01T00:00:00.000Z'

/** Who caused it. Ids are opaque (decision 17). */
export interface Actor {
  type: 'principal' | 'person' | 'system'
  id: string
}

/** Metadata of every event. Sealed once recorded: reason, ip, userAgent. */
export interface EventMetadata {
  $correlationId: string
  $causationId: string
  commandId: string
  /** HMAC of route and canonical body (decision 4); absent for what a reactor does of itself. */
  commandFingerprint?: string
  schemaVersion: number
  occurredAt: Instant
  actor: Actor
  /** The calling service, where the actor is somebody else. */
  source?: string
  reasonCode?: string
  ticket?: string
  requestId: string
  traceparent?: string
  reason?: Personal
  ip?: Personal
  userAgent?: Personal
}

/** One event type of the catalogue. `upcasters[n]` turns data of version n into version n + 1. */
export interface EventDefinition<Schema extends TObject = TObject> {
  version: number
  schema: Schema
  upcasters: Readonly<Record<number, (data: unknown) => unknown>>
  /** What the fact means to a reader of the reference page; one sentence. */
  meaning: string
}

/** Defines an event type at its current version. */
export const defineEvent = <Schema extends TObject>(
  version: number, meaning: string, schema: Schema, upcasters: EventDefinition['upcasters'] = {}
): EventDefinition<Schema> => ({ version, schema, upcasters, meaning })

export type EventsOf<Definitions extends Record<string, EventDefinition>> = {
  [T in keyof Definitions & string]: { type: T, data: Static<Definitions[T]['schema']> }
}[keyof Definitions & string]

/** A fact as a decision states it. */
export interface Fact { type: string, data: object }

/** A fact as a fold meets it: with its place in its own stream. */
export type Recorded<E extends Fact = Fact> = E & {
  id: string
  stream: string
  revision: bigint
  metadata: EventMetadata
}

/** A recorded fact with its place in the whole log, as readers of the log get it. */
export type Positioned<E extends Fact = Fact> = Recorded<E> & {
  /** The commit position (decision 10). */
  position: bigint
  /** The store's time of append. */
  created: Date
}

/** Compile-time proof that a union was handled to the end. */
export const assertNever = (value: never): never => {
  throw new Error(`unhandled: ${String((value as { type?: string }).type)}`)
}

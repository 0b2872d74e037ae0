// Every event type that Chancery appends, by stream category: the one list, with schemas, versions and upcasters.
import { accountEvents } from './account/events.ts'
import { consumerEvents, receiptEvents } from './consumer/events.ts'
import { credentialEvents, subscriberEvents } from './credential/events.ts'
import type { EventDefinition, EventsOf, Positioned, Recorded } from './event.ts'
import { lifecycleEvents } from './lifecycle/events.ts'
import { principalEvents, rosterEvents } from './principal/events.ts'
import { refusalEvents } from './refusal/events.ts'
import { emailEvents, passkeyEvents, testerEmailEvents, userNameEvents } from './reservation/events.ts'
import { rotationEvents } from './rotation/events.ts'
import { testerEvents } from './tester/events.ts'
import { userEvents } from './user/events.ts'

/** Category (the part of a stream name before the first hyphen) → its event types. */
export const catalogue = {
  tester: testerEvents,
  testerEmail: testerEmailEvents,
  email: emailEvents,
  user: { ...userEvents, ...accountEvents },
  userName: userNameEvents,
  passkey: passkeyEvents,
  principal: principalEvents,
  roster: rosterEvents,
  refusal: refusalEvents,
  consumer: consumerEvents,
  receipt: receiptEvents,
  lifecycle: lifecycleEvents,
  credential: { ...credentialEvents, ...rotationEvents },
  subscriber: subscriberEvents
} as const satisfies Record<string, Record<string, EventDefinition>>

export type Category = keyof typeof catalogue
export type EventOf<C extends Category> = EventsOf<(typeof catalogue)[C]>
export type ChanceryEvent = { [C in Category]: EventOf<C> }[Category]
export type EventType = ChanceryEvent['type']
/** A chancery event as a fold of its stream meets it. */
export type RecordedEvent = { [T in EventType]: Recorded<Extract<ChanceryEvent, { type: T }>> }[EventType]
/** A recorded event of one category, as its aggregate's `evolve` takes it. */
export type RecordedOf<C extends Category> = Extract<RecordedEvent, { type: EventOf<C>['type'] }>
/** A chancery event as readers of the whole log meet it. */
export type LogEvent = { [T in EventType]: Positioned<Extract<ChanceryEvent, { type: T }>> }[EventType]

export const categories = Object.keys(catalogue) as Category[]

/** The definition of an event type, or undefined for a type that is not ours. */
export const definitionOf = (type: string): EventDefinition | undefined => definitions.get(type)

const definitions = new Map<string, EventDefinition>(
  Object.values<Record<string, EventDefinition>>(catalogue).flatMap((events) => Object.entries(events)))

/** Name of the stream of one aggregate: `{category}-{id}`; the adapter puts the namespace in front. */
export const streamName = (category: Category, id: string): string => `${category}-${id}`

/** Category of a stream name without namespace. */
export const categoryOf = (stream: string): string => stream.slice(0, stream.indexOf('-'))

/** The rest of it: the id of what it is about. */
export const streamIdOf = (stream: string): string => stream.slice(stream.indexOf('-') + 1)

// Reads an account's stream from its beginning: every fact, the account that they make, and where the stream ends.
import { streamName, type EventOf, type LogEvent } from '../../domain/catalogue.ts'
import { userAggregate, type User } from '../../domain/user/user.ts'
import type { EventStore, ExpectedRevision } from '../../ports.ts'

/** A fact of an account, with its place in the log. */
export type AccountFact = Extract<LogEvent, { type: EventOf<'user'>['type'] }>

export interface ReadAccount {
  user: User
  events: AccountFact[]
  /** 0 and `no_stream` where there is none. */
  position: bigint
  revision: ExpectedRevision
}

/** Throws what the log throws. */
export const readAccount = async (log: Pick<EventStore, 'readStream'>, userId: string): Promise<ReadAccount> => {
  const read: ReadAccount = { user: userAggregate.initial, events: [], position: 0n, revision: 'no_stream' }
  for await (const event of log.readStream(streamName('user', userId))) {
    const fact = event as AccountFact
    read.events.push(fact)
    read.user = userAggregate.evolve(read.user, fact)
    read.position = event.position
    read.revision = event.revision
  }
  return read
}

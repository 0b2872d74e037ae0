// What was known when: an account folded from its stream up to a time of append or a position (decision 10).
import { refuse } from '../../domain/codes.ts'
import { userAggregate, type User } from '../../domain/user/user.ts'
import type { EventStore, ExpectedRevision } from '../../ports.ts'
import { readAccount } from './read.ts'

/** A moment by the store's clock (what was appended up to and with it counts), or a position (up to and with it). */
export type AsOf = { time: Date } | { position: bigint }

export interface AccountAsOf {
  /** The account then; `absent` if none of its facts was there yet. */
  then: User
  /** The account now: who is deleted today is not found today, whatever moment is asked about. */
  now: User
  /** Position and revision of the last fact that counted: the place that an answer names. 0 and `no_stream` if none did. */
  position: bigint
  revision: ExpectedRevision
  /** The moment at which whatever runs by the clock is judged: the time asked about, or when the position was appended. */
  at: Date
}

type Log = Pick<EventStore, 'readStream' | 'at'>

/**
 * Reads the account's stream once and folds it twice, up to the moment asked about and to its end.
 * @param now a moment after it is refused, since what it says could still change
 * @throws Refusal `invalid_request` for a time to come, or a position at which the log has nothing
 */
export const accountAsOf = async (log: Log, userId: string, asOf: AsOf, now: Date): Promise<AccountAsOf> => {
  const at = await momentOf(log, asOf, now)
  const { user, events } = await readAccount(log, userId)
  // A prefix, even if the store's clock went back: a fact never counts without those before it.
  const passed = events.findIndex((event) => 'position' in asOf ? event.position > asOf.position : event.created > asOf.time)
  const known = passed === -1 ? events : events.slice(0, passed)
  const { position = 0n, revision = 'no_stream' as const } = known.at(-1) ?? {}
  return { then: known.reduce<User>(userAggregate.evolve, userAggregate.initial), now: user, position, revision, at }
}

/** The moment itself, or when the event at the position was appended. */
const momentOf = async (log: Pick<EventStore, 'at'>, asOf: AsOf, now: Date): Promise<Date> => {
  if ('time' in asOf) {
    return asOf.time > now
      ? refuse('invalid_request', 'as_of lies in the future: what it says could still change.')
      : asOf.time
  }
  const event = await log.at(asOf.position)
  return event?.created ?? refuse('invalid_request', 'as_of names a position at which the log has nothing. Take one as it was given out.')
}

// Appends, and says truthfully what became of it: recorded, lost the race, certainly not recorded, or unknown.
import { MaxAppendSizeExceededError, WrongExpectedVersionError, isCommandError } from '@eventstore/db-client'
import { LogOutcomeUnknown, LogUnavailable, WrongExpectedRevision } from '../../src/log-errors.ts'
import type { ExpectedRevision } from '../../src/ports.ts'
import type { EncodedEvent, Written } from './batch.ts'
import { isTurnedAway } from './failures.ts'
import { CONNECT_MS, type Link } from './link.ts'
import { whileAlive, type Patience } from './patience.ts'

/** The repeat may reconnect only briefly: the first attempt has already used up most of the second. */
export const RECONNECT_MS = 250

export interface Append { stream: string, expected: ExpectedRevision, events: readonly EncodedEvent[] }

/**
 * One attempt and, if its outcome is unknown, one unchanged repeat: the same ids at the same expected revision are written
 * once at the most (ADR 0021). What the repeat meets settles the matter only if the server answers it; once an
 * attempt may have been written, nothing but an answer makes it "certainly not".
 * @throws WrongExpectedRevision, LogUnavailable (certainly not appended), LogOutcomeUnknown
 */
export const append = async (link: Link, patience: Patience, { stream, expected, events }: Append): Promise<Written> => {
  let doubt: unknown
  for (let attempt = 1; attempt <= 2; attempt++) {
    const linked = await link.get(doubt === undefined ? CONNECT_MS : RECONNECT_MS).catch((error: unknown) => { throw unsent(doubt, error) })
    try {
      return await whileAlive(linked.connection, patience, linked.batch.append(stream, expected, events))
    } catch (error) {
      if (error instanceof WrongExpectedVersionError) throw lostRace(stream, error)
      if (isRefusal(error)) throw unsent(doubt, error)
      doubt = error
      // Answered, if not usefully: then the connection is sound, and others are waiting on it.
      if (!isCommandError(error as Error)) link.discard(linked)
    }
  }
  throw unknown(doubt)
}

/** `actualVersion` is the string 'no_stream' for an absent stream, and may be a word that only an append of `any` gets. */
const lostRace = (stream: string, { actualVersion }: WrongExpectedVersionError): WrongExpectedRevision =>
  new WrongExpectedRevision(stream, typeof actualVersion === 'bigint' ? actualVersion : 'no_stream')

/** Answers after which this very attempt was not written. Timeout and the unrecognised are not among them. */
const isRefusal = (error: unknown): boolean =>
  isTurnedAway(error) || error instanceof MaxAppendSizeExceededError ||
  isErrorOfType(error, 'access-denied', 'stream-deleted')

const isErrorOfType = (error: unknown, ...types: string[]): boolean =>
  error instanceof Error && isCommandError(error) && types.includes(error.type)

const unsent = (doubt: unknown, error: unknown): Error =>
  doubt === undefined
    ? new LogUnavailable(`nothing was appended: ${messageOf(error)}`, { cause: error })
    : unknown(doubt)

const unknown = (doubt: unknown): LogOutcomeUnknown =>
  new LogOutcomeUnknown(`it is unknown whether the append was recorded: ${messageOf(doubt)}`, { cause: doubt })

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

// Times as requests write them, turned into those of events.
import { refuse } from '../domain/codes.ts'
import { EARLIEST, type Instant } from '../domain/event.ts'

/** An instant with milliseconds; refuses a time that no calendar has (30 February, 24:61, the year 0). */
export const instantOf = (text: string): Instant => {
  const time = new Date(text)
  if (Number.isNaN(time.getTime()) || time.toISOString().slice(0, 19) !== text.slice(0, 19) || time.toISOString() < EARLIEST) {
    refuse('invalid_request', 'There is no such moment. Times are ISO 8601 in UTC, such as 2026-01-31T12:00:00Z.')
  }
  return time.toISOString()
}

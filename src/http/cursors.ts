// Positions and cursors as requests write them: positions no more than Postgres holds (int8), and decimal, as answers give them out.
import { refuse } from '../domain/codes.ts'
import { EARLIEST, type Instant } from '../domain/event.ts'
import { POSITION } from './schemas/shared.ts'

const position = new RegExp(`^${POSITION}$`)

export const isPosition = (text: string): boolean => position.test(text)

/** Reads a cursor that is a position. Refuses with `invalid_request`. */
export const positionIn = (cursor: string): bigint => isPosition(cursor) ? BigInt(cursor) : notOurs()

/** Reads a cursor of two positions, joined by a point. Refuses with `invalid_request`. */
export const positionsIn = (cursor: string): [bigint, bigint] => {
  const [first, second, ...more] = cursor.split('.')
  return first === undefined || second === undefined || more.length > 0 ? notOurs() : [positionIn(first), positionIn(second)]
}

const notOurs = (): never => refuse('invalid_request', 'The cursor is not one that this list gave out.')

/** The end of the year 9999. */
const LATEST_MS = 253_402_300_799_999

/** Reads a cursor of the inventory: the moment of the last row, in ms, or `never`, and its credential. Refuses with `invalid_request`. */
export const dueIn = (cursor: string): { dueAt: Instant | null, credential: string } => {
  const [, at, credential] = /^(never|-?\d{1,15})\.([a-z][a-z0-9-]{0,47})$/.exec(cursor) ?? []
  if (at === undefined || credential === undefined) return notOurs()
  if (at === 'never') return { dueAt: null, credential }
  const ms = Number(at)
  return ms >= Date.parse(EARLIEST) && ms <= LATEST_MS ? { dueAt: new Date(ms).toISOString(), credential } : notOurs()
}

// Positions as requests write them: no more than Postgres holds (int8), and decimal, as answers give them out.
import { refuse } from '../domain/codes.ts'
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

// A place in a stream that a later verdict points back to as its evidence.
import type { Instant } from './event.ts'

/** One fact that a rule rests on. `at` is the moment that the rule counts: an imported fact keeps the time it had. */
export interface Mark {
  type: string
  revision: bigint
  at: Instant
}

/** The later of two marks; the second one if both are of the same moment, because it stands later in its stream. */
export const later = (earlier: Mark | undefined, mark: Mark): Mark =>
  earlier !== undefined && Date.parse(earlier.at) > Date.parse(mark.at) ? earlier : mark

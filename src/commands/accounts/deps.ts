// What the accounts side's commands about ghosts work with: its own streams and read models, nothing of the console's.
import type { Clock, Ids } from '../../ports.ts'
import type { GhostQueries, Positions } from '../../queries.ts'
import type { Aggregates } from '../execute.ts'

export interface AccountsDeps {
  aggregates: Aggregates
  ids: Ids
  clock: Clock
  ghosts: GhostQueries
  positions: Positions
  /** How long after the last event of a ceremony the account is left alone, in ms (decision 22). */
  graceMs: number
}

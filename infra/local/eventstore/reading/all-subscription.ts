// A subscription to $all: the history, then "caught up", then everything that is written; with checkpoints if filtered.
import { Code, GrpcError } from '../grpc/status.ts'
import type { EventLog } from '../log/log.ts'
import { malformed } from '../protocol/fields.ts'
import { caughtUp, checkpoint } from '../protocol/read-answer.ts'
import type { AllRead } from '../protocol/read-request.ts'
import { positionOf } from '../storage/record.ts'
import { RECORDS_A_TURN, filterOf, findPlace } from './all-source.ts'
import type { Source } from './pump.ts'
import { makeView } from './view.ts'

export const allSubscription = (log: EventLog, request: AllRead): Source => {
  const passes = filterOf(request)
  const view = makeView(log, request)
  const place = findPlace(log, request.from)
  if (place.kind === 'nowhere') return { fill: () => new GrpcError(Code.INVALID_ARGUMENT, 'there is no event at this position') }
  if (request.window === 0) return { fill: () => malformed('the window may not be 0') }
  // a subscription begins behind the position it names; a prepare position before the event itself includes the event
  let seen = place.kind === 'start' ? 0 : place.kind === 'end' ? log.last : place.kind === 'at' && !place.whole ? place.position - 1 : place.position
  const step = passes ? request.window * request.interval : Infinity
  let sinceCheckpoint = 0
  let live = false

  return {
    fill: (page) => {
      let looked = 0
      for (const { value: stored } of seen < log.last ? log.database.events(seen + 1, false) : []) {
        seen = positionOf(stored)
        if (!passes || passes(stored)) page.add(view(stored))
        if (++sinceCheckpoint >= step) {
          sinceCheckpoint = 0
          page.add(checkpoint(seen))
        }
        if (page.full || ++looked >= RECORDS_A_TURN) break
      }
      if (seen < log.last) return 'more'
      if (!live) {
        live = true
        sinceCheckpoint = 0
        page.add(caughtUp())
      }
      return 'wait'
    }
  }
}

// Pages of $all: every event in the order of the log, forwards or backwards, filtered or not.
import { Code, GrpcError } from '../grpc/status.ts'
import type { EventLog } from '../log/log.ts'
import { malformed } from '../protocol/fields.ts'
import type { AllRead, From, Position } from '../protocol/read-request.ts'
import { positionOf } from '../storage/record.ts'
import { type Filter, makeFilter } from './filter.ts'
import type { Source } from './pump.ts'
import { makeView } from './view.ts'

/** Records looked at in one turn, so that a filter which nothing passes does not keep the event loop. */
export const RECORDS_A_TURN = 500

const NO_POSITION = 2n ** 64n - 1n

export type Place = { kind: 'start' } | { kind: 'end' } | { kind: 'beyond', position: number } | { kind: 'nowhere' } | { kind: 'at', position: number, whole: boolean }

/** What a position means: only the positions of events are places; `whole` tells that prepare equals commit. */
export const findPlace = (log: EventLog, from: From<Position>): Place => {
  if (from === 'start' || from === 'end') return { kind: from }
  const { commit, prepare } = from
  if (commit === NO_POSITION) return { kind: 'end' }
  if (prepare > commit) throw malformed('a prepare position lies behind its commit position')
  if (commit === 0n) return { kind: 'start' }
  const position = Number(commit)
  if (position >= log.end) return { kind: 'beyond', position }
  if (!log.database.event(position)) return { kind: 'nowhere' }
  return { kind: 'at', position, whole: prepare === commit }
}

export const filterOf = ({ filter }: AllRead): Filter | undefined => {
  if (!filter) return undefined
  try {
    return makeFilter(filter)
  } catch {
    throw malformed('the regular expression of the filter is not valid')
  }
}

export const allSource = (log: EventLog, request: AllRead): Source => {
  const { backwards } = request
  const passes = filterOf(request)
  const view = makeView(log, request)
  const place = findPlace(log, request.from)
  if (place.kind === 'nowhere' || (place.kind === 'beyond' && backwards)) throw new GrpcError(Code.UNKNOWN, 'there is no event at this position')
  if (place.kind === 'beyond' || place.kind === (backwards ? 'start' : 'end')) return { fill: () => 'end' }
  // forwards from an event includes it, backwards excludes it; a read ends where the log ended when it began
  const until = log.last
  let next = place.kind === 'at' ? place.position : backwards ? log.end : 1
  let left = request.count ?? 0n

  return {
    fill: (page) => {
      let looked = 0
      for (const { value: stored } of log.database.events(next, backwards)) {
        const position = positionOf(stored)
        if (position > until) return 'end'
        next = backwards ? position : position + 1
        if (!passes || passes(stored)) {
          if (left === 0n) return 'end'
          page.add(view(stored))
          if (--left === 0n) return 'end'
        }
        if (page.full || ++looked >= RECORDS_A_TURN) return 'more'
      }
      return 'end'
    }
  }
}

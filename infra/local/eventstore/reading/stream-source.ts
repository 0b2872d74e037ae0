// Pages of one stream: what a read finds, forwards or backwards, within what metadata leaves visible.
import { Code, GrpcError } from '../grpc/status.ts'
import type { EventLog } from '../log/log.ts'
import { firstVisible } from '../log/metadata.ts'
import { streamDeleted } from '../protocol/append-answer.ts'
import { NO_REVISION } from '../protocol/fields.ts'
import { firstStreamPosition, lastStreamPosition, streamNotFound } from '../protocol/read-answer.ts'
import type { StreamRead } from '../protocol/read-request.ts'
import { createdOf } from '../storage/record.ts'
import type { Next, Page, Source } from './pump.ts'
import { makeView } from './view.ts'

export interface Revisions { readonly from: number, readonly to: number, readonly backwards: boolean }

/** Reads the events `from`…`to` of a stream into the page, both included; returns the revision to go on with. */
export const fillRevisions = (log: EventLog, name: string, { from, to, backwards }: Revisions, page: Page, take: (stored: Buffer) => boolean): number => {
  const { id } = log.streams.get(name)
  const step = backwards ? -1 : 1
  let next = from
  for (const { revision, position } of log.database.places(id, from, to, backwards)) {
    next = revision + step
    const stored = log.database.event(position)
    if (stored && !take(stored)) return next
    if (page.full) return next
  }
  return to + step
}

const rejected = (): GrpcError => new GrpcError(Code.UNKNOWN, 'a read needs a count above 0 and, forwards, a place to begin before the end')

export const streamSource = (log: EventLog, request: StreamRead): Source => {
  const { stream, backwards } = request
  const asked = request.from === 'start' ? 0n : request.from === 'end' ? NO_REVISION : request.from
  if (request.count === 0n || (!backwards && asked === NO_REVISION)) throw rejected()
  if (log.streams.unreadable(stream)) throw streamDeleted(stream)
  const { last } = log.streams.get(stream)
  if (last < 0 || log.streams.softDeleted(stream)) return { fill: (page) => { page.add(streamNotFound(stream)); return 'end' } }

  const metadata = log.streams.metadata(stream)
  const first = firstVisible(metadata, last)
  const oldest = metadata.maxAgeMs === undefined ? 0 : Date.now() - metadata.maxAgeMs
  const view = makeView(log, request)
  const begin = Number(asked)
  let next = backwards ? Math.min(begin, last) : Math.max(begin, first)
  const to = backwards ? first : last
  let left = request.count ?? 0n
  let found = 0

  const finish = (page: Page): Next => {
    if (request.compatibility > 0) {
      if (!backwards && found === 0 && begin > last) page.add(firstStreamPosition(last + 1))
      page.add(lastStreamPosition(last))
    }
    return 'end'
  }
  return {
    fill: (page) => {
      if (backwards ? next < to : next > to) return finish(page)
      next = fillRevisions(log, stream, { from: next, to, backwards }, page, (stored) => {
        if (createdOf(stored) < oldest) return true
        page.add(view(stored))
        found++
        return --left > 0n
      })
      return left === 0n || (backwards ? next < to : next > to) ? finish(page) : 'more'
    }
  }
}

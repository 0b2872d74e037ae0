// A subscription to one stream: what a read would find, then "caught up", then everything that is written.
import type { EventLog } from '../log/log.ts'
import { firstVisible } from '../log/metadata.ts'
import { streamDeleted } from '../protocol/append-answer.ts'
import { NO_REVISION } from '../protocol/fields.ts'
import { caughtUp } from '../protocol/read-answer.ts'
import type { StreamRead } from '../protocol/read-request.ts'
import { createdOf } from '../storage/record.ts'
import type { Source } from './pump.ts'
import { fillRevisions } from './stream-source.ts'
import { makeView } from './view.ts'

export const streamSubscription = (log: EventLog, request: StreamRead): Source => {
  const { stream } = request
  if (log.streams.unreadable(stream)) throw streamDeleted(stream)
  const view = makeView(log, request)
  const begin = log.streams.get(stream).last
  // a subscription begins behind the revision it names
  let seen = request.from === 'start' ? -1 : request.from === 'end' || request.from === NO_REVISION ? begin : Number(request.from)
  let live = false

  return {
    fill: (page) => {
      const { last, tombstoned, id } = log.streams.get(stream)
      const metadata = live ? {} : log.streams.metadata(stream)
      const oldest = metadata.maxAgeMs === undefined ? 0 : Date.now() - metadata.maxAgeMs
      const from = Math.max(seen + 1, firstVisible(metadata, last))
      if (from <= last) {
        seen = fillRevisions(log, stream, { from, to: last, backwards: false }, page, (stored) => {
          if (createdOf(stored) >= oldest) page.add(view(stored))
          return true
        }) - 1
      } else seen = Math.max(seen, last)
      if (seen < last) return 'more'
      if (!live) {
        live = true
        page.add(caughtUp())
      }
      if (!tombstoned) return 'wait'
      const stored = log.database.tombstone(id)
      if (stored) page.add(view(stored))
      return streamDeleted(stream)
    }
  }
}

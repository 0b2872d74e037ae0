// What a reader is sent for a stored event: the stored frame as it is, or with its link resolved or its id as numbers.
import type { EventLog } from '../log/log.ts'
import { firstVisible } from '../log/metadata.ts'
import { bytesField, varintField } from '../protocol/wire.ts'
import { frame } from '../grpc/framing.ts'
import { createdOf, dataOf, frameOf, isLink, positionOf, recordOf } from '../storage/record.ts'

export interface ViewOptions {
  readonly resolveLinks: boolean
  readonly structuredIds: boolean
}

const LINK = /^(\d{1,15})@(.+)$/s

/** Makes the gRPC frame that shows an event to a reader. */
export const makeView = (log: EventLog, { resolveLinks, structuredIds }: ViewOptions): (stored: Buffer) => Buffer => {
  const wrap = (event: Buffer | undefined, link: Buffer | undefined, position: number): Buffer => frame(bytesField(1,
    ...event ? [bytesField(1, recordOf(event, structuredIds))] : [],
    ...link ? [bytesField(2, recordOf(link, structuredIds))] : [],
    varintField(3, position)))
  return (stored) => {
    if (resolveLinks && isLink(stored)) {
      const target = LINK.exec(dataOf(stored).toString('utf8'))
      if (target) return wrap(visibleEvent(log, target[2] ?? '', Number(target[1])), stored, positionOf(stored))
    }
    return structuredIds ? wrap(stored, undefined, positionOf(stored)) : frameOf(stored)
  }
}

/** An event as a read of its stream would find it; undefined if it is deleted, truncated or too old. */
const visibleEvent = (log: EventLog, name: string, revision: number): Buffer | undefined => {
  if (name === '' || log.streams.unreadable(name)) return undefined
  const { id, last } = log.streams.get(name)
  const metadata = log.streams.metadata(name)
  if (revision < firstVisible(metadata, last)) return undefined
  const position = log.database.positionAt(id, revision)
  const stored = position === undefined ? undefined : log.database.event(position)
  if (!stored) return undefined
  return metadata.maxAgeMs !== undefined && createdOf(stored) < Date.now() - metadata.maxAgeMs ? undefined : stored
}

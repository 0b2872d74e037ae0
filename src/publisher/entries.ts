// Makes the signed entries of the stream from the log's events: each a function of its event and the one before it.
import { canonicalEntry, entryIdOf, unsignedEntry, type LifecycleEvent } from '../domain/lifecycle/entry.ts'
import type { StreamEntry } from '../lifecycle-stream.ts'

/** Keyed MAC of a canonical entry, key id in front (decision 28). */
export type Sign = (canonical: string) => string

export const entryOf = (event: LifecycleEvent, previous: bigint, stream: string, sign: Sign): StreamEntry => {
  const id = entryIdOf(event.position)
  const fields = unsignedEntry(event, previous)
  return { id, fields: { ...fields, mac: sign(canonicalEntry(fields, { entryId: id, stream })) } }
}

/** @param previous position of the lifecycle event before the first of them */
export const entriesOf = (events: readonly LifecycleEvent[], previous: bigint, stream: string, sign: Sign): StreamEntry[] => {
  let before = previous
  return events.map((event) => {
    const entry = entryOf(event, before, stream, sign)
    before = event.position
    return entry
  })
}

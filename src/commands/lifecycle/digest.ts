// What a consumer checks itself against: the rolling hash over a range of lifecycle entries, and each user's last one.
import { createHash } from 'node:crypto'
import { refuse } from '../../domain/codes.ts'
import { canonicalEntry, entryIdOf, unsignedEntry } from '../../domain/lifecycle/entry.ts'
import type { Clock } from '../../ports.ts'
import type { LifecycleQueries, LifecycleRow } from '../../account-queries.ts'
import type { Positions } from '../../queries.ts'

export interface LifecycleReadDeps {
  lifecycle: LifecycleQueries
  positions: Positions
  clock: Clock
  /** Key of the Redis stream: part of what a canonical entry says. */
  stream: string
  /** How long entries stay in the stream at least, in ms. */
  retentionMs: number
}

/** Where the snapshot is: what a consumer turns to that comes too late. */
export const SNAPSHOT_PATH = '/api/v1/lobby/lifecycle/snapshot'
/** Entries read at a time, and hashed without letting others in. */
const CHUNK = 1000
/** Entries of one answer: about a second of hashing. */
const MAX_ENTRIES = 100_000

/** h₀, and the hash so far with one more canonical entry (decision 28). */
const begin = Buffer.alloc(32)
const chain = (hash: Buffer, entry: string): Buffer => createHash('sha256').update(hash).update(entry, 'utf8').digest()

/**
 * Count and rolling hash of the entries in (from, to].
 * Refuses with `position_trimmed` if the range begins before what the stream is sure to hold, `projection_behind` if the
 * log has not come to `to` here, `invalid_request` for a range that is no range or holds too many entries.
 */
export const digestOf = async (deps: LifecycleReadDeps, { from, to }: { from: bigint, to: bigint }): Promise<{ count: number, hash: string }> => {
  if (from > to) refuse('invalid_request', 'from lies after to. Swap them.')
  await reach(deps, to)
  const trimmed = await deps.lifecycle.lastBefore(new Date(deps.clock.now().getTime() - deps.retentionMs))
  if (from < trimmed) {
    refuse('position_trimmed', `The stream no longer has to hold entries up to ${trimmed}. Take the snapshot and go on from its as_of.`,
      { snapshot: SNAPSHOT_PATH, trimmed_to: String(trimmed) })
  }
  let previous = await deps.lifecycle.lastAt(from)
  let after = from
  let count = 0
  let hash: Buffer = begin
  for (;;) {
    const rows = await deps.lifecycle.entries({ after, to }, CHUNK)
    for (const row of rows) {
      hash = chain(hash, canonical(row, previous, deps.stream))
      previous = row.position
    }
    count += rows.length
    if (rows.length < CHUNK) return { count, hash: hash.toString('hex') }
    if (count >= MAX_ENTRIES) refuse('invalid_request', `A digest covers at most ${MAX_ENTRIES} entries. Ask for the range in parts.`, { to_at_most: String(previous) })
    after = previous
  }
}

/** A page of each user's last entry as of one position. Refuses with `projection_behind` if that is not reached here. */
export const snapshotPage = async (deps: Pick<LifecycleReadDeps, 'lifecycle' | 'positions'>, page: { asOf?: bigint, after?: bigint, limit: number }) => {
  if (page.asOf !== undefined) await reach(deps, page.asOf)
  const { asOf, rows } = await deps.lifecycle.snapshot({ ...page, limit: page.limit + 1 })
  const shown = rows.slice(0, page.limit)
  return { asOf, rows: shown, next: rows.length > page.limit ? shown.at(-1)?.position ?? null : null }
}

const reach = async ({ positions }: Pick<LifecycleReadDeps, 'positions'>, position: bigint): Promise<void> => {
  const behind = await positions.waitFor(['lifecycle'], position)
  if (behind === undefined) return
  refuse('projection_behind', 'The log has not come to that position here. Ask again shortly, with a position that was given out.', { min_position: String(position) })
}

const canonical = (row: LifecycleRow, previous: bigint, stream: string): string => canonicalEntry(unsignedEntry({
  id: row.eventId,
  type: row.eventType,
  data: {
    userId: row.userId,
    occurredAtMs: Number(row.occurredAtMs),
    source: row.source,
    actorType: row.actorType,
    ...row.actorId !== null && { actorId: row.actorId },
    reasonCode: row.reasonCode,
    ...row.traceId !== null && { traceId: row.traceId }
  }
}, previous), { entryId: entryIdOf(row.position), stream })
